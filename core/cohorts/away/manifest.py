"""A cohort's images with an exam manifest, as training and evaluation take them: a row an image, of single women."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import select

from core.cohorts.selection import Selection
from core.deidentification import DEFAULT, Given, Identity, Options, hand_on, key_of
from core.files import private_folder, write_whole
from core.installation import Installation
from core.people import audit
from core.records.csv import harmless
from core.rules import exact_age_years
from core.rules.ages import age_years
from db.tables import Image, Patient, Study

__all__ = ["MANIFEST", "CannotWrite", "Written", "write_manifest"]

MANIFEST = "manifest.csv"
COLUMNS = (
    "patient_id", "study_date", "laterality", "view", "path", "modality", "age", "birth_date", "density", "cancer_date",
    "cancer_laterality", "last_followup_date", "simulated",
)  # fmt: skip
OLDEST_TOLD = 90
"""Ages above are told as this where women are not to be known again (HIPAA's safe harbour, 45 CFR 164.514)."""
_WOMEN_AT_ONCE = 200
_SUFFIXES = {"application/dicom": ".dcm", "image/png": ".png", "image/jpeg": ".jpg"}


class CannotWrite(ValueError):
    """Nothing was written; the message says why and what to do."""


@dataclass(frozen=True)
class Written:
    """What was written; `refused` names the images that were not, and why."""

    path: Path
    women: int
    rows: int
    deidentified: bool
    refused: Sequence[tuple[str, str]]

    def to_json(self) -> dict[str, Any]:
        """Return the summary for machines."""
        return {
            "path": str(self.path),
            "women": self.women,
            "rows": self.rows,
            "deidentified": self.deidentified,
            "refused": [{"image": name, "reason": why} for name, why in self.refused],
        }


@dataclass(frozen=True)
class _Her:
    """What is known of a woman beside her images."""

    patient: Patient
    cancer_on: date | None
    cancer_side: str | None
    followed_until: date | None


def write_manifest(here: Installation, selection: Selection, out: Path, *, deidentified: bool) -> Written:
    """Write ``manifest.csv`` and the images that it names into a folder; the trail keeps it.

    Of a woman all mammograms are written of the days between the definition's years. What is not known is left empty. With
    `deidentified` her number is a pseudonym, her days are moved, her age is told in whole years and no birth date, and the
    images go through `core.deidentification`; one that cannot be cleaned is refused.

    Raises `CannotWrite` where `out` is there already or cannot be written, or nobody fits the definition.
    """
    if out.exists():
        raise CannotWrite(f"{out} is there already. Choose another name.")
    women = selection.women.filter(pl.col("patient_id").is_not_null())
    if not len(women):
        raise CannotWrite("No women with images fit this definition.")
    detail = {"women": len(women), "deidentified": deidentified, "from": "command line"}
    audit.note(here, None, "cohort_manifest_exported", "cohort", detail)
    refused: list[tuple[str, str]] = []
    rows: list[dict[str, str]] = []
    try:
        private_folder(out)
        writer = _Deidentified(here, out) if deidentified else _AsTheyAre(here, out)
        for her, images in _images(here, selection, women):
            for study, image in images:
                row = writer.row(her, study, image)
                if isinstance(row, str):
                    refused.append((image.sop_uid if not deidentified else image.sha256[:16], row))
                else:
                    rows.append(row)
        write_whole(
            out / MANIFEST,
            _csv(sorted(rows, key=lambda row: (row["patient_id"], row["study_date"], row["path"]))),
        )
    except OSError as error:
        raise CannotWrite(f"{out} cannot be written: {error.strerror or error}.") from error
    return Written(out, len({row["patient_id"] for row in rows}), len(rows), deidentified, refused)


def _images(
    here: Installation, selection: Selection, women: pl.DataFrame
) -> Iterator[tuple[_Her, list[tuple[Study, Image]]]]:
    """Yield each woman with her mammograms, oldest first, some women at a time."""
    definition = selection.definition
    known = {row["patient_id"]: row for row in women.iter_rows(named=True)}
    ids = list(known)
    for start in range(0, len(ids), _WOMEN_AT_ONCE):
        some = ids[start : start + _WOMEN_AT_ONCE]
        hers: dict[int, list[tuple[Study, Image]]] = {}
        with here.database.read() as session:
            patients = {one.id: one for one in session.scalars(select(Patient).where(Patient.id.in_(some)))}
            found = session.execute(
                select(Study, Image)
                .join(Image, Image.study_id == Study.id)
                .where(Study.patient_id.in_(some), Study.modality == "MG")
                .order_by(Study.patient_id, Study.study_date, Study.id, Image.id)
            )
            for study, image in found:
                hers.setdefault(study.patient_id, []).append((study, image))
        for patient_id, images in hers.items():
            row = known[patient_id]
            between = [
                (study, image)
                for study, image in images
                if (definition.from_year or 0) <= study.study_date.year <= (definition.to_year or 9999)
            ]
            yield (
                _Her(patients[patient_id], row["diagnosed_on"], row["diagnosis_side"], row["last_contact"]),
                between,
            )


class _AsTheyAre:
    """Rows and images as they are stored."""

    def __init__(self, here: Installation, out: Path) -> None:
        self.here, self.out = here, out
        private_folder(out / "images")

    def row(self, her: _Her, study: Study, image: Image) -> dict[str, str] | str:
        """Write an image and return its row, or why it could not be read."""
        place = Path("images", image.sha256 + _SUFFIXES.get(image.media_type, ""))
        try:
            write_whole(self.out / place, self.here.images.get(image.sha256))
        except FileNotFoundError:
            return "its bytes are not in the image store: python -m core verify lists what is missing"
        patient = her.patient
        exact = exact_age_years(patient.birth_date, study.study_date)
        return _row(
            patient_id=patient.mrn,
            study_date=study.study_date,
            path=place.as_posix(),
            birth_date=patient.birth_date,
            age=None if exact is None else round(exact, 2),
            **_same(study, image, patient),
            **_outcome(her),
        )


class _Deidentified:
    """Rows and images without the woman they are of."""

    def __init__(self, here: Installation, out: Path) -> None:
        self.here, self.out, self.key = here, out, key_of(here)
        self.options = Options.of(DEFAULT)

    def row(self, her: _Her, study: Study, image: Image) -> dict[str, str] | str:
        """Write a cleaned image and return its row, or why it could not be cleaned."""
        try:
            data = self.here.images.get(image.sha256)
        except FileNotFoundError:
            return "its bytes are not in the image store: python -m core verify lists what is missing"
        patient, identity = her.patient, Identity.of(self.key, her.patient.mrn)
        given = Given(image.sop_uid, data, mrn=patient.mrn, view=(image.laterality.value, image.view))
        (ended,) = hand_on(self.here, [given], self.out, self.options)
        if ended.file is None:
            return ended.refusal.text if ended.refusal else "it cannot be cleaned"
        age = age_years(patient.birth_date, study.study_date)
        moved = {
            name: identity.day(day) if isinstance(day, date) else day for name, day in _outcome(her).items()
        }
        return _row(
            patient_id=identity.pseudonym,
            study_date=identity.day(study.study_date),
            path=ended.file,
            age=None if age is None else min(age, OLDEST_TOLD),
            **_same(study, image, patient),
            **moved,
        )


def _same(study: Study, image: Image, patient: Patient) -> dict[str, Any]:
    return {
        "laterality": image.laterality.value,
        "view": image.view,
        "modality": study.modality,
        "density": study.reader_density,
        "simulated": int(patient.simulated),
    }


def _outcome(her: _Her) -> dict[str, Any]:
    return {
        "cancer_date": her.cancer_on,
        "cancer_laterality": her.cancer_side,
        "last_followup_date": her.followed_until,
    }


def _row(**known: Any) -> dict[str, str]:
    return {name: "" if known.get(name) is None else str(known[name]) for name in COLUMNS}


def _csv(rows: Sequence[dict[str, str]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    # Paths are our own, and are read by a program: the rest is safe in a spreadsheet too.
    writer.writerows(
        {name: cell if name == "path" else harmless(cell) for name, cell in row.items()} for row in rows
    )
    return file.getvalue()
