"""A database and a place in a bucket that are there for a measurement alone, beside those that are in use."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from db.images import BucketStore, ImageStore

NAME = "longview_scratch_"


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """Make an empty database on the PostgreSQL server of this one and yield its URL; drop it at the end.

    Raises SQLAlchemy's errors where the role of the URL may not create databases.
    """
    name = f"{NAME}{secrets.token_hex(4)}"
    server = create_engine(url, isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
            try:
                yield make_url(url).set(database=name).render_as_string(hide_password=False)
            finally:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        server.dispose()


def scratch_place(url: str) -> str:
    """Return a place of its own within a bucket's prefix."""
    return f"{url.rstrip('/')}/{NAME}{secrets.token_hex(4)}"


def empty(store: ImageStore) -> None:
    """Take everything out of a store that was made for a measurement; one of a folder goes with its folder."""
    if isinstance(store, BucketStore):
        store.clear()
