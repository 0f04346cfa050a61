"""What became of every file of a batch, in words and as a table to take away."""

from __future__ import annotations

import pandas as pd

from core.bulk.batch import Batch
from core.bulk.looked import Looked
from core.incoming import ItemReport
from core.records import csv

_WORDS = {"accepted": "added", "duplicate": "already here", "quarantined": "not taken, in quarantine"}
COLUMNS = ("file", "result", "reason", "detail", "patient", "study_date", "modality", "side", "view", "flags")


def words_of(outcome: str) -> str:
    """Return how a file ended, in words."""
    return _WORDS[outcome]


def summary_csv(batch: Batch) -> bytes:
    """Return every file of a batch with what became of it, those too that wait; no cell is run by a spreadsheet."""
    reports = batch.told()
    looked = batch.looked()
    rows = [_row(one, reports.get(one.key)) for one in looked]
    # Of those that were answered before the server was started anew only what became of them is known.
    seen = {one.key for one in looked}
    rows += [_answered(report) for key, report in reports.items() if key not in seen]
    return csv.csv_of(pd.DataFrame(rows, columns=list(COLUMNS), dtype=object))


def _row(looked: Looked, report: ItemReport | None) -> tuple[str, ...]:
    if report is None:
        refusal = looked.refusal
        side, view = looked.view
        return (
            looked.name,
            "waits, not added",
            refusal.reason if refusal else "",
            refusal.text if refusal else "",
            looked.mrn or "",
            looked.on.isoformat() if looked.on else "",
            looked.header.modality or "",
            side or "",
            view or "",
            ", ".join(map(str, looked.examined.quality_flags)),
        )
    return _answered(report)


def _answered(report: ItemReport) -> tuple[str, ...]:
    return (
        report.path,
        words_of(report.outcome),
        report.reason or "",
        report.text or "",
        report.patient or "",
        report.study_date or "",
        report.modality or "",
        report.laterality or "",
        report.view or "",
        ", ".join(report.flags),
    )
