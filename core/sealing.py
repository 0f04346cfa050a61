"""Encrypted files (age, https://age-encryption.org): written and read as they come, never as a whole in memory or on the disk.

A file that is sealed to a key is an age file, which `age -d -i KEYFILE` opens anywhere. One that is sealed with a passphrase
is two age files, one behind the other: a key that the passphrase opens, in letters, and what that key opens. So what is
sealed may be of any size; without Longview it is opened by::

    sed '/^-----END/q' FILE | age -d > key;  sed '1,/^-----END/d' FILE | age -d -i key > OUT;  rm key
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

__all__ = [
    "Digesting",
    "Key",
    "Opened",
    "Plain",
    "SealError",
    "key_of_file",
    "kind_of",
    "passphrase_of_file",
    "sealed_into",
    "unsealed",
]

_LETTERS, _END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----\n"
_AGE = b"age-encryption.org/"
_MOST_LOCKED_KEY = 4096
_PIECE = 1 << 20
SHORTEST_PASSPHRASE = 12

Kind = Literal["passphrase", "key"]


class SealError(ValueError):
    """A key that is none, is not the right one, or a sealed file that is damaged; the message says what to do."""


@dataclass(frozen=True)
class Key:
    """What seals and opens files: a passphrase, or keys of age, of which the public ones seal only."""

    passphrase: str | None = field(default=None, repr=False)
    recipients: tuple[Any, ...] = ()
    identities: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def opens(self) -> bool:
        """Return whether what it seals it opens as well."""
        return self.passphrase is not None or bool(self.identities)


def key_of_file(path: Path) -> Key:
    """Return the keys of a file as age-keygen writes it: public ones (``age1…``), or secret ones (``AGE-SECRET-KEY-1…``)."""
    import pyrage

    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(
            f"The key file {path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}."
        ) from error
    said = [line for line in lines if line and not line.startswith("#")]
    try:
        identities = tuple(
            pyrage.x25519.Identity.from_str(one) for one in said if one.startswith("AGE-SECRET-KEY-")
        )
        public = [
            pyrage.x25519.Recipient.from_str(one) for one in said if not one.startswith("AGE-SECRET-KEY-")
        ]
    except (pyrage.IdentityError, pyrage.RecipientError) as error:
        raise SealError(
            f"{path} holds a line that is no key of age: age1… or AGE-SECRET-KEY-1…, one a line. Make a key with age-keygen; "
            "a passphrase is given by --passphrase-file, or asked for."
        ) from error
    if not said:
        raise SealError(f"{path} holds no key.")
    return Key(recipients=(*public, *(one.to_public() for one in identities)), identities=identities)


def passphrase_of_file(path: Path) -> str:
    """Return the passphrase that the first line of a file holds."""
    try:
        with path.open(encoding="utf-8") as file:
            found = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}."
        ) from error
    if not found:
        raise SealError(f"The first line of {path} is empty: it is to hold the passphrase.")
    return found


def kind_of(path: Path) -> Kind | None:
    """Return what a file is sealed with; None where it is not sealed, or cannot be looked at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            head = file.read(len(_LETTERS))
    except OSError:
        return None
    if head == _LETTERS:
        return "passphrase"
    return "key" if head.startswith(_AGE) else None


@contextmanager
def sealed_into(file: IO[bytes] | Digesting, key: Key) -> Iterator[Plain]:
    """Yield what takes plain bytes and lets them into a file sealed; the file is whole when this has ended well."""
    import pyrage

    recipients: list[Any] = list(key.recipients)
    if key.passphrase is not None:
        if len(key.passphrase) < SHORTEST_PASSPHRASE:
            raise SealError(f"The passphrase is too short: use at least {SHORTEST_PASSPHRASE} characters.")
        inner = pyrage.x25519.Identity.generate()
        file.write(pyrage.passphrase.encrypt(str(inner).encode(), key.passphrase, armored=True))
        recipients = [inner.to_public()]
    out, into = os.pipe()

    def seal() -> None:
        with os.fdopen(out, "rb") as plain, _own_errors(file) as held:
            pyrage.encrypt_io(plain, held, recipients)

    work = _Beside(seal)
    try:
        with os.fdopen(into, "wb", _PIECE) as pushed:
            yield Plain(pushed)
    except BrokenPipeError:
        work.join()  # whatever ended it there is the reason
        raise
    except BaseException:
        with suppress(Exception):
            work.join()
        raise
    work.join()


class Digesting:
    """A file that is written to, and the sha256 of what was."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write bytes."""
        self._digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Let them through to the system."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """Return the digest of all that was written."""
        return self._digest.hexdigest()


class Plain:
    """Where plain bytes go in, one behind the other."""

    def __init__(self, into: IO[bytes]) -> None:
        self._into, self._at = into, 0

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._at += self._into.write(data)
        return len(data)

    def tell(self) -> int:
        """Return how many there were."""
        return self._at

    def flush(self) -> None:
        """Hand on what has come."""
        self._into.flush()


@contextmanager
def unsealed(file: IO[bytes], name: str, key: Key) -> Iterator[Opened]:
    """Yield a sealed file as plain bytes, read one behind the other; to its end, where this ends well.

    Raises `SealError` at once where the key is not the right one, and at the latest at the end where the file is damaged.
    """
    import pyrage

    identities = _identities(file, name, key)
    out, into = os.pipe()

    def unseal() -> None:
        with os.fdopen(into, "wb", _PIECE) as plain, _own_errors(file) as held:
            try:
                pyrage.decrypt_io(held, plain, identities)
            except pyrage.DecryptError as error:
                # The library tells the two apart by its words only.
                if "No matching keys" in str(error):
                    raise SealError(f"This key does not open {name}: it was sealed for another.") from error
                raise SealError(f"{name} is damaged: it was changed after it was sealed.") from error
            except BrokenPipeError:
                raise
            except OSError as error:
                if error.errno is not None:
                    raise
                raise SealError(
                    f"{name} is damaged: it was changed, or cut off, after it was sealed."
                ) from error

    work = _Beside(unseal)
    opened = Opened(os.fdopen(out, "rb", _PIECE), work)
    try:
        opened.peek()
        yield opened
        opened.to_the_end()
    finally:
        opened.close()


def _identities(file: IO[bytes], name: str, key: Key) -> list[Any]:
    """Return what opens a file, which is left where what they open begins."""
    import pyrage

    file.seek(0)
    head = file.read(_MOST_LOCKED_KEY)
    if head.startswith(_LETTERS):
        end = head.find(_END)
        if end < 0:
            raise SealError(f"{name} is damaged: the key that it begins with has no end.")
        if key.passphrase is None:
            raise SealError(f"{name} is sealed with a passphrase, and not to a key.")
        try:
            locked = pyrage.passphrase.decrypt(head[: end + len(_END)], key.passphrase)
            found = pyrage.x25519.Identity.from_str(bytes(locked).decode())
        except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError) as error:
            raise SealError(f"This passphrase does not open {name}.") from error
        file.seek(end + len(_END))
        return [found]
    if not head.startswith(_AGE):
        raise SealError(f"{name} is not sealed.")
    if not key.identities:
        raise SealError(
            f"{name} is sealed to a key: give the file with its secret part (AGE-SECRET-KEY-1…) by --key-file."
        )
    file.seek(0)
    return list(key.identities)


class Opened:
    """Plain bytes of a sealed file: to be read forwards; a step back is possible within what was read last."""

    def __init__(self, file: Any, work: _Beside) -> None:
        self._file, self._work = file, work
        self._at = self._end = 0
        self._kept = b""

    def peek(self) -> None:
        """Raise at once what keeps it from being opened."""
        if not self._file.peek(1):
            self._work.join()

    def tell(self) -> int:
        """Return at which byte it is."""
        return self._at

    def seek(self, to: int, whence: int = os.SEEK_SET) -> int:
        """Go on to a byte, or back to one of the last 512."""
        if whence != os.SEEK_SET or to < self._end - len(self._kept):
            raise OSError("a sealed file is read forwards")
        while self._end < to and self._next(min(_PIECE, to - self._end)):
            pass
        self._at = min(to, self._end)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, all of them that were asked for where there are so many."""
        wanted = size if size >= 0 else 1 << 62
        back = self._end - self._at
        pieces = [self._kept[len(self._kept) - back :][:wanted]] if back else []
        got = len(pieces[0]) if pieces else 0
        while got < wanted and (piece := self._next(min(_PIECE, wanted - got))):
            pieces.append(piece)
            got += len(piece)
        self._at += got
        return b"".join(pieces)

    def _next(self, size: int) -> bytes:
        piece: bytes = self._file.read(size)
        if not piece:
            self._work.join()
        self._end += len(piece)
        self._kept = (self._kept + piece)[-512:]
        return piece

    def to_the_end(self) -> None:
        """Read what is left: only its end says that a sealed file is whole."""
        while self._next(_PIECE):
            pass

    def close(self) -> None:
        """Let go of it; what is left of it is not read."""
        self._file.close()
        with suppress(Exception):
            self._work.join()


class _Held:
    """A file in the library's hands, which words its errors anew: the first of its own is kept."""

    def __init__(self, file: IO[bytes] | Digesting) -> None:
        self._file = file
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        do = getattr(self._file, name)

        def done(*args: Any) -> Any:
            try:
                return do(*args)
            except OSError as error:
                self.error = self.error or error
                raise

        return done


@contextmanager
def _own_errors(file: IO[bytes] | Digesting) -> Iterator[_Held]:
    """Yield a file that the library reads or writes; where that fails, the file's own error is raised."""
    held = _Held(file)
    try:
        yield held
    except Exception:
        if held.error is not None:
            raise held.error from None
        raise


class _Beside:
    """Work in a thread of its own, whose error is raised where it is waited for."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._error: BaseException | None = None

        def run() -> None:
            try:
                do()
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                self._error = error

        self._thread = threading.Thread(target=run, name="sealing", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the work, and raise what ended it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
