"""CBIS-DDSM (TCIA): scanned film mammograms with a mass or calcifications, and a mask for each abnormality.

Tables as published: {mass,calc}_case_description_{train,test}_set.csv, a row for each abnormality in each view, with
patient_id, left or right breast, image view, pathology, assessment, breast density (breast_density in the tables of
masses), image file path, cropped image file path, ROI mask file path (Lee et al., Scientific Data 2017,
10.1038/sdata.2017.177). Images are found as any of the three ways they are handed round: under the paths of the
tables; as the NBIA Data Retriever names folders (CBIS-DDSM/Mass-Training_P_00001_LEFT_CC/DATE/SERIES/1-1.dcm, or by
its metadata.csv); or as JPEG by series (jpeg/SERIES-UID/1-234.jpg).

In part of the set the paths of mask and cropped image are swapped, so of both the one that is as large as the
mammogram is taken for the mask. The test tables hold women of the training tables: these women's images are all
called train here, or a woman would stand on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from seed_data.adapters import terms
from seed_data.adapters.pictures import Facts, Unreadable, boxes_of_mask, facts_of
from seed_data.adapters.public_set import Account, Box, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import Row, find, folders_within, read_table

_TABLES = {
    f"{kind}_case_description_{split}_set.csv": split
    for kind in ("mass", "calc")
    for split in ("train", "test")
}
_FULL, _MASK, _CROP = "image file path", "ROI mask file path", "cropped image file path"
_REQUIRED = ("patient_id", "left or right breast", "image view", "pathology", _FULL)
_OPTIONAL = ("breast density", "assessment", "abnormality type", "subtlety", _MASK, _CROP)
_FINDINGS = {"MALIGNANT": "malignant", "BENIGN": "benign", "BENIGN_WITHOUT_CALLBACK": "benign"}
_SUBJECT = re.compile(r"(Mass|Calc)-(Training|Test)_P_\d+_(LEFT|RIGHT)_(CC|MLO)(_\d+)?")
_WHOLE = re.compile(rf"jpeg|{_SUBJECT.pattern}")
_PICTURES = (".dcm", ".png", ".jpg", ".jpeg")


@dataclass
class _Images:
    """Where the images of a copy of the set lie: by table path, by series, by subject."""

    roots: list[Path]
    series: dict[str, Path] = field(default_factory=dict)
    subjects: dict[str, list[Path]] = field(default_factory=dict)

    @classmethod
    def below(cls, src: Path, account: Account) -> _Images:
        found = cls(roots=[src, src / "CBIS-DDSM"])
        for folder in folders_within(src, 3, whole=_WHOLE):
            if _SUBJECT.fullmatch(folder.name):
                found.subjects.setdefault(folder.name, []).append(folder)
            elif folder.name == "jpeg":
                found.series |= {one.name: one for one in folder.iterdir() if one.is_dir()}
        listing = find(src, ("metadata.csv",))
        if listing is not None:
            try:
                for row in read_table(listing, ("Series UID", "File Location"), account=account):
                    place = PurePosixPath(row["File Location"].replace("\\", "/"))
                    if ".." not in place.parts:
                        found.series.setdefault(row["Series UID"], listing.parent / place)
            except WrongLayout:
                account.notes["metadata.csv is not that of the NBIA Data Retriever and is not used"] += 1
        return found

    def of(self, said: str, *, whole_folder: bool) -> list[Path]:
        """Return the files that a path of the tables may mean; `whole_folder` adds those beside it."""
        place = PurePosixPath(said.replace("\\", "/").strip().strip('"').strip())
        if len(place.parts) < 2 or ".." in place.parts or place.is_absolute():
            return []
        for root in self.roots:
            if (root / place).is_file():
                return _pictures(root / place.parent) if whole_folder else [root / place]
        folder = self.series.get(place.parts[-2])
        if folder is not None and folder.is_dir():
            return _pictures(folder)
        return [path for one in self.subjects.get(place.parts[0], []) for path in sorted(one.rglob("*.dcm"))]


def _pictures(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.suffix.lower() in _PICTURES)


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each abnormality in each view."""
    tables = {name: find(src, (name,)) for name in _TABLES}
    if not any(tables.values()):
        raise WrongLayout(
            f"{src} has none of the tables {', '.join(_TABLES)}. Name the folder that holds them."
        )
    images = _Images.below(src, account)
    rows: list[tuple[str, Row]] = []
    for name, table in tables.items():
        if table is None:
            account.notes[f"{name} is missing"] += 1
        else:
            rows += [(_TABLES[name], row) for row in read_table(table, _REQUIRED, _OPTIONAL, account=account)]
    in_train = {row["patient_id"] for split, row in rows if split == "train"}
    both = in_train & {row["patient_id"] for split, row in rows if split == "test"}
    if both:
        account.notes[
            "women of both the training and the test tables: all their images are called train"
        ] += len(both)
    sizes: dict[Path, Facts] = {}
    for split, row in rows:
        made = _row(row, "train" if row["patient_id"] in in_train else split, images, sizes, account)
        if made is not None:
            yield made


def _row(row: Row, split: str, images: _Images, sizes: dict[Path, Facts], account: Account) -> ExamRow | None:
    found = images.of(row[_FULL], whole_folder=False)
    if len(found) > 1:
        found = [path for path in found if "full mammogram" in path.parent.name] or found
    if not found:
        account.leave_out(row.where, "its image file is missing", row[_FULL].strip())
        return None
    if len(found) > 1:
        account.leave_out(
            row.where, "several files, and none says that it is the mammogram", row[_FULL].strip()
        )
        return None
    path = found[0]
    try:
        if path not in sizes:
            sizes[path] = facts_of(path)
    except Unreadable as error:
        account.leave_out(row.where, str(error), row[_FULL].strip())
        return None
    finding = _FINDINGS.get(row["pathology"].upper(), "")
    if not finding:
        account.notes["abnormalities without a pathology that is known here: no finding"] += 1
    return ExamRow(
        where=row.where,
        patient_id=row["patient_id"],
        path=path,
        laterality=terms.laterality(row["left or right breast"]),
        view=terms.view(row["image view"]),
        finding=finding,
        density=terms.density(row["breast density"]),
        roi=_box(row, path, sizes[path], images, account),
        split=split,
        more={
            "bi_rads": terms.bi_rads(row["assessment"]),
            "abnormality": row["abnormality type"],
            "pathology": row["pathology"].upper(),
        },
    )


def _box(row: Row, path: Path, facts: Facts, images: _Images, account: Account) -> Box | None:
    """Return the box around the mask: of the files that both paths name, the one as large as the mammogram."""
    candidates = images.of(row[_MASK], whole_folder=True) + images.of(row[_CROP], whole_folder=True)
    if not candidates:
        account.notes["abnormalities without a mask: they have no box"] += 1
        return None
    size = (facts.rows, facts.columns)
    for candidate in dict.fromkeys(candidates):
        try:
            if candidate == path or (found := facts_of(candidate)).series.lower().startswith("full"):
                continue
            if (found.rows, found.columns) == size:
                boxes = boxes_of_mask(candidate, size)
                if boxes:
                    return boxes[0]
        except Unreadable:
            continue
    account.notes["masks that are empty, unreadable or of another size than the mammogram: no box"] += 1
    return None


SET = PublicSet(
    name="cbis-ddsm",
    title="CBIS-DDSM (Curated Breast Imaging Subset of DDSM)",
    source="Lee et al., Scientific Data 2017, 10.1038/sdata.2017.177; TCIA 10.7937/K9/TCIA.2016.7O02S9CY",
    terms="CC BY 3.0.",
    layout="The four …_case_description_…_set.csv, and the images as the tables, the NBIA Data Retriever or jpeg/ name them.",
    dates="The dates in the files are those of the curation: each woman is one undated study.",
    findings="By pathology: MALIGNANT is malignant, BENIGN and BENIGN_WITHOUT_CALLBACK are benign.",
    outcome="",
    more=("bi_rads", "abnormality", "pathology"),
    read=read,
)
