"""What is kept ready for speed, and what of it is stale."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.columns import Base, String, Text


class Standing(Base):
    """Where a woman stands, as the worklist finds, groups and orders her: kept ready, computed from the other tables alone.

    It holds nothing that changes with the day: what is due is kept with the days from and until which it is
    (`due_on` holds from `due_from` to `due_until`, overdue is `overdue_from` to `due_until`; null is without an end).
    `basis` names the release, rules, model and options it was computed by; a row by another basis is computed anew. `born`
    is the birth date as a number, yyyymmdd. `change` is 0 where it is no more than positioning makes.
    """

    __tablename__ = "standing"
    __table_args__ = (Index("ix_standing_basis", "basis"),)

    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), primary_key=True)
    basis: Mapped[str] = mapped_column(String(16))
    mrn: Mapped[str] = mapped_column(String(64))
    label: Mapped[str]
    search: Mapped[str]
    born: Mapped[int | None]
    last_study: Mapped[date | None]
    refused: Mapped[bool]
    pending: Mapped[bool]
    risk: Mapped[float | None]
    band: Mapped[str | None] = mapped_column(String(32))
    change: Mapped[float | None]
    slope: Mapped[float | None]
    density: Mapped[str | None] = mapped_column(String(3))
    assessed_on: Mapped[date | None]
    alert_at: Mapped[datetime | None]
    urgency: Mapped[float | None]
    unread: Mapped[bool]
    changed: Mapped[bool]
    not_scored: Mapped[bool]
    under_treatment: Mapped[bool]
    diagnosed: Mapped[bool]
    open_of: Mapped[date | None]
    open_due: Mapped[date | None]
    due_on: Mapped[date | None]
    due_from: Mapped[date | None]
    due_until: Mapped[date | None]
    overdue_from: Mapped[date | None]
    written_in: Mapped[int] = mapped_column(BigInteger, server_default="0", index=True)
    """The number of the transaction that wrote it (`KeptChange`): who has read up to one asks for those after it."""


class StaleStanding(Base):
    """A woman of whom something was written since her standing was computed; triggers add her (`db.stale`)."""

    __tablename__ = "stale_standing"

    patient_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class CohortRow(Base):
    """A woman's rows in the analyst's tables, as bytes (`core.cohorts.packed`): kept ready, computed from the other tables alone.

    `written_in` is the number of the transaction that wrote them (`KeptChange`): who has read up to one asks for those after it.
    `basis` names what they were computed by; rows by another basis are computed anew. A woman without a mammogram has none.
    """

    __tablename__ = "cohort_row"
    __table_args__ = (Index("ix_cohort_row_basis", "basis"), Index("ix_cohort_row_written_in", "written_in"))

    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), primary_key=True)
    basis: Mapped[str] = mapped_column(String(16))
    written_in: Mapped[int] = mapped_column(BigInteger)
    woman: Mapped[bytes] = mapped_column(LargeBinary)
    visits: Mapped[bytes] = mapped_column(LargeBinary)


class CohortWord(Base):
    """A word that `CohortRow` keeps by its number: a vendor, a model, a reason."""

    __tablename__ = "cohort_word"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    word: Mapped[str] = mapped_column(Text, unique=True)


class KeptChange(Base):
    """The number of the last transaction that has written to a table of what is kept ready; it never goes back."""

    __tablename__ = "kept_change"

    kept_in: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


class StaleCohortRow(Base):
    """A woman of whom something was written since her rows of the cohort were computed; triggers add her (`db.stale`)."""

    __tablename__ = "stale_cohort_row"

    patient_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
