"""Cohorts that came as a table, without images: kept as Parquet beside the database, opened as the tables of all women are."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import polars as pl

from core.cohorts.bcsc import TableRefused, Taken
from core.cohorts.frame import VISITS, WOMEN, Column, Frame, schema_of
from core.cohorts.happenings import MEANS
from core.cohorts.looks import AXIS_NAMES
from core.files import private_folder, sync_folder, write_whole
from core.installation import Installation
from core.people import Person, audit

__all__ = ["FORMAT", "TableCohort", "frame_of_table", "keep", "remove", "tables"]

FOLDER = "cohorts"
FORMAT = "longview-cohort-table/1"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_ABOUT, _WOMEN, _VISITS = "about.json", "women.parquet", "visits.parquet"


@dataclass(frozen=True)
class TableCohort:
    """A cohort that came as a table: its name, of how many women and screens, whose bytes, and what is to be known of it."""

    name: str
    women: int
    screens: int
    sha256: str
    kept_at: str
    notes: Sequence[str]

    @property
    def label(self) -> str:
        """Say what it is, where a person chooses one."""
        return f"{self.name} ({self.screens:,} screens, without images)"


def keep(here: Installation, person: Person | None, name: str, taken: Taken, sha256: str) -> TableCohort:
    """Keep a cohort under a name, in place of one that has it; whole or not at all, and the trail keeps that it came.

    `sha256` is that of the file that it was read from. Raises `TableRefused` for a name that cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise TableRefused(
            f"“{name[:40]}” cannot be the name of a cohort: small letters, digits and hyphens, at most 40."
        )
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    kept = TableCohort(name, len(taken.frame.women), taken.screens, sha256, now, list(taken.notes))
    parent = here.home / FOLDER
    private_folder(parent)
    half = Path(tempfile.mkdtemp(prefix=".", dir=parent))
    try:
        taken.frame.women.write_parquet(half / _WOMEN)
        taken.frame.visits.write_parquet(half / _VISITS)
        write_whole(
            half / _ABOUT,
            json.dumps({"format": FORMAT, **kept.__dict__}, indent=1, ensure_ascii=False) + "\n",
        )
        for file in (_WOMEN, _VISITS):
            (half / file).chmod(0o600)
        audit.note(
            here, person, "cohort_table_kept", f"cohort:{name}", {"screens": kept.screens, "sha256": sha256}
        )
        shutil.rmtree(parent / name, ignore_errors=True)
        half.rename(parent / name)
        sync_folder(parent)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return kept


def remove(here: Installation, person: Person | None, name: str) -> None:
    """Take a table's cohort away, and keep that in the trail; raises `TableRefused` where there is none of this name."""
    if name not in {one.name for one in tables(here)}:
        raise TableRefused(_none(here, name))
    audit.note(here, person, "cohort_table_removed", f"cohort:{name}")
    shutil.rmtree(here.home / FOLDER / name)


def tables(here: Installation) -> list[TableCohort]:
    """Return the cohorts that came as tables, by name; those of another release's format are left out."""
    found = []
    for about in sorted((here.home / FOLDER).glob(f"*/{_ABOUT}")):
        said = json.loads(about.read_text(encoding="utf-8"))
        if said.pop("format", "") == FORMAT and _NAME.fullmatch(about.parent.name):
            found.append(TableCohort(**said))
    return found


def frame_of_table(here: Installation, name: str) -> Frame:
    """Return the two tables of a cohort; raises `TableRefused` where there is none of this name, or it cannot be read."""
    known = {one.name: one for one in tables(here)}
    if name not in known:
        raise TableRefused(_none(here, name))
    return _frame(here.home / FOLDER / name, known[name].kept_at)


@lru_cache(maxsize=4)
def _frame(folder: Path, kept_at: str) -> Frame:
    try:
        women, visits = (pl.read_parquet(folder / file) for file in (_WOMEN, _VISITS))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TableRefused(f"The cohort {folder.name} cannot be read. Import it again. ({error})") from error
    women, visits = _with(women, WOMEN, MEANS), _with(visits, VISITS, AXIS_NAMES)
    for table, columns in ((women, WOMEN), (visits, VISITS)):
        wrong = [name for name, kind in schema_of(columns).items() if table.schema.get(name) != kind]
        if wrong:
            raise TableRefused(
                f"The cohort {folder.name} was kept by another release ({', '.join(wrong)}). Import it again."
            )
    return Frame(women, visits, f"{folder.name} {kept_at}", datetime.fromisoformat(kept_at))


def _with(table: pl.DataFrame, columns: Mapping[str, Column], later: Iterable[str]) -> pl.DataFrame:
    """Return a table with the columns that releases before did not keep: what they hold is not known."""
    return table.with_columns(
        pl.lit(None, columns[name].kind).alias(name) for name in later if name not in table.columns
    )


def _none(here: Installation, name: str) -> str:
    names: Mapping[str, object] = {one.name: one for one in tables(here)}
    return f"There is no cohort {name[:40]} that came as a table. There are: {', '.join(names) or 'none'}."
