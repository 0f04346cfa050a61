"""Files as they arrive, as they look before anything is stored, and as they ended; and what a person says of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from core.images import Header
from core.outages import MachineFailed
from core.refusals import Refusal
from db.tables import (
    Outcome,
)


def printable_name(name: str) -> str:
    r"""Return a file's name as it can be shown, stored and written as UTF-8, the same for the same name.

    A byte that is no character (``\xff``), a control, a mark that turns the direction of writing and whatever else
    nobody sees stand there by their numbers.

    >>> printable_name("scan\udcff\u202e.dcm")
    'scan\\xff\\u202e.dcm'
    """
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _number(c) for c in name)


def _number(character: str) -> str:
    # Bytes of a name that are no characters come from the disk as U+DC80 to U+DCFF (PEP 383).
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@dataclass(frozen=True)
class IncomingFile:
    """One file as it arrives. `refusal` is set where it could not even be opened; `said` is a manifest's row for it.

    `sop_uid` is the SOP Instance UID that a sender gave it on the network; by it the sender can ask what became of it.
    `called` is the name that the person knows it by, where it is stored under another (`core.incoming.on_the_way_in`).
    """

    name: str
    data: bytes
    refusal: Refusal | None = None
    said: Statement | None = None
    sop_uid: str | None = None
    called: str | None = None


@dataclass(frozen=True)
class Statement:
    """What a person (or a manifest) says of files: whose, when, and which views, by file name.

    `a_mammogram` says that they are mammograms where the recognition doubts it.
    `modality` is US or MR where all files are such images of her breast, whatever view is said of each; None where that is
    not said. The view of one such image is US or MR too.
    """

    mrn: str
    study_date: date
    name: str | None = None
    birth_date: date | None = None
    views: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    simulated: bool = False
    a_mammogram: bool = False
    modality: str | None = None


@dataclass(frozen=True)
class StoredAs:
    """Where an image with the same bytes is stored: whose, of when and of what."""

    mrn: str
    study_date: date
    laterality: str
    view: str


@dataclass
class Examined:
    """What a file shows before anything is stored of it. `duplicate_of` is the stored image with the same bytes."""

    name: str
    sha256: str
    refusal: Refusal | None = None
    header: Header | None = None
    laterality: str | None = None
    view: str | None = None
    rows: int | None = None
    columns: int | None = None
    quality_flags: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    spacing_mm: float | None = None
    looks_like: str | None = None
    thumbnail_png: bytes | None = None
    duplicate_of: StoredAs | None = None
    contradictions: list[str] = field(default_factory=list)


@dataclass
class ItemReport:
    """How one file ended; `detail` says what was found in it, `text` also what to do, `flags` what is remarked of it."""

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
    flags: list[str] = field(default_factory=list)

    @property
    def text(self) -> str | None:
        """Return what was found, and for a refused file what to do."""
        return Refusal(self.reason, self.detail or "").text if self.reason else self.detail


@dataclass
class BatchReport:
    """How a batch ended: its files in their order, and what the machine lacked where it could not go on.

    With `cut_short` only the files in `items` are answered, and they are durable; the others can be taken in again.
    """

    items: list[ItemReport] = field(default_factory=list)
    cut_short: str | None = None

    def count(self, outcome: str) -> int:
        """Return how many files ended that way."""
        return sum(item.outcome == outcome for item in self.items)

    def check_whole(self) -> None:
        """Raise `core.outages.MachineFailed` if the machine failed before all files were answered."""
        if self.cut_short is not None:
            raise MachineFailed(self.cut_short)

    def counts(self) -> dict[str, int]:
        """Return how many files ended in which way."""
        return {outcome.value: self.count(outcome) for outcome in Outcome}

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``import --json``."""
        items = [{**asdict(item), "detail": item.text} for item in self.items]
        return {"items": items, **self.counts(), "cut_short": self.cut_short}
