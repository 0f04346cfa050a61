"""VinDr-Mammo (PhysioNet): 5,000 exams of four views, BI-RADS and density by breast, boxes with a BI-RADS of their own.

Columns as published in breast-level_annotations.csv (study_id, series_id, image_id, laterality, view_position,
height, width, breast_birads, breast_density, split) and finding_annotations.csv (the same, finding_categories,
finding_birads, xmin, ymin, xmax, ymax); images under images/STUDY/IMAGE.dicom (Nguyen et al., Scientific Data 2023,
10.1038/s41597-023-02100-7). There is no pathology: BI-RADS 4 and 5 are what readers suspected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from core.rules.vocabulary import FINDINGS
from seed_data.adapters import terms
from seed_data.adapters.public_set import Account, Box, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import Row, find, read_table

_BREASTS = "breast-level_annotations.csv"
_FINDINGS = "finding_annotations.csv"
_REQUIRED = ("study_id", "image_id", "laterality", "view_position", "breast_birads", "breast_density")
_BOXES = ("image_id", "xmin", "ymin", "xmax", "ymax", "finding_birads")
_BY_BI_RADS = {"1": "normal", "2": "benign", "3": "benign", "4": "malignant", "5": "malignant"}
_WORSE = ("", *FINDINGS)
_SPLITS = {"training": "train", "test": "test"}
_SUFFIXES = (".dicom", ".dcm", ".png")


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each box, and one for each image whose breast is judged worse than its boxes are."""
    table = find(src, (_BREASTS,))
    if table is None:
        raise WrongLayout(f"{src} has no {_BREASTS}. Name the folder with it and images/STUDY/IMAGE.dicom.")
    boxes = _boxes(table.parent / _FINDINGS, account)
    ages = _ages(table.parent / "metadata.csv", account)
    for row in read_table(table, _REQUIRED, ("split",), account=account):
        path = _picture(table.parent, row)
        if path is None:
            account.leave_out(
                row.where, "its image file is missing", f"images/{row['study_id']}/{row['image_id']}.dicom"
            )
            continue
        breast = _BY_BI_RADS.get(terms.bi_rads(row["breast_birads"]), "")
        drawn = boxes.pop(row["image_id"], [])
        of_image: list[tuple[str, str, Box | None]] = [
            (_BY_BI_RADS.get(said, ""), said, box) for said, box in drawn
        ]
        if max([_WORSE.index(finding) for finding, _, _ in of_image], default=-1) < _WORSE.index(breast):
            of_image.append((breast, "", None))
        for finding, said, box in of_image or [(breast, "", None)]:
            yield ExamRow(
                where=row.where,
                patient_id=row["study_id"],
                path=path,
                laterality=terms.laterality(row["laterality"]),
                view=terms.view(row["view_position"]),
                age=ages.get(row["image_id"], ""),
                finding=finding,
                density=terms.density(row["breast_density"]),
                roi=box,
                split=_SPLITS.get(row["split"].lower(), ""),
                more={"bi_rads": said or terms.bi_rads(row["breast_birads"])},
            )
    for image, left in boxes.items():
        account.leave_out(
            _FINDINGS, f"boxes of an image that {_BREASTS} does not list or that is missing", image
        )
        account.notes["boxes without their image"] += len(left)


def _boxes(table: Path, account: Account) -> dict[str, list[tuple[str, Box]]]:
    """Return by image the boxes and their BI-RADS; rows without corners say that nothing was found."""
    found: dict[str, list[tuple[str, Box]]] = {}
    if not table.is_file():
        account.notes[f"{_FINDINGS} is missing: there are no boxes"] += 1
        return found
    for row in read_table(table, _BOXES, account=account):
        try:
            x0, y0, x1, y1 = (float(row[name]) for name in ("xmin", "ymin", "xmax", "ymax"))
        except ValueError:
            continue
        if not all(map(math.isfinite, (x0, y0, x1, y1))):
            continue
        if x1 <= x0 or y1 <= y0:
            account.leave_out(row.where, "its box is empty", row["image_id"])
            continue
        found.setdefault(row["image_id"], []).append((terms.bi_rads(row["finding_birads"]), (x0, y0, x1, y1)))
    return found


def _ages(table: Path, account: Account) -> dict[str, str]:
    if not table.is_file():
        return {}
    wanted = ("SOP Instance UID", "Patient's Age")
    try:
        rows = list(read_table(table, wanted, account=account))
    except WrongLayout:
        account.notes["metadata.csv gives no ages"] += 1
        return {}
    return {row[wanted[0]]: terms.age_years(row[wanted[1]]) for row in rows}


def _picture(folder: Path, row: Row) -> Path | None:
    study, image = row["study_id"], row["image_id"]
    if not study.isalnum() or not image.isalnum():
        return None
    for top in ("images", "dicom", "png", "."):
        for suffix in _SUFFIXES:
            path = folder / top / study / f"{image}{suffix}"
            if path.is_file():
                return path
    return None


SET = PublicSet(
    name="vindr-mammo",
    title="VinDr-Mammo",
    source="Nguyen et al., Scientific Data 2023, 10.1038/s41597-023-02100-7",
    terms="PhysioNet Credentialed Health Data License 1.5.0.",
    layout=f"{_BREASTS}, {_FINDINGS} and images/STUDY/IMAGE.dicom.",
    dates="No usable dates are given, and one exam a woman: each exam is one undated study, the exam stands for the woman.",
    findings=(
        "By BI-RADS, breast and box each by its own: 1 is normal, 2 and 3 benign, 4 and 5 malignant. "
        "4 and 5 are what readers suspected; there is no pathology."
    ),
    outcome="",
    more=("bi_rads",),
    read=read,
)
