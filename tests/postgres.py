"""Throw-away databases on a PostgreSQL server, for tests.

They run where ``LONGVIEW_TEST_POSTGRES_URL`` names a database of a role that may create databases, such as
``postgresql://longview@127.0.0.1/postgres``; elsewhere they are skipped. What they make they drop.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

SERVER = os.environ.get("LONGVIEW_TEST_POSTGRES_URL", "")

needs_postgres = pytest.mark.skipif(
    not SERVER, reason="LONGVIEW_TEST_POSTGRES_URL names no PostgreSQL server"
)

_numbers = itertools.count()


@contextmanager
def fresh_database() -> Iterator[str]:
    """Make an empty database and yield its URL; drop it at the end, whoever is still connected."""
    name = f"longview_test_{os.getpid()}_{next(_numbers)}"
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()
