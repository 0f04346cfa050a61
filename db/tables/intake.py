"""What came in, and how each file ended."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.tables.columns import Base, String, Text, utc_now
from db.tables.kinds import Outcome, Settled


class ImportBatch(Base):
    """One call of the intake, from the command line, a page, the demo or another machine; `finished_at` is null while it runs.

    `sender` names the machine that sent it, by AE title and address, or the service by its token.
    """

    __tablename__ = "import_batch"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(16))
    sender: Mapped[str | None] = mapped_column(String(128))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    stated_mrn: Mapped[str | None] = mapped_column(String(64))
    stated_study_date: Mapped[date | None]
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]

    items: Mapped[list[ImportItem]] = relationship(back_populates="batch", order_by="ImportItem.id")


class ImportItem(Base):
    """How one file of a batch ended. A quarantined file's bytes are kept under `sha256` in the quarantine.

    `sop_uid` is the SOP Instance UID that the sender gave it; null where it did not come over the network.
    """

    __tablename__ = "import_item"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(String(1024))
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    sop_uid: Mapped[str | None] = mapped_column(String(64), index=True)
    outcome: Mapped[Outcome]
    reason: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str | None] = mapped_column(Text)
    image_id: Mapped[int | None] = mapped_column(ForeignKey("image.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (Index("ix_import_item_outcome", "outcome", "id"),)

    batch: Mapped[ImportBatch] = relationship(back_populates="items")


class SettledItem(Base):
    """What a person did with a quarantined file: sent it in again with what was missing, or set it aside with a reason.

    The file's bytes stay in the quarantine either way.
    """

    __tablename__ = "settled_item"

    item_id: Mapped[int] = mapped_column(ForeignKey("import_item.id", ondelete="CASCADE"), primary_key=True)
    how: Mapped[Settled]
    reason: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class WatchedFile(Base):
    """A file of a watched folder that was answered; it is asked again only when its size or time changes.

    `path_sha256` is of its whole path. `changed_ns` is its time of change in nanoseconds since 1970. Of an archive the
    outcome is that of its worst file.
    """

    __tablename__ = "watched_file"

    path_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    changed_ns: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[Outcome]
    answered_at: Mapped[datetime] = mapped_column(default=utc_now)


class RecordImport(Base):
    """One table of records that was taken in: of which kind, from which file, and what it made, to set it aside again.

    `made` holds the rows that were made, as ``{"event": [1, 2], …}`` by table and id.
    """

    __tablename__ = "record_import"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    file_name: Mapped[str] = mapped_column(String(256))
    sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    made: Mapped[dict[str, Any]] = mapped_column(default=dict)
    imported_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    imported_at: Mapped[datetime] = mapped_column(default=utc_now)
    set_aside_at: Mapped[datetime | None]
    set_aside_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class DeidentificationKey(Base):
    """The one secret by which women get their pseudonyms, their days and their UIDs (`core.deidentification`)."""

    __tablename__ = "deidentification_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(default=utc_now)
