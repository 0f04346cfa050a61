"""Files as they come: single ones, folders, ZIP archives, and folders or archives with an exam manifest.

Archives are read entry by entry, in memory and never to disk: no path in them can escape, and none unfolds to more
than one file may have.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from core.incoming.items import IncomingFile, Statement
from core.refusals import Refusal
from core.rules.vocabulary import OTHER_KIND_WORDS, PICTURES
from core.sets import Manifest, ManifestError, ManifestRow, read_manifest

MANIFEST = "manifest.csv"
_MOST_ENTRIES = 20_000
_MOST_UNPACKED_BYTES = 20_000_000_000
# An image of one shade shrinks so far, a mammogram to a tenth at best.
_MOST_FOLDED = 200
_LARGE_BYTES = 50_000_000
# "L-CC", "r_mlo", "right MLO": a name that says side and view and nothing else.
_NAMED_VIEW = re.compile(rf"(l|r|left|right)[-_ ]?({'|'.join(PICTURES)})", re.IGNORECASE)


# These say nothing of the file that was asked for: the machine, or the folder as a whole, is at its end.
_OF_THE_MACHINE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ENOTCONN})


@dataclass
class Gathered:
    """What lies under some paths: how many files, the files one by one, and notices for the person."""

    files: list[Callable[[], IncomingFile]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[IncomingFile]:
        """Yield the files; each is read when its turn comes, and not kept."""
        for load in self.files:
            yield load()


def gather(paths: list[Path], *, max_file_mb: int, use_manifests: bool = True) -> Gathered:
    """List the files under paths, in a stable order; hidden files are left out.

    A folder or archive with a `manifest.csv` gives the images that it lists, with what it says of them.
    Raises `FileNotFoundError` for a path that is not there.
    """
    found = Gathered()
    limit = max_file_mb * 1_000_000
    for path in paths:
        try:
            is_folder, is_there = path.is_dir(), path.exists()
        except OSError as error:  # a name that is too long, a folder on the way that may not be entered
            raise FileNotFoundError(f"{path} cannot be looked at: {error.strerror}.") from error
        if is_folder:
            _folder(path, limit, use_manifests, found)
        elif not is_there:
            raise FileNotFoundError(f"There is no file or folder {path}.")
        elif _is_archive(path):
            _archive(path, limit, use_manifests, found)
        else:
            found.files.append(lambda path=path: _load(path, str(path), limit))  # type: ignore[misc]
    return found


def gather_one(path: Path, name: str, *, max_file_mb: int) -> Gathered:
    """List what one file holds that lies here under another name than it came by: itself, or an archive's entries."""
    found = Gathered()
    limit = max_file_mb * 1_000_000
    if _is_archive(path):
        _archive(path, limit, True, found, name)
    else:
        found.files.append(lambda: _load(path, name, limit))
    return found


def looks_like_archive(data: bytes) -> bool:
    """Tell whether bytes begin as a ZIP archive does (and not as DICOM, whose preamble may hold anything)."""
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06") and data[128:132] != b"DICM"


def named_view(name: str) -> tuple[str, str] | None:
    """Return side and view where a file's name without its ending says just these, as `L-CC` or `r_mlo` do."""
    match = _NAMED_VIEW.fullmatch(Path(name).stem.strip())
    return (match[1][0].upper(), match[2].upper()) if match else None


def _is_archive(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return looks_like_archive(file.read(132))
    except OSError:
        return False


def _folder(folder: Path, limit: int, use_manifests: bool, found: Gathered) -> None:
    if use_manifests and (folder / MANIFEST).is_file() and not _leads_out(folder / MANIFEST, folder):
        manifest = _manifest(folder / MANIFEST, found)
        if manifest is not None:
            for row in manifest.rows:
                found.files.append(lambda row=row: _told(row, _load_within(row.path, folder, limit)))  # type: ignore[misc]
            return
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        links = [name for name in folders if _leads_out(Path(parent, name), folder)]
        for name in sorted([*names, *links]):
            path = Path(parent, name)
            if not _hidden(name) and _leads_out(path, folder):
                found.files.append(lambda path=path: _load_within(path, folder, limit))  # type: ignore[misc]
            elif not use_manifests and path == folder / MANIFEST:
                found.notices.append(f"{path} is left aside: you said whose images these are.")
            elif _hidden(name):
                continue
            elif path.is_file() and _is_archive(path):
                _archive(path, limit, use_manifests, found)
            else:
                found.files.append(lambda path=path: _load(path, str(path), limit))  # type: ignore[misc]


def _archive(path: Path, limit: int, use_manifests: bool, found: Gathered, name: str | None = None) -> None:
    name = name or path.name

    def refuse(why: str) -> None:
        refusal = Refusal("archive_unsafe", why)
        found.files.append(lambda: IncomingFile(name, b"", refusal))

    try:
        archive = _opened_archive(path)
        entries = [e for e in archive.infolist() if not e.is_dir() and not _hidden(e.filename)]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
        refuse("The archive is damaged.")
        return
    if not entries:
        found.files.append(
            lambda: IncomingFile(name, b"", Refusal("empty_file", "The archive holds no file."))
        )
        return
    if len(entries) > _MOST_ENTRIES or sum(e.file_size for e in entries) > _MOST_UNPACKED_BYTES:
        refuse(f"It holds {len(entries)} files.")
        return

    def load(entry: zipfile.ZipInfo) -> IncomingFile:
        return _load_entry(archive, entry, f"{name}/{entry.filename}", limit)

    listed = [e for e in entries if PurePosixPath(e.filename).name == MANIFEST]
    if use_manifests and len(listed) == 1:
        manifest = _archived_manifest(load(listed[0]), found)
        if manifest is not None:
            by_path = {PurePosixPath(e.filename): e for e in entries}
            base = PurePosixPath(listed[0].filename).parent
            for row in manifest.rows:
                within = manifest.source.parent
                # A path from the root names nothing in an archive, nor would it be read from this machine's disk.
                known = row.path.is_relative_to(within)
                entry = by_path.get(base / row.path.relative_to(within).as_posix()) if known else None
                if entry is None:
                    refusal = Refusal("bad_manifest_row", f"Line {row.line}: the archive lacks its image.")
                    told = IncomingFile(f"{name}/{row.path.name}", b"", refusal)
                    found.files.append(lambda told=told: told)  # type: ignore[misc]
                else:
                    found.files.append(lambda row=row, entry=entry: _told(row, load(entry)))  # type: ignore[misc]
            return
    for entry in entries:
        found.files.append(lambda entry=entry: load(entry))  # type: ignore[misc]


def _opened_archive(path: Path) -> zipfile.ZipFile:
    """Open a ZIP archive; one that calls names UTF-8 which are not is read with these in the older way (cp437)."""
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError:
        with path.open("rb") as file:
            bytes_ = _Archive(file.fileno(), 0, access=mmap.ACCESS_COPY)  # written in memory only
        _unflag_names(bytes_)
        return zipfile.ZipFile(cast(IO[bytes], bytes_))


class _Archive(mmap.mmap):
    """The bytes of an archive in memory, as `zipfile` wants a file."""

    def seekable(self) -> bool:
        return True


_UTF8_NAME = 0x800  # bit 11 of the flags (APPNOTE.TXT 4.4.4)


def _unflag_names(archive: mmap.mmap) -> None:
    """Take the mark "UTF-8" from every name that is none, in the directory and before the file itself."""
    end = archive.rfind(b"PK\x05\x06")
    if end < 0:
        raise zipfile.BadZipFile("It has no directory.")
    entries, size, start = struct.unpack_from("<10xHLL", archive, end)
    # What stands before the archive, such as a program that unpacks it, moves all its offsets.
    at, before = end - size, end - size - start
    if at < 0 or before < 0:
        raise zipfile.BadZipFile("Its directory is not where it says.")
    for _ in range(entries):
        signature, flags, name, extra, comment, local = struct.unpack_from("<4s4xH18xHHH8xL", archive, at)
        if signature != b"PK\x01\x02":
            raise zipfile.BadZipFile("Its directory is damaged.")
        if flags & _UTF8_NAME and not _is_utf8(archive[at + 46 : at + 46 + name]):
            struct.pack_into("<H", archive, at + 8, flags & ~_UTF8_NAME)
            header = before + local
            if archive[header : header + 4] == b"PK\x03\x04":
                (flags,) = struct.unpack_from("<H", archive, header + 6)
                struct.pack_into("<H", archive, header + 6, flags & ~_UTF8_NAME)
        at += 46 + name + extra + comment


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _leads_out(path: Path, folder: Path) -> bool:
    """Tell whether a link in a folder leads to somewhere else on the machine; what it leads to may be missing."""
    if not path.is_symlink():
        return False
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a ring of links
        return True


def _load_within(path: Path, folder: Path, limit: int) -> IncomingFile:
    if not _leads_out(path, folder):
        return _load(path, str(path), limit)
    why = "It is a link that leads out of the folder, which is not followed. Name what it leads to itself."
    return IncomingFile(str(path), b"", Refusal("unreadable_path", why))


def _load(path: Path, name: str, limit: int) -> IncomingFile:
    try:
        if not path.is_file():
            return IncomingFile(name, b"", Refusal("unreadable_path", "It is no ordinary file."))
        size = path.stat().st_size
        if size > limit:
            return IncomingFile(name, b"", _too_large(size, limit))
        return _without_archives(IncomingFile(name, path.read_bytes()))
    except OSError as error:
        if error.errno in _OF_THE_MACHINE:
            raise
        return IncomingFile(name, b"", Refusal("unreadable_path", f"{error.strerror}."))


def _load_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, limit: int) -> IncomingFile:
    if entry.flag_bits & 0x1:
        return IncomingFile(name, b"", Refusal("archive_unsafe", "It is locked with a password."))
    if entry.file_size > limit:
        return IncomingFile(name, b"", _too_large(entry.file_size, limit))
    if entry.file_size > _LARGE_BYTES and entry.file_size > _MOST_FOLDED * max(1, entry.compress_size):
        why = f"It unfolds to {entry.file_size / 1e6:.0f} MB, more than {_MOST_FOLDED} times what is stored."
        return IncomingFile(name, b"", Refusal("archive_unsafe", why))
    try:
        with archive.open(entry) as file:
            # The size that an archive gives may be a lie: no more than is allowed is unfolded.
            data = file.read(limit + 1)
    except MemoryError:
        raise
    except Exception as error:
        # Damaged archives raise zlib's, lzma's and zipfile's own errors.
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            raise
        return IncomingFile(name, b"", Refusal("archive_unsafe", f"It cannot be unpacked: {error}."))
    if len(data) > limit:
        return IncomingFile(name, b"", _too_large(len(data), limit))
    return _without_archives(IncomingFile(name, data))


def _without_archives(file: IncomingFile) -> IncomingFile:
    if looks_like_archive(file.data):
        return IncomingFile(file.name, file.data, Refusal("archive_unsafe", "It is an archive within."))
    return file


def _too_large(size: int, limit: int) -> Refusal:
    return Refusal("too_large", f"It has {size / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB are read.")


def _hidden(name: str) -> bool:
    # Archives made under Windows may part folders with a backslash.
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts)


def _manifest(path: Path, found: Gathered, *, look_for_files: bool = True) -> Manifest | None:
    try:
        manifest = read_manifest(path, look_for_files=look_for_files)
    except ManifestError as error:
        found.notices.append(f"{error} The files are taken as they are.")
        return None
    found.notices += manifest.notices
    for bad in manifest.refused:
        refusal = Refusal("bad_manifest_row", f"Line {bad.line}: {bad.reason}")
        name = f"{path.name}:{bad.line}"
        found.files.append(lambda name=name, refusal=refusal: IncomingFile(name, b"", refusal))  # type: ignore[misc]
    return manifest


def _archived_manifest(file: IncomingFile, found: Gathered) -> Manifest | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MANIFEST
        path.write_bytes(file.data)
        return _manifest(path, found, look_for_files=False)


def _told(row: ManifestRow, file: IncomingFile) -> IncomingFile:
    """Join a file with what its manifest says of it."""
    if file.refusal is not None:
        return file
    view = row.modality if row.modality in OTHER_KIND_WORDS else row.view
    if row.laterality is None or view is None:
        missing = "unknown_laterality" if row.laterality is None else "unknown_view"
        return IncomingFile(file.name, file.data, Refusal(missing, f"Line {row.line} does not say it."))
    if row.study_date is None:
        return IncomingFile(file.name, file.data, Refusal("no_study_date", f"Line {row.line} has no date."))
    views: Mapping[str, tuple[str, str]] = {file.name: (row.laterality, view)}
    said = Statement(
        mrn=row.patient_id,
        study_date=row.study_date,
        birth_date=row.birth_date,
        views=views,
        simulated=row.simulated,
    )
    return IncomingFile(file.name, file.data, said=said)
