"""From the rows of a public data set to a manifest on disk: checked, written in one step, and summed up."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.outages import outage
from core.rules.vocabulary import DENSITIES, FINDINGS, VIEWS
from core.sets import OPTIONAL, REQUIRED, read_manifest
from seed_data.adapters.public_set import Account, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.sets import SETS

__all__ = ["Adapted", "CannotAdapt", "adapt"]

MANIFEST, SUMMARY, LEFT_OUT = "manifest.csv", "adapt.json", "left_out.csv"
_COLUMNS = (
    *REQUIRED,
    *(
        name
        for name in OPTIONAL
        if name not in ("birth_date", "lesion_mm", "progression", "simulated", "background", "lesion_of")
    ),
)
_WORSE = ("", *FINDINGS)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class CannotAdapt(ValueError):
    """The data set cannot be adapted as asked; the message says why and what to do."""


@dataclass
class Adapted:
    """What was written: counts of what the manifest holds, and the account of what it does not."""

    public_set: PublicSet
    manifest: Path
    account: Account
    women: int = 0
    studies: int = 0
    images: int = 0
    boxes: int = 0
    cancers: int = 0
    dated: bool = False
    findings: Counter[str] = field(default_factory=Counter)
    densities: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as it is written to adapt.json and printed for machines."""
        one = self.public_set
        return {
            "set": one.name,
            "title": one.title,
            "source": one.source,
            "terms": one.terms,
            "manifest": str(self.manifest),
            "women": self.women,
            "studies": self.studies,
            "images": self.images,
            "findings": {name: self.findings[name] for name in FINDINGS},
            "breasts_without_finding": self.findings[""],
            "densities": {letter: self.densities[letter] for letter in DENSITIES},
            "boxes": self.boxes,
            "women_with_cancer_date": self.cancers,
            "dated": self.dated,
            "left_out": dict(self.account.reasons.most_common()),
            "left_aside": dict(self.account.aside.most_common()),
            "notes": dict(self.account.notes.most_common()),
            "dates": one.dates,
            "finding_means": one.findings,
            "outcome": one.outcome or "Nobody is followed.",
        }

    def sentences(self) -> list[str]:
        """Return the summary for a person, a line each: what there is, what its words mean, what was left out."""
        one, findings = self.public_set, self.findings
        lines = [
            f"{one.title}: {self.women} women, {self.studies} studies, {self.images} images.",
            f"Manifest: {self.manifest}",
            f"Breasts: {findings['normal']} normal, {findings['benign']} benign, {findings['malignant']} malignant, "
            f"{findings['']} without finding. {self.boxes} boxes. "
            f"Density A–D: {', '.join(str(self.densities[letter]) for letter in DENSITIES)} breasts.",
            f"Findings: {one.findings}",
            f"Dates: {one.dates}",
        ]
        if one.outcome:
            lines.append(f"Outcome, {self.cancers} women with a cancer's date: {one.outcome}")
        lines += [f"Note: {what} ({count})." for what, count in self.account.notes.most_common()]
        lines += [f"Left aside: {what} ({count})." for what, count in self.account.aside.most_common()]
        for why, count in self.account.reasons.most_common():
            where, _, what = next(entry for entry in self.account.left_out if entry[1] == why)
            lines.append(f"Left out: {why} ({count}). The first: {where}{f', {what}' if what else ''}.")
        if self.account.left_out:
            lines.append(f"All that were left out: {self.manifest.with_name(LEFT_OUT)}")
        lines.append(f"Terms: {one.terms} Cite: {one.source}.")
        return lines


def adapt(name: str, src: Path, out: Path, *, on_row: Callable[[int], None] = lambda _rows: None) -> Adapted:
    """Read a public data set and write manifest.csv, adapt.json and left_out.csv into `out`.

    Images stay where they lie: the manifest holds their paths relative to its folder. The manifest appears whole or
    not at all; one that this command wrote earlier is replaced.

    Parameters
    ----------
    name
        A key of `SETS`.
    src
        The folder of the data set, in its published layout.
    out
        The folder to write into; it is made where it is missing.
    on_row
        Told how many rows were read so far.

    Raises
    ------
    CannotAdapt
        If the folder is not that data set, a table lacks a column, no image can be used, or `out` holds a manifest
        of another origin.
    """
    if name not in SETS:
        raise CannotAdapt(f"There is no data set {name!r} here. There are: {', '.join(SETS)}.")
    public_set = SETS[name]
    if not src.is_dir():
        raise CannotAdapt(f"There is no folder {src}. Name the folder that holds {public_set.title}.")
    if (out / MANIFEST).exists() and not (out / SUMMARY).exists():
        raise CannotAdapt(f"{out} holds a manifest of another origin. Choose another folder.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        return _adapt(public_set, src.resolve(), out.resolve(), on_row)
    except WrongLayout as error:
        raise CannotAdapt(str(error)) from error
    except OSError as error:
        if outage(error) is not None:
            raise  # it will pass, and the command can be repeated
        raise CannotAdapt(f"{error.filename or out}: {error.strerror or error}.") from error


def _adapt(public_set: PublicSet, src: Path, out: Path, on_row: Callable[[int], None]) -> Adapted:
    account = Account()
    told = Adapted(public_set, out / MANIFEST, account)
    handle, half_name = tempfile.mkstemp(prefix=".manifest-", suffix=".csv", dir=out)
    half = Path(half_name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow((*_COLUMNS, *public_set.more))
            places: list[str] = []
            rows = _Checked(account)
            for number, row in enumerate(public_set.read(src, out, account), start=1):
                on_row(number)
                if (checked := rows.check(row)) is not None:
                    writer.writerow(_cells(checked, out, public_set))
                    places.append(checked.where)
        read = read_manifest(half, look_for_files=False)
        if read.refused:
            half = _without(half, {bad.line for bad in read.refused})
            for bad in read.refused:
                account.leave_out(places[bad.line - 2], bad.reason.rstrip("."))
            read = read_manifest(half, look_for_files=False)
        if not read.rows:
            why = account.left_out[0] if account.left_out else ("", "it lists no image", "")
            raise CannotAdapt(
                f"No image of {public_set.title} in {src} can be used. The first that was left out: "
                f"{': '.join(part for part in why if part)}."
            )
        _count(told, read.rows)
        _write(out / LEFT_OUT, _listing(account))
        _write(out / SUMMARY, json.dumps(told.to_json(), indent=1, ensure_ascii=False) + "\n")
        half.chmod(0o644)
        half.replace(out / MANIFEST)
    finally:
        half.unlink(missing_ok=True)
    return told


@dataclass
class _Checked:
    """Looks at rows one by one: what a manifest needs is there, nothing is said twice or two ways."""

    account: Account
    seen: set[tuple[Any, ...]] = field(default_factory=set)
    images: dict[Path, tuple[str, str, str, str]] = field(default_factory=dict)

    def check(self, row: ExamRow) -> ExamRow | None:
        """Return the row if it can be written; records why where it cannot."""
        what = row.path.name
        if _CONTROL.search(str(row.path)):
            self.account.leave_out(row.where, "its file's name holds a control character", what)
            return None
        if not row.patient_id:
            self.account.leave_out(row.where, "no woman is named", what)
            return None
        if row.modality == "MG" and not row.laterality:
            self.account.leave_out(row.where, "neither left nor right is said", what)
            return None
        if row.modality == "MG" and not row.view:
            self.account.leave_out(row.where, "no view is said", what)
            return None
        if row.modality == "MG" and row.view not in VIEWS:
            self.account.aside[f"views that are not read: {row.view[:20]}"] += 1
            return None
        belongs = (row.patient_id, row.study_date, row.laterality, row.view)
        if self.images.setdefault(row.path, belongs) != belongs:
            self.account.leave_out(
                row.where, "its image is given to another woman, date, side or view before", what
            )
            return None
        said = (row.path, row.roi, row.finding)
        if said in self.seen:
            self.account.aside["rows that say the same of the same image again"] += 1
            return None
        self.seen.add(said)
        if row.cancer_date and row.last_followup_date and row.last_followup_date < row.cancer_date:
            return replace(row, last_followup_date=row.cancer_date)
        return row


def _cells(row: ExamRow, out: Path, public_set: PublicSet) -> list[str]:
    corners = ["", "", "", ""] if row.roi is None else [f"{corner:g}" for corner in row.roi]
    values = {
        "patient_id": row.patient_id,
        "study_date": row.study_date,
        "laterality": row.laterality,
        "view": row.view,
        "path": _relative(row.path, out),
        "modality": row.modality,
        "age": row.age,
        "finding": row.finding,
        "density": row.density,
        **dict(zip(("roi_x0", "roi_y0", "roi_x1", "roi_y1"), corners, strict=True)),
        "cancer_date": row.cancer_date,
        "cancer_laterality": row.cancer_laterality if row.cancer_date else "",
        "last_followup_date": row.last_followup_date,
        "split": row.split,
        **{name: row.more.get(name, "") for name in public_set.more},
    }
    # A line break in a word would part the line it stands in.
    return [_CONTROL.sub(" ", values[name]) for name in (*_COLUMNS, *public_set.more)]


def _relative(path: Path, out: Path) -> str:
    """Return a path relative to the manifest's folder; absolute on another drive."""
    try:
        return Path(os.path.relpath(path, out)).as_posix()
    except ValueError:
        return str(path)


def _without(half: Path, lines: set[int]) -> Path:
    """Write a manifest again without some of its lines (each row of ours is one line)."""
    kept = [
        text
        for number, text in enumerate(half.read_text("utf-8").splitlines(keepends=True), start=1)
        if number not in lines
    ]
    half.write_text("".join(kept), "utf-8")
    return half


def _count(told: Adapted, rows: list[Any]) -> None:
    breasts: dict[tuple[Any, ...], str] = {}
    densities: dict[tuple[Any, ...], str] = {}
    for row in rows:
        # An ultrasound has no side: each image is a breast of its own.
        breast = (row.patient_id, row.study_date, row.laterality or row.path)
        breasts[breast] = max(breasts.get(breast, ""), row.finding or "", key=_WORSE.index)
        if row.density:
            densities[row.patient_id, row.study_date, row.laterality] = row.density
    told.women = len({row.patient_id for row in rows})
    told.studies = len({(row.patient_id, row.study_date) for row in rows})
    told.images = len({row.path for row in rows})
    told.boxes = sum(row.roi is not None for row in rows)
    told.cancers = len({row.patient_id for row in rows if row.cancer_date})
    told.dated = any(row.study_date for row in rows)
    told.findings = Counter(breasts.values())
    told.densities = Counter(densities.values())


def _listing(account: Account) -> str:
    def lines() -> Iterator[tuple[str, str, str]]:
        yield "where", "why", "what"
        yield from account.left_out

    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines())
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    """Write a file in one step."""
    handle, half_name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    half = Path(half_name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        half.chmod(0o644)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
