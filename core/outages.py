"""When the world fails and not the work: database, image store, disk, memory or network are away or full for a while.

What an outage interrupts is put off, repeated or answered with exit code 3; only what a study or a file itself is
wrong in refuses it. `outage` tells the two apart, in one place, and says in words what the machine lacks.
"""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.refusals import Refusal
from db.database import BUSY_SECONDS, DatabaseUnavailable, sqlite_module
from db.images import StoreUnavailable

__all__ = ["MachineFailed", "outage"]


class MachineFailed(RuntimeError):
    """What the machine lacks, already in words: of work that was cut short, or for callers that can only wait."""


_NO_MEMORY = "The machine has no memory left. End other programs, then repeat."
_NO_RIGHTS = "The folder may not be written or read by this account. Correct its rights, then repeat."
_TOO_MANY_FILES = "Too many files are open. End other programs, then repeat."
_FOLDER_AWAY = "The network folder is away. Mount it again, then repeat."
_NO_NETWORK = "A server cannot be reached. Check the network, then repeat."
_BY_ERRNO = {
    errno.ENOSPC: "The disk is full. Make room, then repeat.",
    errno.EDQUOT: "The disk's quota is used up. Make room, then repeat.",
    errno.EFBIG: "A file may not become that large here. Lift the limit of the account or the disk, then repeat.",
    errno.EROFS: "The folder is read-only. Make it writable, then repeat.",
    errno.EACCES: _NO_RIGHTS,
    errno.EPERM: _NO_RIGHTS,
    errno.EIO: "The disk answers with an error. Check the disk, then repeat.",
    errno.ENOMEM: _NO_MEMORY,
    errno.EAGAIN: "The machine can start no further process. End other programs, then repeat.",
    errno.EMFILE: _TOO_MANY_FILES,
    errno.ENFILE: _TOO_MANY_FILES,
    errno.ESTALE: _FOLDER_AWAY,
    errno.ENOTCONN: _FOLDER_AWAY,
    errno.ECONNREFUSED: "A server cannot be reached. Check that it runs, then repeat.",
    errno.ECONNRESET: "A server closed the connection. Check that it runs, then repeat.",
    errno.EHOSTUNREACH: _NO_NETWORK,
    errno.ENETUNREACH: _NO_NETWORK,
    errno.ETIMEDOUT: "A server did not answer in time. Check the network, then repeat.",
}

# SQLite and PostgreSQL tell by their words: sqlite.org/rescode.html; PostgreSQL's appendix A, classes 08, 25, 53, 57, 58.
_BY_WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("database is locked", "database is busy", "lock timeout", "database table is locked"),
        "The database is busy: something else has held it for more than {seconds:.0f} seconds. Repeat later.",
    ),
    (
        ("disk is full", "no space left", "disk full"),
        "The disk that holds the database is full. Make room, then repeat.",
    ),
    (
        ("readonly database", "read-only", "read only"),
        "The database is read-only. Make it and its folder writable, then repeat.",
    ),
    (
        ("unable to open database file",),
        "The database's file cannot be opened. Check its folder and its rights, then repeat.",
    ),
    (
        # Also where there is no room for what SQLite keeps beside the database in memory shared by its readers.
        ("disk i/o error",),
        "The disk that holds the database answers with an error, or is full. Check it, then repeat.",
    ),
    (("out of memory",), _NO_MEMORY),
)
_TOO_LARGE_FOR_MEMORY = "ResourceExhaustedError"
"""What TensorFlow raises where there is no memory for a step; its class cannot be named without loading it."""


def outage(error: BaseException) -> str | None:
    """Say in words what the machine lacks and what to do; None where the error is not the world's.

    Looks through errors that were raised from another one (``raise … from``).

    >>> outage(OSError(errno.ENOSPC, "No space left on device"))
    'The disk is full. Make room, then repeat.'
    >>> outage(ValueError("no breast is found"))
    """
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, Refusal):
        said = _outage(seen)
        if said is not None:
            return said
        seen = seen.__cause__
    return None


def _outage(error: BaseException) -> str | None:
    if isinstance(error, DatabaseUnavailable | StoreUnavailable | MachineFailed):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == _TOO_LARGE_FOR_MEMORY:
        return _NO_MEMORY
    if isinstance(error, PoolTimeout):
        return "The database is busy: no connection became free. Repeat later."
    if isinstance(error, DBAPIError):
        return _database_outage(error)
    if isinstance(error, sqlite3.Error | sqlite_module().Error):
        # Raised where SQLite is asked without SQLAlchemy between: when a connection is made, and by a backup.
        return _said_of(str(error))
    if isinstance(error, TimeoutError) and error.errno is None:
        return "The machine is too busy to answer in time. Repeat later."
    if isinstance(error, OSError):
        return _file_outage(error)
    return None


def _database_outage(error: DBAPIError) -> str | None:
    said = _said_of(str(error.orig))
    if said is not None:
        return said.format(seconds=getattr(error.orig, "busy_seconds", BUSY_SECONDS))
    if error.connection_invalidated or (
        isinstance(error, OperationalError | InterfaceError) and "sqlite" not in type(error.orig).__module__
    ):
        return "The database cannot be reached. Check that its server runs, then repeat."
    return None


def _said_of(words: str) -> str | None:
    words = words.lower()
    return next((said for parts, said in _BY_WORDS if any(part in words for part in parts)), None)


def _file_outage(error: OSError) -> str | None:
    said = _BY_ERRNO.get(error.errno or 0)
    return f"{error.filename}: {said}" if said and error.filename else said
