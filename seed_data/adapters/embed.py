"""EMBED (Emory Breast Imaging Dataset, AWS Open Data): exams over eight years with pathology.

Tables and columns as its data descriptor gives them (Emory-HITI/EMBED_Open_Data, README): EMBED_OpenData_metadata.csv,
a row for each file (empi_anon, acc_anon, anon_dicom_path, study_date_anon, FinalImageType, ImageLateralityFinal,
ViewPosition, spot_mag, ROI_coords); EMBED_OpenData_clinical.csv, a row for each finding (acc_anon, side, asses,
tissueden, age_at_study, bside, path_severity, procdate_anon); either also as …_reduced.csv (Jeong et al., Radiology:
AI 2023, 10.1148/ryai.220047). Findings belong to the images of the same side of the same exam; a side of B, or none,
belongs to both.

ROI_coords are y, x, y, x in the PNGs that Emory drew on; where that picture was mirrored (PNG_flipped, or by the
DICOM's PatientOrientation, as Emory's own conversion does) they are mirrored back. Tables with DCM_ROI_coords need none
of it. Only 2D images are read: C-View is made from a tomosynthesis and repeats the view, spot and magnification views
show a part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.rules.vocabulary import FINDINGS, SIDES
from seed_data.adapters import terms
from seed_data.adapters.pictures import Unreadable, facts_of
from seed_data.adapters.public_set import Account, Box, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import Row, find, read_table

_METADATA = ("EMBED_OpenData_metadata.csv", "EMBED_OpenData_metadata_reduced.csv")
_CLINICAL = ("EMBED_OpenData_clinical.csv", "EMBED_OpenData_clinical_reduced.csv")
_IMAGE_REQUIRED = (
    "empi_anon", "acc_anon", "anon_dicom_path", "study_date_anon", "FinalImageType", "ImageLateralityFinal", "ViewPosition",
)  # fmt: skip
_IMAGE_OPTIONAL = ("spot_mag", "ROI_coords", "PNG_ROI_coords", "DCM_ROI_coords", "PNG_flipped")
_FINDING_REQUIRED = ("empi_anon", "acc_anon", "side", "asses", "path_severity")
_FINDING_OPTIONAL = ("study_date_anon", "tissueden", "age_at_study", "bside", "procdate_anon", "pdate_anon")
_BY_SEVERITY = {
    "0": "malignant",
    "1": "malignant",
    "2": "benign",
    "3": "benign",
    "4": "benign",
    "5": "benign",
}
_BY_ASSESSMENT = {"N": "normal", "B": "benign", "P": "benign", "K": "malignant"}
_BI_RADS = {"A": "0", "N": "1", "B": "2", "P": "3", "S": "4", "M": "5", "K": "6"}
_WORSE = ("", *FINDINGS)
_CANCER = ("0", "1")


@dataclass
class _Breast:
    """What the clinical table says of one breast at one exam."""

    proven: str = ""
    judged: str = ""
    suspected: bool = False
    bi_rads: set[str] = field(default_factory=set)

    @property
    def finding(self) -> str:
        """Return the worst that is proven, else what was judged unless something suspicious is left open."""
        if self.proven or self.judged == "malignant":
            return max(self.proven, self.judged, key=_WORSE.index)
        return "" if self.suspected else self.judged


@dataclass
class _Clinical:
    """The clinical table, by exam and by woman."""

    breasts: dict[tuple[str, str], _Breast] = field(default_factory=dict)
    density: dict[str, str] = field(default_factory=dict)
    age: dict[str, str] = field(default_factory=dict)
    cancer: dict[str, tuple[str, str]] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each 2D image, or for each box drawn in it."""
    metadata, clinical = find(src, _METADATA), find(src, _CLINICAL)
    for table, names in ((metadata, _METADATA), (clinical, _CLINICAL)):
        if table is None:
            raise WrongLayout(
                f"{src} has no {names[0]} (nor …_reduced.csv), not in tables either. Name the folder of both."
            )
    assert metadata is not None
    assert clinical is not None
    known = _clinical(read_table(clinical, _FINDING_REQUIRED, _FINDING_OPTIONAL, account=account), account)
    # The table is long: it is read twice rather than kept. What is wrong with a row is recorded once.
    for row in read_table(metadata, _IMAGE_REQUIRED, account=Account()):
        woman = _identifier(row["empi_anon"])
        known.last[woman] = max(known.last.get(woman, ""), terms.day(row["study_date_anon"]))
    roots = [src, src / "images", src / "anon_dicom", src.parent / "images"]
    for row in read_table(metadata, _IMAGE_REQUIRED, _IMAGE_OPTIONAL, account=account):
        if row["FinalImageType"].upper() != "2D":
            account.aside[f"images of the kind {row['FinalImageType'] or 'unknown'}: only 2D is read"] += 1
        elif terms.flag(row["spot_mag"]):
            account.aside["spot compression and magnification views"] += 1
        else:
            yield from _rows(row, roots, known, account)


def _rows(row: Row, roots: list[Path], known: _Clinical, account: Account) -> Iterator[ExamRow]:
    path = _image(row["anon_dicom_path"], roots)
    if path is None:
        account.leave_out(row.where, "its image file is missing", row["anon_dicom_path"])
        return
    woman, exam = _identifier(row["empi_anon"]), _identifier(row["acc_anon"])
    side, on = terms.laterality(row["ImageLateralityFinal"]), terms.day(row["study_date_anon"])
    if not on:
        account.leave_out(row.where, "study_date_anon is no date", row["anon_dicom_path"])
        return
    breast = known.breasts.get((exam, side), _Breast())
    cancer_date, cancer_side = known.cancer.get(woman, ("", ""))
    boxes: list[Box | None] = [*_boxes(row, path, account)]
    for box in boxes or [None]:
        yield ExamRow(
            where=row.where,
            patient_id=woman,
            path=path,
            laterality=side,
            view=terms.view(row["ViewPosition"]),
            study_date=on,
            age=known.age.get(exam, ""),
            finding=breast.finding,
            density=known.density.get(exam, ""),
            roi=box,
            cancer_date=cancer_date,
            cancer_laterality=cancer_side,
            last_followup_date=max(known.last.get(woman, ""), cancer_date),
            more={"bi_rads": max(breast.bi_rads, default=""), "dates_known_to": "shifted"},
        )


def _clinical(rows: Iterator[Row], account: Account) -> _Clinical:
    known = _Clinical()
    for row in rows:
        woman, exam = _identifier(row["empi_anon"]), _identifier(row["acc_anon"])
        if not woman or not exam:
            account.leave_out(row.where, "empi_anon or acc_anon is missing", exam or woman)
            continue
        on = terms.day(row["study_date_anon"])
        known.last[woman] = max(known.last.get(woman, ""), on)
        known.density[exam] = known.density.get(exam) or terms.density(row["tissueden"])
        known.age[exam] = known.age.get(exam) or terms.age_years(row["age_at_study"])
        severity, assessment = re.sub(r"\.0+$", "", row["path_severity"]), row["asses"].upper()
        for side in _sides(row["side"]):
            breast = known.breasts.setdefault((exam, side), _Breast())
            breast.judged = max(breast.judged, _BY_ASSESSMENT.get(assessment, ""), key=_WORSE.index)
            breast.bi_rads |= {_BI_RADS[assessment]} if assessment in _BI_RADS else set()
            breast.suspected |= assessment in ("A", "S", "M")
        proven = _BY_SEVERITY.get(severity, "")
        for side in _sides(row["bside"] or row["side"]) if proven else ():
            breast = known.breasts.setdefault((exam, side), _Breast())
            breast.proven = max(breast.proven, proven, key=_WORSE.index)
        if severity in _CANCER:
            found = terms.day(row["procdate_anon"]) or terms.day(row["pdate_anon"]) or on
            side = terms.laterality(row["bside"]) or terms.laterality(row["side"])
            if not found:
                account.notes["cancers without a date"] += 1
            elif not known.cancer.get(woman, ("",))[0] or found < known.cancer[woman][0]:
                known.cancer[woman] = (found, side)
    return known


def _identifier(text: str) -> str:
    return re.sub(r"\.0+$", "", text)


def _sides(text: str) -> tuple[str, ...]:
    side = terms.laterality(text)
    return (side,) if side else SIDES


def _image(said: str, roots: list[Path]) -> Path | None:
    """Return where the file lies whose path on Emory's disk was `said`: what follows from ``cohort_`` on stays."""
    parts = PurePosixPath(said.replace("\\", "/")).parts
    start = next((place for place, part in enumerate(parts) if part.startswith("cohort_")), None)
    tail = parts[start:] if start is not None else parts
    if not tail or ".." in tail or tail[0].startswith("/"):
        return None
    return next((one for root in roots if (one := root.joinpath(*tail)).is_file()), None)


def _boxes(row: Row, path: Path, account: Account) -> list[Box]:
    own = _corners(row["DCM_ROI_coords"])
    if own:
        return own
    drawn = _corners(row["PNG_ROI_coords"] or row["ROI_coords"])
    if not drawn:
        return []
    try:
        facts = facts_of(path)
    except Unreadable:
        account.notes["boxes of images whose header cannot be read: left out"] += len(drawn)
        return []
    flipped = terms.flag(row["PNG_flipped"])
    if flipped is None:
        if not facts.orientation:
            account.notes["boxes of images that do not say how they lie (PatientOrientation): left out"] += (
                len(drawn)
            )
            return []
        flipped = facts.orientation.upper().startswith("P")
    if not flipped:
        return drawn
    return [(facts.columns - x1, y0, facts.columns - x0, y1) for x0, y0, x1, y1 in drawn]


def _corners(text: str) -> list[Box]:
    """Return boxes x0, y0, x1, y1 from nested lists of ymin, xmin, ymax, xmax; empty ones are dropped."""
    numbers = [float(n) for n in re.findall(r"\d+(?:\.\d+)?", text)]
    boxes = []
    for place in range(0, len(numbers) - 3, 4):
        y0, x0, y1, x1 = numbers[place : place + 4]
        if x1 > x0 and y1 > y0:
            boxes.append((x0, y0, x1, y1))
    return boxes


SET = PublicSet(
    name="embed",
    title="EMBED (Emory Breast Imaging Dataset), Open Data",
    source="Jeong et al., Radiology: Artificial Intelligence 2023, 10.1148/ryai.220047",
    terms="By agreement with Emory; research only.",
    layout="tables/EMBED_OpenData_metadata.csv and …_clinical.csv (or …_reduced.csv), images under cohort_N/.",
    dates="Dates are shifted, by the same span within a woman: intervals are right, calendar days are not.",
    findings=(
        "By pathology: severity 0 and 1 are malignant, 2 to 5 benign, 6 (not breast cancer) none. Without pathology by "
        "assessment: N normal, B and P benign, K malignant; A, S and M without pathology stay empty."
    ),
    outcome=(
        "Cancer: the earliest procedure with severity 0 or 1 (else its report, else the exam it is noted with). "
        "Last follow-up: her last exam."
    ),
    more=("bi_rads", "dates_known_to"),
    read=read,
)
