"""The image store: a folder of objects named by the sha256 of their bytes."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


class ImageStore:
    """Content-addressed objects in a folder, written whole or not at all.

    An object that `put` returned for survives kill -9 and power loss: bytes are synced before the rename, the
    folder after it. Keys are hashes, so names from outside never become paths.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Return where an object lies; raises `ValueError` if the key is no sha256 in lower-case hex."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError(f"Not a sha256: {sha256!r}")
        return self.root / sha256[:2] / sha256

    def put(self, data: bytes) -> str:
        """Store bytes durably and return their sha256; storing the same bytes again changes nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        if target.exists():
            return sha256
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".incoming-", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        _sync_folder(self.root)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return an object's bytes; raises `FileNotFoundError` if it is not here."""
        return self.path(sha256).read_bytes()

    def __contains__(self, sha256: str) -> bool:
        return self.path(sha256).exists()

    def keys(self) -> Iterator[str]:
        """Yield the key of every object."""
        for path in sorted(self.root.glob("??/*")):
            if not path.name.startswith("."):
                yield path.name


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
