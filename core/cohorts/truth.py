"""What only a simulator knows of its women: from which day on a cancer could have been seen.

No clinic has a place for it, so it lies in a file of its own beside the database, by MRN; of real women nothing is ever read from
it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from sqlalchemy import select

from core.files import write_whole
from core.installation import Installation
from core.people.needing import SYSTEM_ONLY, needs
from core.people.roles import Permission
from core.sets import TruthError, read_visible_from, truth_beside
from db.tables import Patient

__all__ = ["FILE", "VISIBLE_MM", "keep_truth", "keep_truth_beside", "visible_from"]

FILE = "simulated_truth.csv"
VISIBLE_MM = 6.6
"""Screening sees half of the cancers of this size: 26 % at 5 mm, 91 % at 10 mm (Weedon-Fekjær 2008), on a logistic curve."""
MANIFEST = "manifest.csv"
_COLUMNS = ("mrn", "visible_from")


@needs(SYSTEM_ONLY)
def keep_truth(here: Installation, known: Mapping[str, date]) -> None:
    """Keep from which day on the cancer of each simulated woman could have been seen, by MRN, beside what is kept already."""
    kept = {**_read(here), **known}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerows((mrn, day.isoformat()) for mrn, day in sorted(kept.items()))
    write_whole(here.home / FILE, text.getvalue())


@needs(SYSTEM_ONLY)
def keep_truth_beside(here: Installation, paths: Iterable[Path]) -> list[str]:
    """Keep what the truth tables beside the manifests of imported folders say of simulated women who are stored here.

    Returns sentences for the person: of how many women it is kept, or why it is not.
    """
    notices = []
    for path in paths:
        beside = truth_beside(path / MANIFEST) if (path / MANIFEST).is_file() else None
        if beside is None:
            continue
        try:
            said = read_visible_from(beside)
        except TruthError as error:
            notices.append(str(error))
            continue
        with here.database.read() as session:
            simulated = set(session.scalars(select(Patient.mrn).where(Patient.simulated)))
        known = {mrn: day for mrn, day in said.items() if mrn in simulated}
        if known:
            keep_truth(here, known)
            notices.append(
                f"Of {len(known)} simulated women it is kept from when their cancer could be seen ({beside})."
            )
    return notices


@needs(Permission.SEE_COHORT)
def visible_from(here: Installation) -> dict[int, date]:
    """Return the days that are known, by the ids of simulated patients."""
    known = _read(here)
    if not known:
        return {}
    with here.database.read() as session:
        simulated = session.execute(select(Patient.id, Patient.mrn).where(Patient.simulated)).all()
    return {patient_id: known[mrn] for patient_id, mrn in simulated if mrn in known}


def _read(here: Installation) -> dict[str, date]:
    """Return the file's rows; what is damaged in it is not known."""
    try:
        text = (here.home / FILE).read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return {}
    known = {}
    for row in csv.DictReader(io.StringIO(text)):
        try:
            known[row["mrn"]] = date.fromisoformat(row["visible_from"])
        except (KeyError, TypeError, ValueError):
            continue
    return known
