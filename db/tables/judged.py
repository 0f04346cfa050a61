"""What people said of a record and put right in it, and what asks for a look."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.columns import Base, String, Text, utc_now


def _categories(column: str) -> CheckConstraint:
    """Let a column hold only BI-RADS assessments of any edition."""
    return CheckConstraint(
        f"{column} IS NULL OR {column} IN ('0','1','2','3','4A','4B','4C','4','5','6')", column
    )


class AssessmentVersion(Base):
    """What a reader recorded of a study, in one version. Rows are added, never edited: a correction is a new version.

    `bi_rads` is the category of highest concern; that of a breast is null where it was not examined, and in a version of
    before breasts were told apart. `comparison_uid` and `comparison_date` name the prior that the study was compared with;
    both null where there was none. `covered` says that no score of the study was shown when it was signed, `revealed_at`
    when one was to its readers; null where that is not known, or there was none. `score_id` is the score that stood beside it.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        UniqueConstraint("study_id", "version"),
        _categories("bi_rads"),
        _categories("bi_rads_right"),
        _categories("bi_rads_left"),
        CheckConstraint("density IS NULL OR density IN ('A','B','C','D')", "density"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    version: Mapped[int]
    bi_rads: Mapped[str | None] = mapped_column(String(2))
    bi_rads_right: Mapped[str | None] = mapped_column(String(2))
    bi_rads_left: Mapped[str | None] = mapped_column(String(2))
    edition: Mapped[str | None] = mapped_column(String(16))
    density: Mapped[str | None] = mapped_column(String(1))
    findings: Mapped[str | None] = mapped_column(Text)
    comparison_uid: Mapped[str | None] = mapped_column(String(64))
    comparison_date: Mapped[date | None]
    management: Mapped[str | None] = mapped_column(String(32))
    note: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    covered: Mapped[bool | None]
    revealed_at: Mapped[datetime | None]
    score_id: Mapped[int | None] = mapped_column(ForeignKey("score.id", ondelete="SET NULL"))
    signed_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    signed_at: Mapped[datetime | None]


class UnreadReveal(Base):
    """That somebody had the scores of a study shown before it was read, and why; the first one stays."""

    __tablename__ = "unread_reveal"

    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), primary_key=True)
    revealed_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    revealed_at: Mapped[datetime] = mapped_column(default=utc_now)
    reason: Mapped[str] = mapped_column(Text)


class Alert(Base):
    """Why a patient needs a look, raised by a score; acknowledged by a person with a note, never deleted."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("study_id", "rule"),
        Index("ix_alert_open", "acknowledged_at", "patient_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    score_id: Mapped[int] = mapped_column(ForeignKey("score.id", ondelete="CASCADE"))
    rule: Mapped[str] = mapped_column(String(32))
    message: Mapped[str] = mapped_column(String(256))
    raised_at: Mapped[datetime] = mapped_column(default=utc_now)
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    acknowledgement: Mapped[str | None] = mapped_column(Text)


class Correction(Base):
    """That something which went in wrong was put right, by whom, why, and whether that was undone since.

    `kind` is a `core.corrections.Kind`; `mrn` is the woman whose page it was made on, `other_mrn` the other one of a move or
    a merge. `says` is what was done, in a sentence; `changes` all that it changed, before and after, from which it is undone.
    """

    __tablename__ = "correction"
    __table_args__ = (Index("ix_correction_mrn", "mrn"), Index("ix_correction_other_mrn", "other_mrn"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    mrn: Mapped[str] = mapped_column(String(64))
    other_mrn: Mapped[str | None] = mapped_column(String(64))
    says: Mapped[str] = mapped_column(Text)
    changes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str] = mapped_column(Text)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(default=utc_now)
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    undone_at: Mapped[datetime | None]
    undo_reason: Mapped[str | None] = mapped_column(Text)


class NotTheSame(Base):
    """Two patients who look like one woman, and of whom a person said that they are two; the lower id comes first."""

    __tablename__ = "not_the_same"

    one_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
