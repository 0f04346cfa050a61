"""``python -m dashboard.cohort.report``: a job as JSON on stdin, the cohort page's parts as a report in a folder.

What the parts show is recorded (`dashboard.cohort.recorded`), not drawn; nothing is served and nobody has to sign in.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from core import cohorts
from core.cohorts import Definition, Frame, Selection
from core.cohorts.away.made import made_of
from core.cohorts.away.page import Section
from core.cohorts.away.report import Reported, write_report
from core.cohorts.bcsc import TableRefused
from core.cohorts.stored import frame_of_table
from core.installation import Installation
from core.people import asking
from dashboard.cohort import recorded
from dashboard.cohort.page import parts_of
from dashboard.house import here

__all__ = ["made", "walk"]

NOT_FIGURES = frozenset({"compare", "take_away"})
"""Parts of the page that show no figures of the one selection."""


def walk(selection: Selection, on: date) -> Iterator[tuple[str, recorded.Record]]:
    """Yield what each part of the page shows of a selection as of a day, under its name."""
    for title, module in parts_of(selection.frame).items():
        if module not in NOT_FIGURES:
            with recorded.recording(on) as record:
                importlib.import_module(f"dashboard.cohort.{module}").show(selection)
            yield title, record


def made(place: Installation, job: Mapping[str, Any]) -> Reported:
    """Write the report that a job asks for."""
    definition = Definition.from_json(job["definition"])
    on = date.fromisoformat(job["on"])
    # What depends on today is as of the report's day.
    frame = replace(_frame(place, job["table"]), read_at=datetime.combine(on, time.min, UTC))
    selection = cohorts.select(frame, definition)
    if selection.withheld:
        sections = [Section("", notes=[selection.withheld])]
    else:
        sections = [
            Section(title, [taken.told for taken in record.figures], record.notes)
            for title, record in walk(selection, on)
        ]
    about = made_of(place, definition, selection.sentence, on, job["table"])
    return write_report(Path(job["out"]), "Cohort report", about, sections, selection.withheld)


def _frame(place: Installation, table: str) -> Frame:
    return frame_of_table(place, table) if table else cohorts.frame_of(place)


def _main() -> dict[str, Any]:
    try:
        reported = made(here(), json.load(sys.stdin))
    except (TableRefused, OSError) as error:
        return {"error": str(error)}
    return {**reported.__dict__, "path": str(reported.path)}


if __name__ == "__main__":
    # Who asks for a report was asked when it was begun (`core.cohorts.away`).
    asking.system_asks_in_this_process()
    json.dump(_main(), sys.stdout)
