"""Files and folders of an installation: open to the account that runs it and to nobody else, written whole or not at all.

Modes are given when a file is made, never afterwards, so that there is no moment in which others may open it; they hold
under any umask.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = [
    "AS_ASKED",
    "OTHERS",
    "PARTIAL",
    "PRIVATE_FILE",
    "held",
    "is_held",
    "is_open_to_others",
    "keep_private",
    "private_file",
    "private_folder",
    "sync_folder",
    "tighten",
    "whole_file",
    "write_whole",
]

PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700
OTHERS = 0o077
"""What group and others may; none of it is given to files with patients in them."""
AS_ASKED = 0o666
"""The mode of a file that holds no patients: the rights are those that the person's umask leaves."""
PARTIAL = ".partial"
"""How a file's name ends while it is being written."""


def private_folder(path: Path) -> None:
    """Make a folder, and those above it that lack, with the mode 0700; one that is there stays as it is.

    Raises `FileExistsError` or `NotADirectoryError` where a file has the name, other `OSError` where it cannot be made.
    """
    if path.is_dir():
        return
    if path.parent != path:
        private_folder(path.parent)
    try:
        path.mkdir(_PRIVATE_FOLDER)
    except FileExistsError:
        if not path.is_dir():
            raise


def private_file(path: Path, *, buffering: int = -1) -> IO[bytes]:
    """Open a file for writing, empty, with the mode 0600 where it is new; links are not followed."""
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, PRIVATE_FILE), "wb", buffering)


@contextmanager
def whole_file(
    path: Path,
    *,
    text: bool = False,
    newline: str | None = None,
    mode: int = PRIVATE_FILE,
    durable: bool = True,
) -> Iterator[IO[Any]]:
    """Write a file that appears under its name when it is complete and on the disk, in the place of an older one.

    Until then it has a name that begins with a dot and ends in `PARTIAL`; whatever is raised inside takes it away. What
    holds no patients may be written with the mode `AS_ASKED`. A binary file can be read back before it appears. One that
    is not `durable` does not wait for the disk: it is whole all the same, but power loss may take it.

    >>> with whole_file(out / "metrics.json", text=True) as file:
    ...     file.write(json.dumps(measured))
    """
    half = path.with_name(f".{path.name[:150]}.{secrets.token_hex(4)}{PARTIAL}")
    descriptor = _new(half, mode)
    _hold(descriptor)
    try:
        with (
            os.fdopen(descriptor, "w", encoding="utf-8", newline=newline)
            if text
            else os.fdopen(descriptor, "w+b")
        ) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_whole(path: Path, data: str | bytes, *, mode: int = PRIVATE_FILE, durable: bool = True) -> None:
    """Write a file as `whole_file` does; text as UTF-8."""
    with whole_file(path, mode=mode, durable=durable) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder while work is done in it, so that nobody takes it for a left-over, however long it takes.

    The hold ends with the process, whatever ends that.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _hold(descriptor)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int) -> None:
    # Some network folders have no locks; there the age of a file has to do.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def is_held(path: Path) -> bool:
    """Say whether a process holds it (`held`): writing a large backup may take longer than any age tells."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False  # a link, or gone
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks: the age has to do
    finally:
        os.close(descriptor)
    return False


def keep_private() -> None:
    """Let this process and its children make files for their own account only, whoever writes them.

    For the processes of an installation, where they begin. What Longview itself writes has its mode anyway; this is for
    what libraries write.
    """
    os.umask(OTHERS)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk, so that a rename in it survives power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_open_to_others(path: Path) -> bool:
    """Say whether group or others have any right to a file or folder; a link or what is not there has none."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & OTHERS)


def tighten(path: Path) -> bool:
    """Take away what rights group and others have; return whether there were any that could be taken."""
    if not is_open_to_others(path):
        return False
    # What belongs to another account is left to `doctor` to tell of.
    with contextlib.suppress(OSError):
        path.chmod(path.lstat().st_mode & ~OTHERS & 0o7777)
        return True
    return False


def _new(path: Path, mode: int) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
