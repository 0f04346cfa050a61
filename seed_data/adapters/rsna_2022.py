"""RSNA 2022 (Kaggle, Screening Mammography Breast Cancer Detection): train.csv and train_images/PATIENT/IMAGE.dcm.

Columns as the competition's data page gives them: site_id, patient_id, image_id, laterality, view, age, cancer,
biopsy, invasive, BIRADS (0 needs follow-up, 1 negative, 2 normal), implant, density (A–D), machine_id,
difficult_negative_case. One exam a woman, no dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seed_data.adapters import terms
from seed_data.adapters.public_set import Account, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import Row, find, read_table

_REQUIRED = ("patient_id", "image_id", "laterality", "view", "cancer")
_OPTIONAL = ("age", "biopsy", "BIRADS", "density", "implant", "site_id")
_SUFFIXES = (".dcm", ".png", ".jpg")


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each image of train.csv."""
    table = find(src, ("train.csv",))
    if table is None:
        raise WrongLayout(f"{src} has no train.csv. Name the folder with train.csv and train_images.")
    folders = [one for one in (table.parent / "train_images", table.parent / "images") if one.is_dir()]
    for row in read_table(table, _REQUIRED, _OPTIONAL, account=account):
        path = _picture([*folders, table.parent], row)
        if path is None:
            account.leave_out(
                row.where, "its image file is missing", f"{row['patient_id']}/{row['image_id']}.dcm"
            )
            continue
        yield ExamRow(
            where=row.where,
            patient_id=row["patient_id"],
            path=path,
            laterality=terms.laterality(row["laterality"]),
            view=terms.view(row["view"]),
            age=terms.age_years(row["age"]),
            finding=_finding(row),
            density=terms.density(row["density"]),
            more={
                "bi_rads": terms.bi_rads(row["BIRADS"]),
                "cancer": {True: "1", False: "0", None: ""}[terms.flag(row["cancer"])],
                "implant": {True: "1", False: "0", None: ""}[terms.flag(row["implant"])],
                "site": row["site_id"],
            },
        )


def _finding(row: Row) -> str:
    cancer, biopsy = terms.flag(row["cancer"]), terms.flag(row["biopsy"])
    if cancer:
        return "malignant"
    if cancer is None:
        return ""
    if biopsy:
        return "benign"
    return "normal" if terms.bi_rads(row["BIRADS"]) in ("1", "2") else ""


def _picture(folders: list[Path], row: Row) -> Path | None:
    patient, image = row["patient_id"], row["image_id"]
    if not patient.isalnum() or not image.isalnum():
        return None
    for folder in folders:
        for stem in (folder / patient / image, folder / f"{patient}_{image}", folder / image):
            for suffix in _SUFFIXES:
                path = stem.with_name(stem.name + suffix)
                if path.is_file():
                    return path
    return None


SET = PublicSet(
    name="rsna-2022",
    title="RSNA Screening Mammography Breast Cancer Detection (2022)",
    source="Carr et al., RSNA Screening Mammography Breast Cancer Detection, Kaggle 2022",
    terms="Competition rules: non-commercial research.",
    layout="train.csv beside train_images/PATIENT/IMAGE.dcm.",
    dates="No dates are given: each woman is one undated study.",
    findings=(
        "cancer is malignant; a biopsy without cancer is benign; neither, with BIRADS 1 or 2, is normal; all else "
        "stays empty. Use the column cancer (0 or 1) to have every image."
    ),
    outcome="",
    more=("bi_rads", "cancer", "implant", "site"),
    read=read,
)
