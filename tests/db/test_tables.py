"""What every column keeps, on each engine."""

from collections.abc import Iterator

import pytest
import sqlalchemy
from sqlalchemy import insert, select

from db.database import Database
from db.tables import AuditEntry, Base, Document, Patient, String, Text, storable_text
from tests.postgres import migrated_copy, needs_postgres

NAUGHTY = "a\0b\ud800c\udcff\u202ed"
KEPT = "a\ufffdb\ufffdc\ufffd\u202ed"


def stored_as(column: sqlalchemy.Column) -> sqlalchemy.types.TypeEngine:
    """Return SQLAlchemy's own type that a column has beneath ours."""
    return getattr(column.type, "impl_instance", column.type)


COLUMNS = [column for table in Base.metadata.sorted_tables for column in table.columns]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def database(request, tmp_path, migrated_sqlite) -> Iterator[Database]:
    with migrated_copy(request.param, migrated_sqlite, tmp_path) as made:
        yield made


def test_every_text_and_document_column_goes_through_the_one_edge():
    texts = [
        c
        for c in COLUMNS
        if isinstance(stored_as(c), sqlalchemy.String) and not isinstance(c.type, sqlalchemy.Enum)
    ]
    assert len(texts) > 30
    assert [str(column) for column in texts if not isinstance(column.type, String)] == []
    documents = [c for c in COLUMNS if isinstance(stored_as(c), sqlalchemy.JSON)]
    assert [str(column) for column in documents if not isinstance(column.type, Document)] == []
    assert [column.name for column in documents if column.table.name == "audit_entry"] == ["detail"]


def test_every_text_column_keeps_what_any_name_may_hold(database):
    """One table with every text and document column's type, so that no column's other rules stand before it."""
    kinds = {f"{c.table.name}_{c.name}": c.type for c in COLUMNS if isinstance(c.type, (String, Document))}
    assert len(kinds) < 200
    table = sqlalchemy.Table(
        "all_texts", sqlalchemy.MetaData(), *(sqlalchemy.Column(name, kind) for name, kind in kinds.items())
    )
    short = {name for name, kind in kinds.items() if (getattr(kind.impl, "length", None) or 99) < len(KEPT)}
    document = {"of \0": [NAUGHTY, {"in": NAUGHTY}], "n": 1}
    values = {
        name: document if isinstance(kind, Document) else "\0" if name in short else NAUGHTY
        for name, kind in kinds.items()
    }
    with database.engine.begin() as connection:
        table.create(connection)
        connection.execute(insert(table), [values])
        (row,) = connection.execute(select(table)).mappings()
    kept = {"of \ufffd": [KEPT, {"in": KEPT}], "n": 1}
    for name, kind in kinds.items():
        wanted = kept if isinstance(kind, Document) else "\ufffd" if name in short else KEPT
        assert row[name] == wanted, name


def test_what_is_looked_for_may_be_as_naughty_as_what_is_written(database):
    with database.write() as session:
        session.add(Patient(mrn="1", name=NAUGHTY))
        session.add(AuditEntry(id=1, action="x", detail={"name": NAUGHTY}, digest=""))
    with database.read() as session:
        assert session.scalars(select(Patient.name).where(Patient.name == NAUGHTY)).all() == [KEPT]
        assert session.scalars(select(Patient.id).where(Patient.mrn.in_(["1\0"]))).all() == []
        assert session.scalars(select(AuditEntry.detail)).one() == {"name": KEPT}


def test_what_can_be_stored_is_stored_as_it_is():
    assert storable_text("Zoë 山田 \U0001f600\n") == "Zoë 山田 \U0001f600\n"
    assert issubclass(Text, String)
