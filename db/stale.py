"""Triggers that mark what is kept ready of a woman as stale, in the transaction that changes what it is computed from.

Whoever writes, by whichever way, cannot forget it: what is kept ready is never a second truth. The triggers are set at each
start and after each migration, since a migration that rebuilds a table of SQLite loses those on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

__all__ = ["are_lacking", "drop_triggers", "set_triggers", "trigger_names"]


@dataclass(frozen=True)
class _Watched:
    """A table that something is computed from: whose a row is, which columns count (all where there are none), and for what."""

    table: str
    whose: str
    """SQL for her id; ``ROW`` stands for the row."""
    columns: tuple[str, ...] = ()
    marks: tuple[str, ...] = ("stale_standing", "stale_cohort_row")
    """The tables of those of whom something is stale."""


_OF_THE_COHORT_ALONE = ("stale_cohort_row",)
_OF_STUDY = "(SELECT patient_id FROM study WHERE id = ROW.study_id)"
_WATCHED = (
    _Watched("patient", "ROW.id", ("mrn", "name", "birth_date", "simulated", "put_away_by_id")),
    _Watched(
        "study",
        "ROW.patient_id",
        # A lease, an attempt and the like are the queue's affair, and change at every turn of it.
        (
            "patient_id", "study_date", "modality", "status", "refusal_reason", "refusal_detail",
            "bi_rads", "reader_density", "assessed_at", "put_away_by_id",
        ),
    ),
    _Watched("score", _OF_STUDY),
    _Watched("assessment", _OF_STUDY),
    _Watched("unread_reveal", _OF_STUDY),
    _Watched("alert", "ROW.patient_id"),
    _Watched("event", "ROW.patient_id"),
    _Watched("risk_factors", "ROW.patient_id", marks=_OF_THE_COHORT_ALONE),
    _Watched(
        "image",
        _OF_STUDY,
        ("study_id", "laterality", "view", "manufacturer", "measured", "stated", "put_away_by_id"),
        marks=_OF_THE_COHORT_ALONE,
    ),
)  # fmt: skip
_WHEN = {"insert": ("NEW",), "update": ("OLD", "NEW"), "delete": ("OLD",)}


def trigger_names() -> list[str]:
    """Return the names of the triggers."""
    return [name for name, *_ in _triggers()]


def are_lacking(connection: Connection) -> bool:
    """Say whether a trigger is missing."""
    there = _there(connection)
    return any(name not in there for name, *_ in _triggers())


def set_triggers(connection: Connection) -> None:
    """Set the triggers that are missing; safe to repeat. The tables that they write to have to be there."""
    sqlite, there = connection.dialect.name == "sqlite", _there(connection)
    for name, watched, when, body in _triggers():
        if name not in there:
            for statement in (
                _sqlite(name, watched, when, body) if sqlite else _postgres(name, watched, when, body)
            ):
                connection.exec_driver_sql(statement)


def drop_triggers(connection: Connection) -> None:
    """Take the triggers away."""
    sqlite = connection.dialect.name == "sqlite"
    for name, watched, _, _ in _triggers():
        on = "" if sqlite else f" ON {watched.table}"
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}{on}")
        if not sqlite:
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name}()")


_NAMES_SQLITE = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
_NAMES_POSTGRES = (
    "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
    " JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = current_schema()"
)


def _there(connection: Connection) -> frozenset[str]:
    names = _NAMES_SQLITE if connection.dialect.name == "sqlite" else _NAMES_POSTGRES
    return frozenset(connection.scalars(text(names)))


def _triggers() -> Iterator[tuple[str, _Watched, str, str]]:
    for watched in _WATCHED:
        for when, rows in _WHEN.items():
            body = " ".join(
                _mark(table, watched.whose.replace("ROW", row)) for row in rows for table in watched.marks
            )
            yield f"stale_after_{watched.table}_{when}", watched, when, body


def _mark(table: str, whose: str) -> str:
    # Where the woman is gone already, as where her study is deleted with her, there is nobody to mark.
    return (
        f"INSERT INTO {table} (patient_id) SELECT patient.id FROM patient"  # noqa: S608 - all of it is ours
        f" WHERE patient.id = {whose}"
        " ON CONFLICT DO NOTHING;"
    )


def _sqlite(name: str, watched: _Watched, when: str, body: str) -> list[str]:
    return [f"CREATE TRIGGER {name} AFTER {_event(watched, when)} ON {watched.table} BEGIN {body} END"]


def _postgres(name: str, watched: _Watched, when: str, body: str) -> list[str]:
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} RETURN NULL; END $$",
        f"CREATE TRIGGER {name} AFTER {_event(watched, when)} ON {watched.table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]


def _event(watched: _Watched, when: str) -> str:
    return f"UPDATE OF {', '.join(watched.columns)}" if when == "update" and watched.columns else when.upper()
