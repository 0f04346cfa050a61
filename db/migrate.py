"""Bringing a database to the tables of this release."""

from functools import cache
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from db.database import Database, DatabaseUnavailable, sqlite_module
from db.stale import are_lacking, drop_triggers, set_triggers
from db.tables import Base, Document, String, Text, UtcDateTime


def configuration(database: Database | None = None) -> Config:
    """Return Alembic's configuration, made in code: there is no `alembic.ini`."""
    config = Config()
    config.set_main_option("script_location", "db:migrations")
    config.set_main_option("path_separator", "os")
    if database is not None:
        url = database.url.render_as_string(hide_password=False)
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


@cache
def _steps() -> ScriptDirectory:
    """Return this release's migrations, read once: each is a module of its own."""
    return ScriptDirectory.from_config(configuration())


def head() -> str:
    """Return the revision that this release's tables stand at."""
    revision = _steps().get_current_head()
    if revision is None:
        raise RuntimeError("This release carries no migrations.")
    return revision


def known_revisions() -> set[str]:
    """Return the revisions that this release can bring a database from."""
    return {step.revision for step in _steps().walk_revisions()}


def lacking(database: Database) -> list[str]:
    """Name the tables, and columns as ``table.column``, of this release that a database does not have."""
    found = inspect(database.engine)
    there = set(found.get_table_names())
    lacks = []
    for name, table in Base.metadata.tables.items():
        if name not in there:
            lacks.append(name)
            continue
        columns = {column["name"] for column in found.get_columns(name)}
        lacks += [f"{name}.{column.name}" for column in table.columns if column.name not in columns]
    return lacks


def current(database: Database) -> str | None:
    """Return the revision a database stands at, or None if no migration has touched it.

    Raises `DatabaseUnavailable` if it cannot be reached.
    """
    try:
        with database.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except (DBAPIError, sqlite_module().Error) as error:
        # Bare ones come from what is done with a connection before SQLAlchemy hands it out.
        said = " ".join(str(getattr(error, "orig", error)).split())
        raise DatabaseUnavailable(f"The database {database.shown_url} cannot be used: {said}") from error


class NewerDatabase(DatabaseUnavailable):
    """The database stands at a revision that this release does not know: a newer release has migrated it."""


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring a database to this release's tables, in one transaction; one that is there already is left alone.

    The write lock is taken first, so that two processes starting at once do not run the same step twice. Raises
    `NewerDatabase` for one that a newer release has migrated: it is left alone too; and `DatabaseUnavailable`.
    """
    at = current(database)
    if revision == "head" and at == head():
        _set_triggers(database)
        return
    if at is not None and at not in known_revisions():
        raise NewerDatabase(
            f"The database is at revision {at}, which this release does not know. Install the newer release again."
        )
    _run(database, command.upgrade, revision, with_triggers=revision == "head")


def _set_triggers(database: Database) -> None:
    """Set the triggers that keep what is kept ready from getting old, where one is missing."""
    with database.engine.connect() as connection:
        if not are_lacking(connection):
            return
    with (
        database.engine.connect().execution_options(longview_immediate=True) as connection,
        connection.begin(),
    ):
        set_triggers(connection)


def downgrade(database: Database, revision: str) -> None:
    """Take a database back to an earlier revision (`base`: no tables at all)."""
    _run(database, command.downgrade, revision)


def _run(database: Database, step: Any, revision: str, *, with_triggers: bool = False) -> None:
    """Run migrations and set this release's triggers in one transaction: a process that is killed leaves no half of it."""
    config = configuration(database)
    with database.engine.connect().execution_options(longview_immediate=True) as connection:
        # Batch steps rebuild SQLite's tables: with foreign keys on, dropping the old one would cascade. The
        # setting can only be changed outside a transaction, so it goes past SQLAlchemy.
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                config.attributes["connection"] = connection
                step(config, revision)
                if with_triggers:
                    drop_triggers(connection)
                    set_triggers(connection)
        finally:
            if database.is_sqlite:
                driver.execute("PRAGMA foreign_keys = ON")


def render_item(kind: str, item: TypeEngine[Any], _context: Any) -> str | Literal[False]:
    """Write our own column types into a migration as the plain type they are stored as."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime()"
    if kind == "type" and isinstance(item, (Document, String)):
        length = getattr(item.impl, "length", None)
        name = "JSON" if isinstance(item, Document) else "Text" if isinstance(item, Text) else "String"
        return f"sa.{name}({length or ''})"
    return False
