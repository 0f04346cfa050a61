"""The exam manifest: the one file format for images with what is known of them (CSV, UTF-8, one row an image)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from core.rules import exact_age_years

__all__ = [
    "MOVED",
    "BadRow",
    "Manifest",
    "ManifestError",
    "ManifestRow",
    "by_patient",
    "read_manifest",
    "stated_split",
]

REQUIRED = ("patient_id", "study_date", "laterality", "view", "path")
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

MOVED = (
    "the lesion was moved there from another woman, who may be measured too, or have taught. Moved lesions are for practice "
    "only: give them to train image with --practice."
)
"""Why rows with `lesion_of` are refused where women are learned from or measured: what follows the place."""


class ManifestError(ValueError):
    """The file as a whole cannot be read as a manifest; the message says why and what to do."""


@dataclass(frozen=True)
class ManifestRow:
    """One image and what is known of it; None where nothing is said.

    `roi` is x0, y0, x1, y1 in pixels of the image, origin top left; `finding` and `density` are those of that
    breast at that study; laterality and view may be None for ultrasound and MR only; `background` is the woman in whose
    picture findings were drawn, where it is simulated, and `lesion_of` the one whose lesion was moved there; `line` counts
    from 1, the header being line 1.
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
    background: str | None = None
    lesion_of: str | None = None

    @property
    def drawn_into(self) -> str | None:
        """Into whose picture it was drawn what is found; None of a real row, where such a column says something else."""
        return self.background if self.simulated else None

    @property
    def shown_woman(self) -> str:
        """Whose breast it shows: of drawn findings in a real picture the woman of the picture."""
        return self.drawn_into or self.patient_id

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


SAID = "said"
"""Type of an error whose message is the whole sentence for the person who wrote the file."""


def _said(sentence: str) -> PydanticCustomError:
    return PydanticCustomError(SAID, "{sentence}", {"sentence": sentence})


@dataclass(frozen=True)
class _Folder:
    """Where a manifest lies, and whether its images must be there."""

    path: Path
    look_for_files: bool


def _by(read: Callable[[str], Any]) -> BeforeValidator:
    """Let a cell be read by a function; its ValueError or KeyError means that the cell holds something else."""

    def value(text: str) -> Any:
        try:
            return read(text)
        except KeyError as error:
            raise ValueError from error

    return BeforeValidator(value)


def _spelled(*words: str) -> BeforeValidator:
    """Take one of some words, in whatever case."""
    known = {word.casefold(): word for word in words}
    return _by(lambda text: known[text.casefold()])


def _image(text: str, info: ValidationInfo) -> Path:
    folder = info.context
    assert isinstance(folder, _Folder)
    if "\0" in text:
        raise _said("The row has no path.")
    path = folder.path / text
    try:
        there = not folder.look_for_files or path.is_file()
    except OSError as error:
        raise _said(f"{text[:40]!r}… cannot be the path of a file: {error.strerror}.") from error
    if not there:
        raise _said(f"There is no file {text}.")
    return path


_FLAG = _by({"0": False, "1": True}.__getitem__)
Day = Annotated[date | None, _by(date.fromisoformat), Field(description="a date such as 2026-05-31")]
BirthDay = Annotated[date | None, _by(date.fromisoformat), Field(description="a date such as 1961-05-31")]
Breast = Annotated[str | None, _spelled("L", "R"), Field(description="one of L, R")]
Pixel = Annotated[float | None, _by(float), Field(ge=-1e6, le=1e6, description="a number of pixels")]
CORNERS = ("roi_x0", "roi_y0", "roi_x1", "roi_y1")


class Cells(BaseModel):
    """The columns of a manifest, each with what its cells may hold; an empty cell is left out before."""

    patient_id: str
    study_date: Day = None
    laterality: Breast = None
    view: Annotated[str | None, _by(str.upper)] = None
    path: Annotated[Path, BeforeValidator(_image)]
    modality: Annotated[str, _spelled("MG", "US", "MR"), Field(description="one of MG, US, MR")] = "MG"
    age: Annotated[
        float | None, _by(float), Field(ge=0, le=120, description="a number of years from 0 to 120")
    ] = None
    birth_date: BirthDay = None
    finding: Annotated[
        str | None,
        _spelled("normal", "benign", "malignant"),
        Field(description="one of normal, benign, malignant"),
    ] = None
    density: Annotated[str | None, _spelled("A", "B", "C", "D"), Field(description="one of A, B, C, D")] = (
        None
    )
    roi_x0: Pixel = None
    roi_y0: Pixel = None
    roi_x1: Pixel = None
    roi_y1: Pixel = None
    lesion_mm: Annotated[float | None, _by(float), Field(ge=0, le=500, description="a length in mm")] = None
    progression: Annotated[bool | None, _FLAG, Field(description="0 or 1")] = None
    cancer_date: Day = None
    cancer_laterality: Breast = None
    last_followup_date: Day = None
    split: str | None = None
    simulated: Annotated[bool, _FLAG, Field(description="0 or 1")] = False
    background: str | None = None
    lesion_of: str | None = None

    @property
    def roi(self) -> tuple[float, float, float, float] | None:
        """The four corners together, None where there is none."""
        x0, y0, x1, y1 = self.roi_x0, self.roi_y0, self.roi_x1, self.roi_y1
        return None if x0 is None or y0 is None or x1 is None or y1 is None else (x0, y0, x1, y1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse cells each of which is good, but not together."""
        if self.modality == "MG" and self.laterality is None:
            raise _said("The row has no laterality: a mammogram needs L or R.")
        if self.modality == "MG" and self.view is None:
            raise _said("The row has no view: a mammogram needs CC, MLO or another.")
        if self.roi is None and self.model_fields_set & set(CORNERS):
            raise _said("The roi lacks a corner: roi_x0, roi_y0, roi_x1 and roi_y1 are needed together.")
        if self.roi is not None and (self.roi[2] <= self.roi[0] or self.roi[3] <= self.roi[1]):
            raise _said("The roi is empty: roi_x1 must exceed roi_x0, and roi_y1 roi_y0.")
        if self.birth_date and self.study_date and self.birth_date > self.study_date:
            raise _said("birth_date lies after study_date.")
        if self.lesion_of is not None and not (self.simulated and self.background):
            raise _said(
                "lesion_of says whose lesion was moved into a picture: simulated must be 1 there, and background name the "
                "woman of the picture. Leave lesion_of empty where nothing was moved."
            )
        return self


OPTIONAL = tuple(name for name in Cells.model_fields if name not in REQUIRED)


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
    given = {key: text for key, value in values.items() if (text := (value or "").strip())}
    try:
        cells = Cells.model_validate(given, context=_Folder(folder, look_for_files))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    else:
        return ManifestRow(line=line, roi=cells.roi, **cells.model_dump(exclude=set(CORNERS)))
    raise ValueError(" ".join(_sentence(fault, given) for fault in faults))


def _sentence(fault: ErrorDetails, given: dict[str, str]) -> str:
    """Say what is wrong with a cell or, where no single cell is, with the row."""
    if fault["type"] == SAID:
        return fault["msg"]
    column = str(fault["loc"][0])
    if fault["type"] == "missing":
        return f"The row has no {column}."
    return f"{column} is {given[column][:40]!r}, not {Cells.model_fields[column].description}."


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
