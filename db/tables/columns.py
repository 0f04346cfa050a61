"""What all tables stand on: types of columns, and the base with its names for constraints."""

from __future__ import annotations

import enum
import re
import secrets
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from sqlalchemy import (
    DateTime,
    Dialect,
    Enum,
    MetaData,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped

from db.tables.kinds import (
    EventKind,
    EventResult,
    ImageSide,
    Laterality,
    LesionStatus,
    Outcome,
    Role,
    Settled,
    Sex,
    StudyStatus,
)


def utc_now() -> datetime:
    """Return the present moment, timezone-aware, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware moment, stored as naive UTC (SQLite keeps no zone)."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to naive UTC; a naive value is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment needs a time zone.")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back a timezone-aware moment."""
        return None if value is None else value.replace(tzinfo=UTC)


# NUL ends a text in PostgreSQL, which refuses it; a half of a surrogate pair has no UTF-8 and stops every writer.
_NOT_KEPT = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """Return a text with U+FFFD in the place of every character that no database keeps: NUL, half a surrogate pair."""
    return _NOT_KEPT.sub("\ufffd", text)


def storable(value: Any) -> Any:
    """Return a JSON document whose keys and texts can all be stored."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(inner) for inner in value]
    return value


class String(TypeDecorator[str]):
    """A text of bounded length; whatever is written or looked for goes through `storable_text`."""

    impl = sqlalchemy.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what no database keeps."""
        return None if value is None else storable_text(value)


class Text(String):
    """A text of any length; whatever is written or looked for goes through `storable_text`."""

    impl = sqlalchemy.Text
    cache_ok = True


class Document(TypeDecorator[Any]):
    """A JSON document; its texts go through `storable_text`."""

    impl = sqlalchemy.JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Replace what no database keeps, however deep it lies."""
        return storable(value)


def _enum(kind: type[enum.StrEnum]) -> Enum:
    """Store an enum by its value, checked by the database."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
        name=kind.__name__.lower(),
        length=16,
    )


class Base(DeclarativeBase):
    """Base of all tables; constraints get stable names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        datetime: UtcDateTime(),
        str: Text(),
        dict[str, Any]: Document(),
        list[Any]: Document(),
        Sex: _enum(Sex),
        Laterality: _enum(Laterality),
        ImageSide: _enum(ImageSide),
        StudyStatus: _enum(StudyStatus),
        Outcome: _enum(Outcome),
        Settled: _enum(Settled),
        Role: _enum(Role),
        EventKind: _enum(EventKind),
        EventResult: _enum(EventResult),
        LesionStatus: _enum(LesionStatus),
    }


class PutAway:
    """What a correction may put away. It stays, and only who asks for it finds it (`db.sessions.WITH_PUT_AWAY`).

    `put_away_by_id` is the correction's (no foreign key: corrections are never deleted); null is what counts.
    """

    put_away_by_id: Mapped[int | None]


def new_key() -> str:
    """Return a key that nobody can guess, and that says nothing of what it stands for."""
    return secrets.token_urlsafe(12)
