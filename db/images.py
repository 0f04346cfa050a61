"""The image store: objects named by the sha256 of their bytes, in a folder or in an S3-compatible bucket."""

from __future__ import annotations

import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from db.files import private_folder, sync_folder

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig


_AT_ONCE = 8
"""Folders whose entries are brought to the disk at once."""
INCOMING = ".incoming-"
"""How an object's name begins while it is being written."""


RETRY_SECONDS = 20
"""How long a bucket that does not answer is asked again; its library's own three minutes are longer than people wait."""


class StoreUnavailable(OSError):
    """The image store cannot be used as it is set or as it answers; the message says what and what to do."""


class ImageStore(ABC):
    """Content-addressed objects, written whole or not at all; an object never changes.

    An object that `put` returned for survives kill -9 and power loss. Keys are hashes, so names from outside never
    become paths: every method that takes one raises `ValueError` if it is no sha256 in lower-case hex. A store that
    cannot be reached or written raises an `OSError`.
    """

    where: str
    """The folder or address, for people."""

    @abstractmethod
    def put(self, data: bytes) -> str:
        """Store bytes durably and return their sha256; storing the same bytes again changes nothing."""

    def stage(self, data: bytes, sha256: str) -> Staged:
        """Begin to store bytes, whose sha256 is known, of which it is not known yet whether they are wanted."""
        return Staged(self, data, sha256)

    def keep_all(self, staged: Iterable[Staged]) -> None:
        """Make objects of several that were staged; when it returns all of them are durable."""
        for one in staged:
            one.keep()

    @abstractmethod
    def get(self, sha256: str) -> bytes:
        """Return an object's bytes; raises `FileNotFoundError` if it is not here, `StoreUnavailable` if the store is not."""

    def get_kept(self, sha256: str) -> bytes:
        """Return the bytes of an object that a row says is here.

        Raises `StoreUnavailable` where the whole store is away, `FileNotFoundError` where only this object is missing.
        """
        try:
            return self.get(sha256)
        except FileNotFoundError:
            # A disk that is not mounted leaves no folder, or an empty one: it is not this object that is missing.
            if self.is_empty():
                raise StoreUnavailable(
                    f"The image store {self.where} is away: it is missing or empty. Bring it back, then repeat."
                ) from None
            raise

    def is_empty(self) -> bool:
        """Return whether nothing at all is here; a bucket that answers is taken to hold what it held."""
        return False

    @abstractmethod
    def __contains__(self, sha256: str) -> bool: ...

    @abstractmethod
    def keys(self) -> Iterator[str]:
        """Yield the key of every object, in order."""

    @abstractmethod
    def check(self) -> None:
        """Write something and take it away again; raises `OSError` if that cannot be done."""


class Staged:
    """Bytes on their way into a store: an object once they are kept, nothing once they are dropped."""

    def __init__(self, store: ImageStore, data: bytes, sha256: str) -> None:
        self._store, self._data, self.sha256 = store, data, sha256

    def keep(self) -> None:
        """Make an object of them, as `ImageStore.put` does."""
        if self.sha256 not in self._store:
            self._store.put(self._data)

    def drop(self) -> None:
        """Leave nothing of what was not kept."""


class _StagedFile(Staged):
    """Bytes that lie on the disk already, beside the place of the object that they may become."""

    def __init__(self, store: FolderStore, data: bytes, sha256: str) -> None:
        super().__init__(store, data, sha256)
        self._folder = store
        self._file = None if sha256 in store else store.write_beside(sha256, data)

    def keep(self) -> None:
        self._folder.keep_all([self])

    def name(self) -> bool:
        """Give them their name as an object, not durably yet; tell whether there was anything to name."""
        file, self._file = self._file, None
        if file is None:
            super().keep()
            return False
        self._folder.rename(file, self.sha256)
        return True

    def drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.unlink(missing_ok=True)


def open_store(url: str | None, home: Path, name: str) -> ImageStore:
    """Return the store of this name: the folder ``home/name``, or that part of the bucket that the URL names.

    >>> open_store("s3://hospital/longview", Path("var"), "images").where
    's3://hospital/longview/images'

    Raises `StoreUnavailable` for a URL that names no bucket, or where the library for it is not installed.
    """
    if not url:
        return FolderStore(home / name)
    bucket, prefix = bucket_of(url)
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise StoreUnavailable(
            f"The library for {url} is not installed. Run: pip install -r requirements-grown.txt"
        ) from error
    path = "/".join(part for part in (prefix, name) if part)
    # Address, region and credentials come from the usual AWS_… variables. The server compares what arrives with a
    # sha256 that travels in the signature, and answers when the object is stored.
    patience: RetryConfig = {"max_retries": 10, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
    return BucketStore(S3Store(bucket, prefix=path, retry_config=patience), f"s3://{bucket}/{path}")


def bucket_of(url: str) -> tuple[str, str]:
    """Return bucket and prefix of an ``s3://bucket/prefix`` URL; raises `StoreUnavailable` if it is none."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
        raise StoreUnavailable(
            "Images are kept in a folder or in an S3-compatible bucket, named like s3://bucket/longview; "
            "its address and credentials go into AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return parts.netloc, parts.path.strip("/")


class FolderStore(ImageStore):
    """Objects in a folder: bytes are synced before the rename, the folder after it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)
        self._entered: set[Path] = set()
        """Folders whose entry in `root` this process has seen to the disk."""
        self._waiting_for_disk = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="to-the-disk")

    def path(self, sha256: str) -> Path:
        """Return where an object lies."""
        return self.root / _name(sha256)

    def put(self, data: bytes) -> str:
        """Store bytes durably and return their sha256; storing the same bytes again changes nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.path(sha256).exists():
            self.enter(self.write_beside(sha256, data), sha256)
        return sha256

    def stage(self, data: bytes, sha256: str) -> Staged:
        """Write bytes to the disk now, so that to keep them is only to name them."""
        return _StagedFile(self, data, sha256)

    def keep_all(self, staged: Iterable[Staged]) -> None:
        """Make objects of several that were staged: all are named, and then the disk is waited for once."""
        folders = {
            self.path(one.sha256).parent for one in staged if isinstance(one, _StagedFile) and one.name()
        }
        self._to_the_disk(folders)

    def write_beside(self, sha256: str, data: bytes) -> Path:
        """Write what may become an object, to the disk, and return the file."""
        target = self.path(sha256)
        private_folder(target.parent)
        descriptor, temporary = tempfile.mkstemp(prefix=INCOMING, dir=target.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return Path(temporary)

    def enter(self, file: Path, sha256: str) -> None:
        """Give a written file its name as an object, durably."""
        self.rename(file, sha256)
        self._to_the_disk({self.path(sha256).parent})

    def rename(self, file: Path, sha256: str) -> None:
        """Give a written file its name as an object; it outlives a power cut when its folder is on the disk."""
        try:
            file.replace(self.path(sha256))
        except BaseException:
            file.unlink(missing_ok=True)
            raise

    def _to_the_disk(self, folders: set[Path]) -> None:
        if len(folders) == 1:
            sync_folder(*folders)
        else:
            # At once, for then one flush of the disk does for several.
            list(self._waiting_for_disk.map(sync_folder, folders))
        if not folders <= self._entered:
            sync_folder(self.root)
            self._entered |= folders

    def get(self, sha256: str) -> bytes:
        """Return an object's bytes; raises `FileNotFoundError` if it is not here.

        Raises `StoreUnavailable` where the whole folder is away or empty, as that of a disk that is not mounted: then
        nothing can be said of one object.
        """
        try:
            return self.path(sha256).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            if self._holds_something():
                raise
            raise StoreUnavailable(
                f"The image store is away: the folder {self.root} is missing or empty. Mount its disk again, or "
                "restore a backup."
            ) from None

    def _holds_something(self) -> bool:
        try:
            return next(self.root.glob("[0-9a-f][0-9a-f]"), None) is not None
        except OSError:
            return False

    def is_empty(self) -> bool:
        """Return whether the folder is missing or holds nothing."""
        return not self.root.is_dir() or not any(self.root.iterdir())

    def __contains__(self, sha256: str) -> bool:
        return self.path(sha256).exists()

    def keys(self) -> Iterator[str]:
        """Yield the key of every object, in order."""
        for path in sorted(self.root.glob("??/*")):
            if not path.name.startswith("."):
                yield path.name

    def check(self) -> None:
        """Write a file and take it away again; raises `OSError` if that cannot be done."""
        private_folder(self.root)
        with tempfile.NamedTemporaryFile(dir=self.root, prefix=".doctor-"):
            pass


class BucketStore(ImageStore):
    """Objects in a bucket of an object store, where a put is atomic and is answered once it is durable."""

    def __init__(self, objects: ObjectStore, where: str) -> None:
        self._objects = objects
        self.where = where

    def put(self, data: bytes) -> str:
        """Store bytes durably and return their sha256; storing the same bytes again sends nothing."""
        import obstore

        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self:
            with self._telling():
                # In one request, so that the checksum is that of the whole object.
                obstore.put(self._objects, _name(sha256), data, use_multipart=False)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return an object's bytes; raises `FileNotFoundError` if it is not here."""
        import obstore

        try:
            with self._telling():
                return bytes(obstore.get(self._objects, _name(sha256)).bytes())
        except FileNotFoundError as error:
            if "NoSuchBucket" not in str(error):
                raise
            raise StoreUnavailable(
                f"The image store {self.where} is away: there is no such bucket. Check LONGVIEW_IMAGE_STORE."
            ) from error

    def __contains__(self, sha256: str) -> bool:
        import obstore

        try:
            with self._telling():
                obstore.head(self._objects, _name(sha256))
        except FileNotFoundError:
            return False
        return True

    def keys(self) -> Iterator[str]:
        """Yield the key of every object, in order."""
        import obstore

        with self._telling():
            listed = [one["path"] for chunk in obstore.list(self._objects, chunk_size=1000) for one in chunk]
        for path in sorted(listed):
            folder, _, key = path.rpartition("/")
            if len(key) == 64 and folder == key[:2]:
                yield key

    def clear(self) -> None:
        """Take every object away: of a store that was made for a measurement alone."""
        import obstore

        with self._telling():
            for chunk in obstore.list(self._objects, chunk_size=1000):
                obstore.delete(self._objects, [one["path"] for one in chunk])

    def check(self) -> None:
        """Write an object and take it away again; raises `StoreUnavailable` if that cannot be done."""
        import obstore

        with self._telling():
            obstore.put(self._objects, "doctor", b"written by doctor", use_multipart=False)
            obstore.delete(self._objects, "doctor")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn the library's own errors into one that callers know from files."""
        from obstore.exceptions import BaseError

        try:
            yield
        except BaseError as error:
            said = str(error).splitlines()[0][:300]
            raise StoreUnavailable(f"The image store {self.where} cannot be used: {said}") from error


def _name(sha256: str) -> str:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError(f"Not a sha256: {sha256!r}")
    return f"{sha256[:2]}/{sha256}"
