"""CSAW-CC (Karolinska): screening exams of 8,723 women over years, 873 of them with a first breast cancer.

CSAW-CC_breast_cancer_screening_data.csv, a row for each image: anon_patientid, exam_year, imagelaterality (Left,
Right), viewposition, anon_filename, x_case, x_cancer_laterality, x_type, rad_timing, rad_recall,
libra_percentdensity; images are PATIENT_20990909_L_CC_1.dcm (the date in the name is no date), tumour masks
PATIENT_20990909_L_CC_1_mask.png (Dembrower et al., J Digit Imaging 2020, 10.1007/s10278-019-00278-0; data
10.5878/45vm-t798). rad_timing says how long after an exam a case's cancer was found: 1 within 60 days
(screen-detected), 2 from 60 to 729 days (interval), 3 later. Age is given in two bins only and stays empty.

Years become dates as `day_of_year_known` and `outcome` below say; the manifest's column dates_known_to repeats it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from seed_data.adapters import terms
from seed_data.adapters.pictures import Unreadable, boxes_of_mask, facts_of
from seed_data.adapters.public_set import Account, Box, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import Row, find, read_table

_TABLE = "CSAW-CC_breast_cancer_screening_data.csv"
_REQUIRED = ("anon_patientid", "exam_year", "imagelaterality", "viewposition", "anon_filename")
_OPTIONAL = ("x_case", "x_cancer_laterality", "rad_timing", "rad_recall", "libra_percentdensity")
_SUFFIXES = ("dcm", "png")
_INTERVAL_DAYS = (60, 729)


@dataclass(frozen=True)
class _Outcome:
    """What is known of a woman's cancer and follow-up; dates are ISO, empty where unknown."""

    cancer_date: str = ""
    laterality: str = ""
    last_followup: str = ""


def day_of_year_known(year: str) -> str:
    """Return 1 July of a year, at most half a year from any exam in it; empty if it is no year."""
    word = re.sub(r"\.0+$", "", year.strip())
    return f"{word}-07-01" if re.fullmatch(r"(19|20)\d{2}", word) else ""


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each image, or for each part of its tumour's mask."""
    table = find(src, (_TABLE,), depth=2)
    if table is None:
        raise WrongLayout(f"{src} has no {_TABLE}. Name the folder with it and the images.")
    rows = [row for row in read_table(table, _REQUIRED, _OPTIONAL, account=account) if _usable(row, account)]
    images, masks = _files(src)
    women: dict[str, list[Row]] = {}
    for row in rows:
        women.setdefault(row["anon_patientid"], []).append(row)
    outcomes = {name: _outcome(of_woman, account) for name, of_woman in women.items()}
    for row in rows:
        stem = Path(row["anon_filename"]).stem
        path = images.get(stem)
        if path is None:
            account.leave_out(row.where, "its image file is missing", row["anon_filename"])
            continue
        outcome = outcomes[row["anon_patientid"]]
        boxes: list[Box | None] = [*_boxes(path, masks.get(stem), account)]
        side = terms.laterality(row["imagelaterality"])
        for box in boxes or [None]:
            yield ExamRow(
                where=row.where,
                patient_id=row["anon_patientid"],
                path=path,
                laterality=side,
                view=terms.view(row["viewposition"]),
                study_date=day_of_year_known(row["exam_year"]),
                finding="malignant" if box else _finding(row, side),
                roi=box,
                cancer_date=outcome.cancer_date,
                cancer_laterality=outcome.laterality,
                last_followup_date=outcome.last_followup,
                more={"dates_known_to": "year", "libra_percent_density": row["libra_percentdensity"]},
            )


def _usable(row: Row, account: Account) -> bool:
    if not day_of_year_known(row["exam_year"]):
        account.leave_out(row.where, "exam_year is no year", row["anon_filename"])
        return False
    return True


def _files(src: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the images and the masks below a folder by their name without ending (a mask's by its image's)."""
    images: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    for parent, folders, names in os.walk(src):
        folders.sort()
        for name in sorted(names):
            stem, _, suffix = name.rpartition(".")
            if suffix.lower() not in _SUFFIXES:
                continue
            if stem.endswith("_mask"):
                masks.setdefault(stem.removesuffix("_mask"), Path(parent, name))
            elif suffix.lower() == "dcm" or stem not in images:
                images[stem] = Path(parent, name)
    return images, masks


def _timing(row: Row) -> str:
    return re.sub(r"\.0+$", "", row["rad_timing"])


def _outcome(rows: list[Row], account: Account) -> _Outcome:
    """Return cancer date, side and last follow-up of one woman from all her rows.

    Screen-detected: the date of that exam. Interval: the middle of the 60 to 729 days after the last exam before it.
    A case whose last exam was more than 729 days earlier has an unknown date: she counts as followed, without
    cancer, to 729 days after that exam. Of all others no more is known than their exams.
    """
    last = max(day_of_year_known(row["exam_year"]) for row in rows)
    if not any(terms.flag(row["x_case"]) for row in rows):
        return _Outcome(last_followup=last)
    side = next((s for row in rows if (s := terms.laterality(row["x_cancer_laterality"]))), "")
    by_timing = {
        timing: max((day_of_year_known(r["exam_year"]) for r in rows if _timing(r) == timing), default="")
        for timing in ("1", "2")
    }
    if by_timing["1"]:
        return _Outcome(by_timing["1"], side, last)
    if by_timing["2"]:
        account.notes["interval cancers: dated in the middle of the 60 to 729 days after the exam"] += 1
        found = _later(by_timing["2"], sum(_INTERVAL_DAYS) // 2)
        return _Outcome(found, side, max(found, last))
    if all(_timing(row) == "3" for row in rows):
        account.notes[
            "cancers more than 729 days after the last exam: followed to there, without a date"
        ] += 1
        return _Outcome(last_followup=_later(last, _INTERVAL_DAYS[1]))
    account.notes["cases without rad_timing: no cancer date"] += 1
    return _Outcome(last_followup=last)


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _finding(row: Row, side: str) -> str:
    """Return malignant for the breast of a screen-detected cancer, normal where no reader recalled her."""
    case = terms.flag(row["x_case"])
    of_cancer = bool(case) and terms.laterality(row["x_cancer_laterality"]) in (side, "")
    if of_cancer:
        return "malignant" if _timing(row) == "1" and row["x_cancer_laterality"] else ""
    return "normal" if case is not None and terms.flag(row["rad_recall"]) is False else ""


def _boxes(path: Path, mask: Path | None, account: Account) -> list[Box]:
    if mask is None:
        return []
    try:
        facts = facts_of(path)
        return boxes_of_mask(mask, (facts.rows, facts.columns), parts=True)
    except Unreadable as error:
        account.notes[f"{error}: no box"] += 1
        return []


SET = PublicSet(
    name="csaw-cc",
    title="CSAW-CC (Cohort of Screen-Aged Women, case-control)",
    source="Dembrower et al., J Digit Imaging 2020, 10.1007/s10278-019-00278-0; data 10.5878/45vm-t798",
    terms="Restricted: by agreement with Karolinska Institutet.",
    layout=f"{_TABLE}, and the images PATIENT_20990909_L_CC_1.dcm anywhere below, masks as …_mask.png.",
    dates=(
        "Only years are given: every exam stands at 1 July of its year, so intervals are right to within a year; "
        "dates_known_to says so."
    ),
    findings=(
        "A breast with a screen-detected cancer is malignant at that exam; a breast without cancer is normal where "
        "the readers did not recall her; all else stays empty. Masks are malignant."
    ),
    outcome=(
        "Screen-detected: the date of that exam. Interval: the middle of the 60 to 729 days after the exam. Found "
        "later: no date, followed to 729 days after the last exam. Others: followed to their last exam."
    ),
    more=("dates_known_to", "libra_percent_density"),
    read=read,
)
