"""Files as they arrive, as they look before anything is stored, and as they ended; and what a person says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from core.images import Header
from core.refusals import Refusal
from db.tables import (
    Outcome,
)


@dataclass(frozen=True)
class IncomingFile:
    """One file as it arrives. `refusal` is set where it could not even be opened; `said` is a manifest's row for it."""

    name: str
    data: bytes
    refusal: Refusal | None = None
    said: Statement | None = None


@dataclass(frozen=True)
class Statement:
    """What a person (or a manifest) says of files: whose, when, and which views, by file name."""

    mrn: str
    study_date: date
    name: str | None = None
    birth_date: date | None = None
    views: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    simulated: bool = False


@dataclass
class Examined:
    """What a file shows before anything is stored of it. `duplicate_of` names the stored image with the same bytes."""

    name: str
    sha256: str
    refusal: Refusal | None = None
    header: Header | None = None
    laterality: str | None = None
    view: str | None = None
    rows: int | None = None
    columns: int | None = None
    quality_flags: list[str] = field(default_factory=list)
    thumbnail_png: bytes | None = None
    duplicate_of: str | None = None
    contradictions: list[str] = field(default_factory=list)


@dataclass
class ItemReport:
    """How one file ended; `detail` says what was found in it, `text` also what to do."""

    path: str
    outcome: str
    reason: str | None = None
    detail: str | None = None
    patient: str | None = None
    study_uid: str | None = None
    study_date: str | None = None
    modality: str | None = None
    laterality: str | None = None
    view: str | None = None

    @property
    def text(self) -> str | None:
        """Return what was found, and for a refused file what to do."""
        return Refusal(self.reason, self.detail or "").text if self.reason else self.detail


@dataclass
class BatchReport:
    """How a batch ended."""

    items: list[ItemReport] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """Return how many files ended that way."""
        return sum(item.outcome == outcome for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``import --json``."""
        counts = {outcome.value: self.count(outcome) for outcome in Outcome}
        items = [{**asdict(item), "detail": item.text} for item in self.items]
        return {"items": items, **counts}
