"""Alembic's entry point: runs the steps on the connection that `db.migrate` hands over."""

from alembic import context
from sqlalchemy import Connection

from db.migrate import render_item
from db.tables import Base


def run(connection: Connection) -> None:
    """Run the steps; `render_as_batch`, because SQLite alters a table by copying it."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render_item,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
