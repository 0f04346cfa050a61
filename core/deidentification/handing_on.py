"""Files de-identified into a folder: what `python -m core deidentify` does, file by file, with its entries in the trail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.deidentification.deidentifier import Deidentified, Deidentifier
from core.deidentification.identity import Identity
from core.deidentification.options import Options, known
from core.files import private_folder, write_whole
from core.installation import Installation
from core.people import Person, audit
from core.people.needing import SYSTEM_ONLY, needs
from core.refusals import Refusal

__all__ = ["Given", "HandedOn", "hand_on", "write_mapping", "write_report"]

NOBODYS = "pictures"
"""The folder of pictures of which nobody said whose they are."""


@dataclass(frozen=True)
class Given:
    """A file to de-identify. `mrn` says whose it is where a person or a manifest does; `view` its side and view so."""

    name: str
    data: bytes
    refusal: Refusal | None = None
    mrn: str | None = None
    view: tuple[str, str] | None = None


@dataclass(frozen=True)
class HandedOn:
    """How one file ended: `file` is where it lies below the folder, None if it was refused. `name` and `mrn` are the old ones."""

    name: str
    file: str | None = None
    mrn: str = ""
    patient: str = ""
    shift_days: int | None = None
    refusal: Refusal | None = None
    removed: tuple[tuple[str, str], ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return it without a word of the old file, for the report that goes with the new ones."""
        return {
            "file": self.file,
            "outcome": "done" if self.refusal is None else "refused",
            "reason": self.refusal.reason if self.refusal else None,
            "patient": self.patient or None,
            "removed": [{"attribute": what, "action": how} for what, how in self.removed],
        }


@needs(SYSTEM_ONLY)
def hand_on(
    here: Installation,
    files: Iterable[Given],
    out: Path,
    options: Options,
    *,
    whose_wish: Person | None = None,
) -> Iterator[HandedOn]:
    """De-identify files into a folder, one at a time, in their order; the trail keeps that it was begun and how it ended.

    `whose_wish` is who asked for it on a page; the command line names nobody. A file's name below `out` is her pseudonym and a hash of the new bytes: the same file comes to the same place. Raises
    `OSError` where the folder cannot be written.
    """
    about = {"options": options.to_json(), "from": "page" if whose_wish else "command line"}
    audit.note(here, whose_wish, "deidentify_begun", None, about)
    done = refused = 0
    try:
        private_folder(out)
        with Deidentifier(here, options) as deidentifier:
            for given in files:
                ended = _one(deidentifier, given, out)
                done, refused = done + (ended.refusal is None), refused + (ended.refusal is not None)
                yield ended
    finally:
        audit.note(here, whose_wish, "deidentified", None, about | {"done": done, "refused": refused})


def _one(deidentifier: Deidentifier, given: Given, out: Path) -> HandedOn:
    try:
        if given.refusal is not None:
            raise given.refusal
        clean = deidentifier.clean(given.data, given.mrn)
    except Refusal as refusal:
        return HandedOn(given.name, refusal=refusal)
    place = _place(clean, given.view)
    private_folder(out / place.parent)
    if not (out / place).exists():
        write_whole(out / place, clean.data)
    days = Identity.of(deidentifier.key, clean.patient).shift_days if clean.patient else None
    return HandedOn(given.name, place.as_posix(), clean.mrn, clean.patient, days, removed=clean.removed)


def _place(clean: Deidentified, view: tuple[str, str] | None) -> Path:
    """Return where a file goes: one that was named after its side and view still is, in a folder of its own."""
    mark = hashlib.sha256(clean.data).hexdigest()[:16]
    folder = Path(clean.patient or NOBODYS)
    return folder / mark / f"{'-'.join(view)}{clean.suffix}" if view else folder / f"{mark}{clean.suffix}"


def write_report(path: Path, ended: Iterable[HandedOn], options: Options) -> None:
    """Write what was removed from each file, by attribute, without a value or an old name."""
    document = {
        "profile": known().edition,
        "method": [{"code": code, "meaning": meaning} for code, meaning in options.codes],
        "files": [one.to_json() for one in ended],
    }
    write_whole(path, json.dumps(document, indent=1) + "\n")


def write_mapping(path: Path, ended: Iterable[HandedOn]) -> None:
    """Write who is who, as JSON: the way back to every woman, for the account that runs this alone (mode 0600)."""
    rows = [
        {
            "path": one.name,
            "patient": one.mrn,
            "pseudonym": one.patient,
            "shift_days": one.shift_days,
            "file": one.file,
        }
        for one in ended
        if one.file
    ]
    write_whole(path, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
