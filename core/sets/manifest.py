"""The exam manifest: the one file format for images with what is known of them (CSV, UTF-8, one row an image)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from core.rules import exact_age_years
from core.rules.vocabulary import DENSITIES, FINDINGS, SIDES

__all__ = [
    "BadRow",
    "Manifest",
    "ManifestError",
    "ManifestRow",
    "by_patient",
    "read_manifest",
    "stated_split",
]

REQUIRED = ("patient_id", "study_date", "laterality", "view", "path")
OPTIONAL = (
    "modality",
    "age",
    "birth_date",
    "finding",
    "density",
    "roi_x0",
    "roi_y0",
    "roi_x1",
    "roi_y1",
    "lesion_mm",
    "progression",
    "cancer_date",
    "cancer_laterality",
    "last_followup_date",
    "split",
    "simulated",
)


SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
OF_A_WOMAN = ("birth_date", "cancer_date", "cancer_laterality", "last_followup_date", "split")
"""What is one thing for a woman, whichever of her rows says it."""


class ManifestError(ValueError):
    """The file as a whole cannot be read as a manifest; the message says why and what to do."""


@dataclass(frozen=True)
class ManifestRow:
    """One image and what is known of it; None where nothing is said.

    `roi` is x0, y0, x1, y1 in pixels of the image, origin top left; `finding` and `density` are those of that
    breast at that study; laterality and view may be None for ultrasound and MR only; `line` counts from 1, the header being line 1.
    """

    line: int
    patient_id: str
    study_date: date | None
    laterality: str | None
    view: str | None
    path: Path
    modality: str = "MG"
    age: float | None = None
    birth_date: date | None = None
    finding: str | None = None
    density: str | None = None
    roi: tuple[float, float, float, float] | None = None
    lesion_mm: float | None = None
    progression: bool | None = None
    cancer_date: date | None = None
    cancer_laterality: str | None = None
    last_followup_date: date | None = None
    split: str | None = None
    simulated: bool = False

    @property
    def age_years(self) -> float | None:
        """Age at the study in years, as stated or from the birth date."""
        if self.age is not None:
            return self.age
        return None if self.study_date is None else exact_age_years(self.birth_date, self.study_date)


@dataclass(frozen=True)
class BadRow:
    """A row that is refused: its line number and a sentence that says why."""

    line: int
    reason: str


@dataclass
class Manifest:
    """What was read: good rows, refused rows, and notices for the person who wrote the file."""

    source: Path
    rows: list[ManifestRow] = field(default_factory=list)
    refused: list[BadRow] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def read_manifest(path: Path, *, look_for_files: bool = True) -> Manifest:
    """Read an exam manifest.

    Parameters
    ----------
    path
        The CSV file; image paths in it are relative to its folder.
    look_for_files
        Refuse rows whose image is not there.

    Raises
    ------
    ManifestError
        If the file is missing, is not UTF-8, or lacks a required column.
    """
    manifest = Manifest(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(reader.fieldnames, manifest)
            line = reader.line_num + 1
            for values in reader:
                try:
                    manifest.rows.append(_row(values, line, path.parent, look_for_files))
                except ValueError as error:
                    manifest.refused.append(BadRow(line, str(error)))
                line = reader.line_num + 1
    except FileNotFoundError as error:
        raise ManifestError(f"There is no manifest {path}.") from error
    except IsADirectoryError as error:
        raise ManifestError(f"{path} is a folder. Name the manifest file in it.") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not UTF-8. Save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise ManifestError(f"{path} is not a CSV file: {error}.") from error
    manifest.notices += _contradictions(manifest.rows)
    return manifest


def _contradictions(rows: list[ManifestRow]) -> list[str]:
    """Return a notice for each column of which rows of one woman say different things."""
    notices = []
    for name in OF_A_WOMAN:
        said: dict[str, set[Any]] = {}
        for row in rows:
            value = getattr(row, name)
            if value is not None:
                said.setdefault(row.patient_id, set()).add(value)
        women = sorted(patient for patient, values in said.items() if len(values) > 1)
        if women:
            many = f"{len(women)} women, such as {women[0]}" if len(women) > 1 else women[0]
            notices.append(
                f"{name} is not the same in all rows of one woman ({many}). Correct those that are wrong."
            )
    return notices


def _check_columns(names: Any, manifest: Manifest) -> None:
    columns = list(names or ())
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise ManifestError(f"{manifest.source} lacks the column {', '.join(missing)}.")
    unknown = [name for name in columns if name not in REQUIRED + OPTIONAL]
    if unknown:
        manifest.notices.append(f"Columns that are not used: {', '.join(unknown)}.")


def _row(values: dict[str, Any], line: int, folder: Path, look_for_files: bool) -> ManifestRow:
    """Read one row; ValueError says what is wrong with it."""
    if None in values:
        raise ValueError("The row has more fields than the header.")
    given = {key: (value or "").strip() for key, value in values.items()}
    if not given["patient_id"]:
        raise ValueError("The row has no patient_id.")
    study_date = _read(given, "study_date", date.fromisoformat, "a date such as 2026-05-31")
    laterality = _one_of(given, "laterality", SIDES)
    modality = _one_of(given, "modality", ("MG", "US", "MR")) or "MG"
    if modality == "MG" and laterality is None:
        raise ValueError("The row has no laterality: a mammogram needs L or R.")
    if modality == "MG" and not given["view"]:
        raise ValueError("The row has no view: a mammogram needs CC, MLO or another.")
    row = ManifestRow(
        line=line,
        patient_id=given["patient_id"],
        study_date=study_date,
        laterality=laterality,
        view=given["view"].upper() or None,
        path=_image(given["path"], folder, look_for_files),
        modality=modality,
        age=_read(given, "age", _between(0, 120), "a number of years from 0 to 120"),
        birth_date=_read(given, "birth_date", date.fromisoformat, "a date such as 1961-05-31"),
        finding=_one_of(given, "finding", FINDINGS),
        density=_one_of(given, "density", DENSITIES),
        roi=_roi(given),
        lesion_mm=_read(given, "lesion_mm", _between(0, 500), "a length in mm"),
        progression=_read(given, "progression", lambda text: {"0": False, "1": True}[text], "0 or 1"),
        cancer_date=_read(given, "cancer_date", date.fromisoformat, "a date such as 2026-05-31"),
        cancer_laterality=_one_of(given, "cancer_laterality", SIDES),
        last_followup_date=_read(
            given, "last_followup_date", date.fromisoformat, "a date such as 2026-05-31"
        ),
        split=given.get("split") or None,
        simulated=_read(given, "simulated", lambda text: {"0": False, "1": True}[text], "0 or 1") or False,
    )
    if row.birth_date and row.study_date and row.birth_date > row.study_date:
        raise ValueError("birth_date lies after study_date.")
    return row


def _read(given: dict[str, str], name: str, read: Callable[[str], Any], wanted: str) -> Any:
    text = given.get(name, "")
    if not text:
        return None
    try:
        return read(text)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{name} is {text[:40]!r}, not {wanted}.") from error


def _between(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def _one_of(given: dict[str, str], name: str, allowed: tuple[str, ...]) -> str | None:
    text = given.get(name, "")
    if not text:
        return None
    for value in allowed:
        if text.casefold() == value.casefold():
            return value
    raise ValueError(f"{name} is {text[:40]!r}, not one of {', '.join(allowed)}.")


def _roi(given: dict[str, str]) -> tuple[float, float, float, float] | None:
    corners: list[float | None] = [
        _read(given, f"roi_{name}", _between(-1e6, 1e6), "a number of pixels")
        for name in ("x0", "y0", "x1", "y1")
    ]
    known = [corner for corner in corners if corner is not None]
    if not known:
        return None
    if len(known) < 4:
        raise ValueError("The roi lacks a corner: roi_x0, roi_y0, roi_x1 and roi_y1 are needed together.")
    x0, y0, x1, y1 = known
    if x1 <= x0 or y1 <= y0:
        raise ValueError("The roi is empty: roi_x1 must exceed roi_x0, and roi_y1 roi_y0.")
    return x0, y0, x1, y1


def _image(text: str, folder: Path, look: bool) -> Path:
    if not text or "\0" in text:
        raise ValueError("The row has no path.")
    path = folder / text
    try:
        there = not look or path.is_file()
    except OSError as error:
        raise ValueError(f"{text[:40]!r}… cannot be the path of a file: {error.strerror}.") from error
    if not there:
        raise ValueError(f"There is no file {text}.")
    return path


def stated_split(text: str | None) -> str | None:
    """Return train, validation or test as a manifest or a folder's name states it, None if it states none of them."""
    return SPLITS.get((text or "").strip().lower())


def by_patient(rows: list[ManifestRow]) -> Iterator[tuple[str, list[ManifestRow]]]:
    """Yield each woman with her rows, oldest study first (undated ones before all), women by their id."""
    women: dict[str, list[ManifestRow]] = {}
    for row in rows:
        women.setdefault(row.patient_id, []).append(row)
    for patient in sorted(women):
        yield patient, sorted(women[patient], key=lambda row: (row.study_date or date.min, str(row.path)))
