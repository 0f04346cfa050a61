"""CMMD, the Chinese Mammography Database (TCIA): 1,775 women with biopsy-proven lesions, DICOM and a workbook.

Layout as the NBIA Data Retriever writes it: CMMD/D1-0001/STUDY/SERIES/1-1.dcm, and beside it
CMMD_clinicaldata_revision.xlsx (or saved as CSV) with ID1, LeftRight, Age, number, abnormality, classification,
subtype: a row for each breast with a lesion (Cui et al., TCIA 2021, 10.7937/tcia.eqde-4b16). Side and view stand in
the DICOM headers only: ImageLaterality, and View Code Sequence (SNOMED CT) for the view.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from core.rules.vocabulary import FINDINGS
from seed_data.adapters import terms
from seed_data.adapters.pictures import Facts, Unreadable, facts_of
from seed_data.adapters.public_set import Account, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import Row, find, folders_within, read_table

_TABLES = tuple(f"CMMD_clinicaldata_revision{suffix}" for suffix in (".csv", ".xlsx", "_CSV.csv"))
_REQUIRED = ("ID1", "LeftRight", "classification")
_OPTIONAL = ("Age", "abnormality", "subtype")
_WOMAN = re.compile(r"D[12]-\d{4}")
_FINDINGS = {"benign": "benign", "malignant": "malignant"}
_WORSE = ("", *FINDINGS)


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each DICOM image, with what the clinical table says of that breast."""
    table = find(src, _TABLES, depth=2)
    if table is None:
        raise WrongLayout(
            f"{src} has no CMMD_clinicaldata_revision.xlsx (or .csv). Name the folder with it and the folder CMMD."
        )
    women = _women(src)
    if not women:
        raise WrongLayout(
            f"{src} has no folders D1-0001, D1-0002, … with images. Name the folder that holds CMMD."
        )
    breasts = _breasts(read_table(table, _REQUIRED, _OPTIONAL, account=account), account)
    for name, folder in sorted(women.items()):
        of_woman = {side: row for (woman, side), row in breasts.items() if woman == name}
        if not of_woman:
            account.notes["women without a row in the clinical table: their images have no finding"] += 1
        for path in sorted(folder.rglob("*.dcm")):
            where = path.relative_to(src).as_posix()
            try:
                facts = facts_of(path)
            except Unreadable as error:
                account.leave_out(where, str(error), name)
                continue
            yield _row(name, path, where, facts, of_woman)
    for name in sorted({woman for woman, _ in breasts} - set(women)):
        account.leave_out(table.name, "its image file is missing", name)


def _row(name: str, path: Path, where: str, facts: Facts, of_woman: dict[str, Row]) -> ExamRow:
    row = of_woman.get(facts.laterality)
    ages = [terms.age_years(one["Age"]) for one in of_woman.values()]
    return ExamRow(
        where=where,
        patient_id=name,
        path=path,
        laterality=facts.laterality,
        view=facts.view,
        study_date=facts.study_date,
        age=next(filter(None, ages), "") or facts.age,
        finding=_FINDINGS.get(row["classification"].casefold(), "") if row else "",
        more={"abnormality": row["abnormality"] if row else "", "subtype": row["subtype"] if row else ""},
    )


def _women(src: Path) -> dict[str, Path]:
    return {one.name: one for one in folders_within(src, 3, whole=_WOMAN) if _WOMAN.fullmatch(one.name)}


def _breasts(rows: Iterator[Row], account: Account) -> dict[tuple[str, str], Row]:
    """Return by woman and side what is said of the breast; of several rows the worst counts."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        side = terms.laterality(row["LeftRight"])
        said = _FINDINGS.get(row["classification"].casefold(), "")
        if not _WOMAN.fullmatch(row["ID1"]) or not side:
            account.leave_out(row.where, "ID1 or LeftRight is missing", row["ID1"])
            continue
        if not said:
            account.notes["breasts whose classification is neither benign nor malignant: no finding"] += 1
        before = found.get((row["ID1"], side))
        worst = _FINDINGS.get(before["classification"].casefold(), "") if before else ""
        if before is None or _WORSE.index(said) > _WORSE.index(worst):
            found[row["ID1"], side] = row
    return found


SET = PublicSet(
    name="cmmd",
    title="The Chinese Mammography Database (CMMD)",
    source="Cui et al., TCIA 2021, 10.7937/tcia.eqde-4b16",
    terms="CC BY 4.0.",
    layout="CMMD_clinicaldata_revision.xlsx (or .csv) and CMMD/D1-0001/STUDY/SERIES/1-1.dcm.",
    dates="Dates are those of the DICOM headers, which the curators changed; one visit a woman.",
    findings="By biopsy: Benign is benign, Malignant malignant; a breast that the table does not name has no finding.",
    outcome="",
    more=("abnormality", "subtype"),
    read=read,
)
