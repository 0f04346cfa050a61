"""A report of a cohort that a command makes again: every part of the page with its figures and numbers, in one folder.

The figures are drawn as the page draws them, by a process that knows the pages: this one does not. The same definition,
data, release and day give the same bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from core.cohorts.away import tables
from core.cohorts.away.page import Made, Section, render
from core.cohorts.definition import Definition
from core.files import private_folder, write_whole

__all__ = ["REPORT", "CannotReport", "Reported", "day_of", "make_report", "write_report"]

REPORT, DEFINITION, ABOUT = "report.html", "definition.json", "report.json"
_PROJECT = Path(__file__).resolve().parents[3]


class CannotReport(ValueError):
    """No report was made; the message says why and what to do."""


@dataclass(frozen=True)
class Reported:
    """What was written: its files below the folder, and the sentence that stands in it where nothing may be told."""

    path: Path
    files: Sequence[str]
    figures: int
    made: Mapping[str, str]
    withheld: str

    def to_json(self) -> dict[str, Any]:
        """Return the summary for machines."""
        return {
            "path": str(self.path),
            "files": list(self.files),
            "figures": self.figures,
            "withheld": self.withheld or None,
            **self.made,
        }


def day_of(said: str | None, surroundings: Mapping[str, str] = os.environ) -> date:
    """Return the day that a report is of: the one that is said, else that of ``SOURCE_DATE_EPOCH``, else today.

    Raises `CannotReport` where either is no day.
    """
    epoch = surroundings.get("SOURCE_DATE_EPOCH")
    try:
        if said is not None:
            return date.fromisoformat(said)
        return datetime.fromtimestamp(int(epoch), UTC).date() if epoch else date.today()
    except (ValueError, OverflowError, OSError) as error:
        what = f"--date is “{said}”" if said is not None else f"SOURCE_DATE_EPOCH is “{epoch}”"
        raise CannotReport(f"{what}, which is no day. Write 2026-05-31, or seconds since 1970.") from error


def make_report(
    definition: Definition, out: Path, on: date, table: str = "", *, home: Path | None = None
) -> Reported:
    """Let the process that knows the pages write a report of an installation: the one that the settings name, unless `home` does.

    Raises `CannotReport` where `out` is there already or cannot be written, or the figures could not be drawn.
    """
    if out.exists():
        raise CannotReport(f"{out} is there already. Choose another name.")
    job = {
        "definition": definition.to_json(),
        "out": str(out.absolute()),
        "on": on.isoformat(),
        "table": table,
    }
    drawn = subprocess.run(
        [sys.executable, "-m", "dashboard.cohort.report"],
        cwd=_PROJECT,
        env=_surroundings(home),
        input=json.dumps(job),
        # The pages' library says at every call that no page runs: of use only where something goes wrong.
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        said = json.loads(drawn.stdout)
    except ValueError:
        sys.stderr.write(drawn.stderr)
        said = {"error": "The figures could not be drawn; what went wrong stands above."}
    if "error" in said:
        raise CannotReport(said["error"])
    return Reported(out, said["files"], said["figures"], said["made"], said["withheld"])


def _surroundings(home: Path | None) -> dict[str, str]:
    """Return the surroundings of a process that runs in another folder and serves no page."""
    from core.settings import Settings

    return {**os.environ, "LONGVIEW_HOME": str(home or Settings().root)}


def write_report(
    out: Path, title: str, made: Made, sections: Sequence[Section], withheld: str = ""
) -> Reported:
    """Write the report's files into a folder that is made for it; raises `OSError` where it cannot be."""
    private_folder(out)
    private_folder(out / "tables")
    written = []

    def write(name: str, data: bytes) -> None:
        write_whole(out / name, data)
        written.append(name)

    write(REPORT, render(title, made, sections))
    write(DEFINITION, (made.query + "\n").encode())
    figures = [told for section in sections for told in section.figures]
    for told in figures:
        write(f"tables/{told.name}.csv", tables.csv_of(told.table, note=told.caption))
        write(f"tables/{told.name}.parquet", tables.parquet_of(told.table, note=told.caption))
    reported = Reported(out, written, len(figures), dict(made.to_json()), withheld)
    about = {key: value for key, value in reported.to_json().items() if key != "path"}
    write(ABOUT, (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode())
    return Reported(out, written, len(figures), reported.made, withheld)
