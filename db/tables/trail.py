"""Who did what about whom, chained."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.columns import Base, String, utc_now


class AuditEntry(Base):
    """Who did what to what, when, from where, and how it ended. Rows are added, never edited.

    `digest` chains each row to the one before it, by id (`db.chain`); `name` is who a program or a failed sign-in
    said to be, where no account stands for it.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_at", "at"),
        Index("ix_audit_entry_subject", "subject", "action", "at"),
        Index("ix_audit_entry_user", "user_id", "id"),
        Index("ix_audit_entry_action", "action", "id"),
        Index("ix_audit_entry_outcome", "outcome", "id"),
        Index("ix_audit_entry_user_action", "user_id", "action", "id"),
        Index("ix_audit_entry_user_outcome", "user_id", "outcome", "id"),
        Index("ix_audit_entry_name", "name", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str | None] = mapped_column(String(128))
    address: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16), default="done")
    subject: Mapped[str | None] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    digest: Mapped[str] = mapped_column(String(64))


class AuditedPatient(Base):
    """A woman whom an entry of the audit trail is about: hers are found without reading the trail."""

    __tablename__ = "audited_patient"
    __table_args__ = (Index("ix_audited_patient_patient", "patient_id", "entry_id"),)

    entry_id: Mapped[int] = mapped_column(ForeignKey("audit_entry.id"), primary_key=True)
    patient_id: Mapped[int] = mapped_column(primary_key=True)
    """No foreign key: what was done about a woman stays when her row goes."""


class AuditHead(Base):
    """The last entry of the audit trail, kept apart from it: an end that was cut off is seen."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
