"""A cohort's images with an exam manifest, as training and evaluation take them: a row an image, of single women."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import select

from core.cohorts.selection import Selection
from core.deidentification import Given, Identity, Options, hand_on, key_of
from core.files import private_folder, write_whole
from core.installation import Installation
from core.people import Person, audit
from core.people.needing import needs
from core.people.roles import Permission, require
from core.records.csv import harmless
from core.refusals import Refusal
from core.rules import exact_age_years
from core.rules.ages import age_years
from db.tables import Image, ImageSide, Patient, Study

__all__ = ["MANIFEST", "MOST_ZIPPED", "CannotWrite", "Written", "images_of", "write_manifest", "zipped"]

MANIFEST, REFUSED = "manifest.csv", "refused.csv"
COLUMNS = (
    "patient_id", "study_date", "laterality", "view", "path", "modality", "age", "birth_date", "density", "cancer_date",
    "cancer_laterality", "last_followup_date", "simulated",
)  # fmt: skip
OLDEST_TOLD = 90
"""Ages above are told as this where women are not to be known again (HIPAA's safe harbour, 45 CFR 164.514)."""
MOST_ZIPPED, MOST_ZIPPED_BYTES = 1_000, 200_000_000
"""Images, and bytes of them, that a page hands out as one file, which is held in memory; more are written by the command."""
_WOMEN_AT_ONCE = 200
_SUFFIXES = {"application/dicom": ".dcm", "image/png": ".png", "image/jpeg": ".jpg", "image/tiff": ".tif"}


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
class _Film:
    """An image, its study, and what is known of the woman."""

    patient: Patient
    study: Study
    image: Image
    cancer_on: date | None
    cancer_side: str | None
    followed_until: date | None

    @property
    def outcome(self) -> dict[str, Any]:
        """Return what became of her, by the manifest's columns."""
        return {
            "cancer_date": self.cancer_on,
            "cancer_laterality": self.cancer_side,
            "last_followup_date": self.followed_until,
        }

    def row(self, **known: Any) -> dict[str, str]:
        """Return the manifest's row: what is the same in every form, and what is known besides."""
        known |= {
            "laterality": self.image.laterality.value
            if self.image.laterality is not ImageSide.BOTH
            else None,
            "view": self.image.view,
            "modality": self.study.modality,
            "density": self.study.reader_density,
            "simulated": int(self.patient.simulated),
        }
        return {name: "" if known.get(name) is None else str(known[name]) for name in COLUMNS}


def write_manifest(
    here: Installation, selection: Selection, out: Path, *, deidentified: bool, person: Person | None = None
) -> Written:
    """Write ``manifest.csv`` and the images that it names into a folder; the trail keeps it.

    Of a woman all mammograms are written of the days between the definition's years. What is not known is left empty. With
    `deidentified` her number is a pseudonym, her days are moved, her age is told in whole years and no birth date, and the
    images go through `core.deidentification`; one that cannot be cleaned is refused. `person` is who asks on a page.

    Raises `CannotWrite` where `out` is there already or cannot be written, or nobody fits the definition.
    """
    if out.exists():
        raise CannotWrite(f"{out} is there already. Choose another name.")
    women = selection.women.filter(pl.col("patient_id").is_not_null())
    if not len(women):
        raise CannotWrite("No women with images fit this definition.")
    detail = {
        "women": len(women),
        "deidentified": deidentified,
        "from": "page" if person else "command line",
    }
    audit.note(
        here, person, "cohort_manifest_exported", "cohort", detail, patients=women["patient_id"].to_list()
    )
    refused: list[tuple[str, str]] = []
    rows: list[dict[str, str]] = []
    try:
        private_folder(out)
        write = partial(_deidentified, person) if deidentified else _as_they_are
        for name, row in write(here, out, _images(here, selection, women)):
            if isinstance(row, str):
                refused.append((name, row))
            else:
                rows.append(row)
        rows.sort(key=lambda row: (row["patient_id"], row["study_date"], row["path"]))
        write_whole(out / MANIFEST, _csv(rows))
    except OSError as error:
        raise CannotWrite(f"{out} cannot be written: {error.strerror or error}.") from error
    return Written(out, len({row["patient_id"] for row in rows}), len(rows), deidentified, refused)


def images_of(selection: Selection) -> int:
    """Return about how many images of these women there are; 0 of a cohort that came as a table."""
    if not selection.women["patient_id"].is_not_null().any():
        return 0
    return int(selection.visits_of("views")["views"].sum())


@needs(Permission.SEE_SINGLE_COURSES)
def zipped(here: Installation, person: Person, selection: Selection) -> bytes:
    """Return a ZIP archive of the images, de-identified, with their manifest; `refused.csv` names what could not be cleaned.

    Raises
    ------
    AccessDenied
        If the person may not see single women, or no images at all.
    CannotWrite
        If nobody fits, or there are more than `MOST_ZIPPED` images or `MOST_ZIPPED_BYTES` of them.
    """
    require(person, Permission.SEE_PATIENTS)
    if images_of(selection) > MOST_ZIPPED:
        raise CannotWrite(f"These are more than {MOST_ZIPPED} images: let the command write them.")
    with tempfile.TemporaryDirectory(prefix="longview-manifest-") as folder:
        out = Path(folder, "images")
        written = write_manifest(here, selection, out, deidentified=True, person=person)
        if written.refused:
            refused = io.StringIO()
            csv.writer(refused, lineterminator="\n").writerows([("image", "reason"), *written.refused])
            write_whole(out / REFUSED, refused.getvalue())
        files = sorted(path for path in out.rglob("*") if path.is_file())
        if sum(path.stat().st_size for path in files) > MOST_ZIPPED_BYTES:
            raise CannotWrite(
                f"These images are more than {MOST_ZIPPED_BYTES // 1_000_000} MB: let the command write them."
            )
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for path in files:
                archive.write(path, path.relative_to(out).as_posix())
        return file.getvalue()


def _images(here: Installation, selection: Selection, women: pl.DataFrame) -> Iterator[_Film]:
    """Yield the women's mammograms of the definition's years, each with what is known of her, some women at a time."""
    first, last = selection.definition.from_year or 0, selection.definition.to_year or 9999
    known = {row["patient_id"]: row for row in women.iter_rows(named=True)}
    ids = list(known)
    for start in range(0, len(ids), _WOMEN_AT_ONCE):
        with here.database.read() as session:
            found = session.execute(
                select(Patient, Study, Image)
                .join(Study, Study.patient_id == Patient.id)
                .join(Image, Image.study_id == Study.id)
                .where(Patient.id.in_(ids[start : start + _WOMEN_AT_ONCE]), Study.modality == "MG")
                .order_by(Patient.id, Study.study_date, Study.id, Image.id)
            ).all()
        for patient, study, image in found:
            if first <= study.study_date.year <= last:
                row = known[patient.id]
                yield _Film(
                    patient, study, image, row["diagnosed_on"], row["diagnosis_side"], row["last_contact"]
                )


def _as_they_are(
    here: Installation, out: Path, films: Iterator[_Film]
) -> Iterator[tuple[str, dict[str, str] | str]]:
    """Write images as they are stored; yield each one's UID with its row, or why it could not be read."""
    private_folder(out / "images")
    for film in films:
        image, study, patient = film.image, film.study, film.patient
        place = Path("images", image.sha256 + _SUFFIXES.get(image.media_type, ""))
        try:
            write_whole(out / place, here.images.get(image.sha256))
        except FileNotFoundError:
            yield image.sop_uid, Refusal("image_unreadable").text
            continue
        exact = exact_age_years(patient.birth_date, study.study_date)
        yield (
            image.sop_uid,
            film.row(
                patient_id=patient.mrn,
                study_date=study.study_date,
                path=place.as_posix(),
                birth_date=patient.birth_date,
                age=None if exact is None else round(exact, 2),
                **film.outcome,
            ),
        )


def _deidentified(
    person: Person | None, here: Installation, out: Path, films: Iterator[_Film]
) -> Iterator[tuple[str, dict[str, str] | str]]:
    """Write images cleaned; yield each one's hash, in short, with its row, or why it could not be cleaned."""
    key = key_of(here)
    # Handed over one by one, so that one is in memory at a time.
    handed: list[_Film] = []
    for ended in hand_on(here, _given(here, films, handed), out, Options(), whose_wish=person):
        film = handed.pop(0)
        name = film.image.sha256[:16]
        if ended.file is None:
            yield name, ended.refusal.text if ended.refusal else "It cannot be cleaned."
            continue
        identity = Identity.of(key, film.patient.mrn)
        age = age_years(film.patient.birth_date, film.study.study_date)
        moved = {
            what: identity.day(told) if isinstance(told, date) else told
            for what, told in film.outcome.items()
        }
        yield (
            name,
            film.row(
                patient_id=identity.pseudonym,
                study_date=identity.day(film.study.study_date),
                path=ended.file,
                age=None if age is None else min(age, OLDEST_TOLD),
                **moved,
            ),
        )


def _given(here: Installation, films: Iterator[_Film], handed: list[_Film]) -> Iterator[Given]:
    for film in films:
        handed.append(film)
        image = film.image
        try:
            data, refusal = here.images.get(image.sha256), None
        except FileNotFoundError:
            data, refusal = b"", Refusal("image_unreadable")
        view = (image.laterality.value, image.view)
        yield Given(image.sop_uid, data, refusal, film.patient.mrn, view)


def _csv(rows: Sequence[dict[str, str]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    # Paths are our own, and are read by a program: the rest is safe in a spreadsheet too.
    writer.writerows(
        {name: cell if name == "path" else harmless(cell) for name, cell in row.items()} for row in rows
    )
    return file.getvalue()
