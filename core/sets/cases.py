"""Labelled images for a classifier: from an exam manifest or a folder of class sub-folders, bad ones named."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from core.rules.vocabulary import DENSITIES, FINDINGS, FindingClass
from core.sets.manifest import (
    MOVED,
    OPTIONAL,
    REQUIRED,
    BadRow,
    Manifest,
    ManifestRow,
    read_manifest,
    stated_split,
)

__all__ = [
    "CaseError",
    "Cases",
    "DensitySource",
    "ImageCase",
    "check_own_lesions",
    "choose_classes",
    "gather_cases",
    "gather_pictures",
    "may_be",
    "parse_density_source",
    "told_apart",
    "with_practice",
]

NORMAL = FINDINGS[0]
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", "")
"""What is taken for an image in a folder; bytes, not names, decide how it is read."""


class CaseError(ValueError):
    """The images cannot be used as they are; the message says why and what to do."""


@dataclass(frozen=True)
class ImageCase:
    """One labelled image, or one labelled box of it.

    `group` is the woman (or near-duplicate group); `source` says where the label stands, for messages; `anywhere`
    asks for a box of the tissue of an image without a lesion; `practice` images are learned from, never measured on;
    `lesions` are the boxes drawn in an image that is shown whole, and whether each is malignant; `drawn` says that what is
    found was put into a picture, and `lesion_of` that it is a lesion moved there from another woman: who she is or, of practice,
    her group; `woman` is who is shown, as her manifest calls her, where one does.
    """

    path: Path
    group: str
    label: str
    source: str
    box: tuple[float, float, float, float] | None = None
    modality: str = "MG"
    density: str | None = None
    split: str | None = None
    anywhere: bool = False
    practice: bool = False
    study_date: date | None = None
    laterality: str | None = None
    view: str | None = None
    lesions: tuple[tuple[tuple[float, float, float, float], bool], ...] = ()
    drawn: bool = False
    lesion_of: str = ""
    woman: str = ""

    @property
    def groups(self) -> frozenset[str]:
        """Return the groups of all of whom it shows something."""
        return frozenset({self.group, self.lesion_of} - {""})

    @property
    def name(self) -> str:
        """Return what the image is called in messages and tables: folder and file."""
        return f"{self.path.parent.name}/{self.path.name}" if self.path.parent.name else self.path.name


@dataclass(frozen=True)
class DensitySource:
    """A column that tells density in other words, and which density each of its values stands for.

    Where a value may be of several densities they are joined by +, such as C+D.
    """

    column: str
    stands_for: dict[str, str]


@dataclass
class Cases:
    """What was gathered: cases, refused rows or files (where, why), notices; `grouped` if women are stated."""

    cases: list[ImageCase] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    grouped: bool = True

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the labels that occur, in the field's order where it has one, else by name; of C+D, C and D."""
        seen = {part for case in self.cases for part in _parts(case.label)}
        if seen <= set(FINDINGS):
            return tuple(one for one in FINDINGS if one in seen)
        return tuple(sorted(seen))


def gather_cases(
    sources: Sequence[Path], task: str, *, boxes: bool = False, density_from: DensitySource | None = None
) -> Cases:
    """Gather labelled images.

    Parameters
    ----------
    sources
        Exam manifests, or folders with a sub-folder for each class (or with train, validation and test folders of
        such). A folder that holds a manifest.csv is read by it.
    task
        ``finding``, ``density`` or a column of the manifest; a folder's classes are its sub-folders.
    boxes
        True if each box is a case. Of normal images a box of tissue is chosen, as large as the others are in the
        middle; other images without a box are left out.
    density_from
        Where a manifest that has such a column tells density, in rows that do not state it.

    Raises
    ------
    CaseError
        If a source is missing, is of neither kind, or lacks the column.
    """
    gathered = Cases()
    spelled: dict[str, str] = {}
    for number, source in enumerate(sources):
        inner = source / "manifest.csv"
        manifest = inner if inner.is_file() else source
        if not source.exists():
            raise CaseError(f"There is no file or folder {source}.")
        one = (
            _from_folder(source)
            if manifest.is_dir()
            else _from_manifest(manifest, task, boxes, density_from, spelled)
        )
        prefix = "" if number == 0 else f"{number + 1}:"
        gathered.cases += [replace(case, group=prefix + case.group) for case in one.cases]
        gathered.refused += one.refused
        gathered.notices += one.notices
        gathered.grouped &= one.grouped
    return gathered


def _whose(drawn: ImageCase, woman: str, named: dict[str, set[str]]) -> str:
    """Return the group of a woman of whom a picture for practice shows something."""
    groups = named.get(woman, set())
    if len(groups) != 1:
        how = (
            "are several women of the images that are measured"
            if groups
            else "is none of the women that are measured"
        )
        raise CaseError(
            f"{drawn.source}: it shows something of {woman}, who {how}. Put lesions into the pictures of one manifest, and "
            "train on that."
        )
    return next(iter(groups))


def gather_pictures(source: Path, *, boxes: bool = False) -> Cases:
    """Gather the images of an exam manifest, or of a folder of sub-folders, whatever is known of them.

    With `boxes` each box that is drawn is a case, and of an image without one a box of tissue.

    Raises
    ------
    CaseError
        If there is no such file or folder.
    """
    inner = source / "manifest.csv"
    path = inner if inner.is_file() else source
    if not source.exists():
        raise CaseError(f"There is no file or folder {source}.")
    if path.is_dir():
        gathered = _from_folder(path)
        gathered.cases = [replace(case, anywhere=boxes) for case in gathered.cases]
        return gathered
    manifest = read_manifest(path)
    by_case = {
        (row.path, row.roi if boxes else None): ImageCase(
            path=row.path,
            group=row.shown_woman,
            label="",
            source=f"{path}, line {row.line}",
            box=row.roi if boxes else None,
            anywhere=boxes and row.roi is None,
            modality=row.modality,
        )
        for row in manifest.rows
    }
    return Cases(list(by_case.values()), [_where(path, bad) for bad in manifest.refused])


def with_practice(cases: Cases, practice: Cases) -> Cases:
    """Return cases together with others that are only for practice; its women are none of the first's.

    But for findings put into pictures of those: such teach only where all may of whom they show something.

    Raises
    ------
    CaseError
        If findings were put into pictures of a woman, or are of one, who is not, or not for certain, among the first's.
    """
    named: dict[str, set[str]] = {}
    for case in cases.cases:
        named.setdefault(case.woman, set()).add(case.group)
    others = [
        replace(
            one,
            group=_whose(one, one.woman, named) if one.drawn else f"practice:{one.group}",
            lesion_of=_whose(one, one.lesion_of, named) if one.lesion_of else "",
            split=None,
            practice=True,
        )
        for one in practice.cases
    ]
    return Cases(
        [*cases.cases, *others],
        [*cases.refused, *practice.refused],
        [*cases.notices, *practice.notices],
        cases.grouped,
    )


def check_own_lesions(cases: Sequence[ImageCase]) -> None:
    """Raise CaseError where a case that is not for practice shows a lesion of another woman."""
    moved = next((case for case in cases if case.lesion_of and not case.practice), None)
    if moved is not None:
        raise CaseError(f"{moved.source}: {MOVED}")


def choose_classes(cases: Cases, wanted: str | None) -> tuple[Cases, tuple[str, ...]]:
    """Keep and merge classes as asked, and return their order.

    Parameters
    ----------
    cases
        What was gathered.
    wanted
        Such as ``benign,malignant`` (others are left out) or ``normal+benign,malignant`` (the first two are one
        class); the last is the positive one. None keeps all.

    Raises
    ------
    CaseError
        If a class does not occur, or only one is left.
    """
    known = cases.classes
    if wanted is None:
        order, chosen = known, cases
    else:
        order = tuple(name.strip() for name in wanted.split(","))
        joined = {part.strip(): name for name in order for part in _parts(name)}
        for part in joined:
            if part not in known:
                raise CaseError(
                    f"No image is of the class {part!r}. There are: {', '.join(known) or 'none'}."
                )
        kept = []
        for one in cases.cases:
            names = {joined.get(part) for part in _parts(one.label)}
            if None not in names:
                # A label that leaves several classes open stays as it is; the others become their class's name.
                kept.append(replace(one, label=str(names.pop())) if len(names) == 1 else one)
        chosen = replace(cases, cases=kept)
    if not chosen.cases:
        why = (
            f" The first that was refused: {cases.refused[0][0]}: {cases.refused[0][1]}"
            if cases.refused
            else ""
        )
        raise CaseError(f"There is no labelled image to use.{why}")
    if len(order) < 2:
        raise CaseError(f"All images are of one class, {order[0]!r}: two classes at least are needed.")
    return chosen, order


def may_be(label: str, classes: Sequence[str]) -> list[bool]:
    """Tell which classes a label may be: one as a rule, both C and D of C+D where they are classes of their own."""
    if label in classes:
        return [label == name for name in classes]
    parts = set(_parts(label))
    return [bool(parts & set(_parts(name))) for name in classes]


def _parts(label: str) -> list[str]:
    """Return the classes of which a label or a class is made: C and D of C+D. A plus at its end is its own: HER2+."""
    parts = label.split("+")
    return parts if all(part.strip() for part in parts) else [label]


def told_apart(labels: Sequence[str], classes: Sequence[str]) -> list[list[int]]:
    """Return the classes in groups that labels tell apart: each alone, or together where a label leaves them open."""
    groups = [[place] for place in range(len(classes))]
    for label in sorted(set(labels)):
        held = {place for place, one in enumerate(may_be(label, classes)) if one}
        touched = [group for group in groups if held & set(group)]
        if len(touched) > 1:
            groups = [group for group in groups if group not in touched]
            groups.append(sorted(place for group in touched for place in group))
    return sorted(groups)


def parse_density_source(text: str | None) -> DensitySource | None:
    """Read ``tissue:F=A,G=B,D=C+D``; CaseError if it is not so written."""
    if not text:
        return None
    column, _, pairs = text.partition(":")
    stands_for = dict(pair.split("=", 1) for pair in pairs.split(",") if "=" in pair)
    letters = {part for value in stands_for.values() for part in value.split("+")}
    if not column.strip() or not stands_for or not letters <= set(DENSITIES):
        raise CaseError(
            f"{text!r} does not say where density is told: write column:value=A,value=B,value=C+D and so on."
        )
    return DensitySource(column.strip(), {key.strip(): value for key, value in stands_for.items()})


def _from_manifest(
    path: Path, task: str, boxes: bool, density_from: DensitySource | None, spelled: dict[str, str]
) -> Cases:
    """Read a manifest; `spelled` holds how each label was spelt first, over all manifests."""
    manifest: Manifest = read_manifest(path)
    gathered = Cases(refused=[_where(path, bad) for bad in manifest.refused])
    # The notice names columns that are not used; of a task that is such a column it would be wrong.
    if task in ("finding", "density"):
        gathered.notices += [f"{path}: {notice}" for notice in manifest.notices]
    density_of = _density_reader(path, density_from)
    label_of = density_of if task == "density" else _label_reader(path, task)
    by_image: dict[Path, ImageCase] = {}
    without_box = 0
    for row in manifest.rows:
        text = label_of(row)
        if text is None or not text.strip():
            gathered.refused.append(
                (f"{path}, line {row.line}", f"The {task} is blank: the image is left out.")
            )
            continue
        normal = task == "finding" and text.strip() == NORMAL
        if boxes and row.roi is None and not normal:
            without_box += 1
            continue
        label = spelled.setdefault(text.strip().casefold(), text.strip())
        case = ImageCase(
            path=row.path,
            group=row.shown_woman,
            label=label,
            source=f"{path}, line {row.line}",
            box=row.roi if boxes else None,
            anywhere=boxes and row.roi is None,
            modality=row.modality,
            density=density_of(row),
            split=_split_of(row, path),
            study_date=row.study_date,
            laterality=row.laterality,
            view=row.view,
            lesions=() if boxes or row.roi is None else ((row.roi, row.finding == FindingClass.MALIGNANT),),
            drawn=row.drawn_into is not None,
            lesion_of=row.lesion_of or "",
            woman=row.shown_woman,
        )
        before = None if boxes else by_image.get(row.path)
        if before is not None:
            _same_image(before, case, by_image)
            continue
        by_image[row.path if not boxes else Path(f"{row.path}#{row.line}")] = case
    gathered.cases = list(by_image.values())
    if without_box:
        gathered.notices.append(f"{path}: {without_box} images without a box are left out.")
    return gathered


def _same_image(before: ImageCase, case: ImageCase, by_image: dict[Path, ImageCase]) -> None:
    """Take several rows of one image as one case: of findings the worst counts, other labels must agree."""
    before = replace(before, lesions=before.lesions + case.lesions)
    by_image[case.path] = before
    if before.lesion_of != case.lesion_of:
        raise CaseError(
            f"{case.source}: {case.name} has a lesion of {case.lesion_of or 'no other woman'!r}, but by {before.source} one of "
            f"{before.lesion_of or 'no other woman'!r}. Make the set anew."
        )
    if before.label == case.label and before.group == case.group:
        return
    if before.group != case.group:
        raise CaseError(
            f"{case.source}: {case.name} is given to {case.group!r}, but by {before.source} to {before.group!r}."
        )
    if {before.label, case.label} <= set(FINDINGS):
        worst = max(before.label, case.label, key=FINDINGS.index)
        by_image[case.path] = replace(before, label=worst)
        return
    raise CaseError(f"{case.source}: {case.name} is {case.label!r}, but {before.label!r} by {before.source}.")


def _where(path: Path, bad: BadRow) -> tuple[str, str]:
    return f"{path}, line {bad.line}", bad.reason


def _split_of(row: ManifestRow, path: Path) -> str | None:
    if row.split is None:
        return None
    known = stated_split(row.split)
    if known is None:
        raise CaseError(f"{path}, line {row.line}: split is {row.split!r}, not train, validation or test.")
    return known


def _label_reader(path: Path, task: str) -> Callable[[ManifestRow], str | None]:
    """Return what reads a row's label: a field of the manifest, or a column that only this task knows."""
    if task == "finding":
        return lambda row: row.finding
    names, by_line = _column(path, task)
    if task not in names:
        others = [name for name in names if name not in REQUIRED + OPTIONAL]
        raise CaseError(
            f"{path} has no column {task!r}. The task is finding, density or a column"
            f"{': ' + ', '.join(others) if others else ''}."
        )
    return lambda row: by_line.get(row.line)


def _density_reader(path: Path, source: DensitySource | None) -> Callable[[ManifestRow], str | None]:
    """Return what reads a row's density: as stated, else as another column tells it, if the manifest has that."""
    if source is None:
        return lambda row: row.density
    _, by_line = _column(path, source.column)
    return lambda row: row.density or source.stands_for.get(by_line.get(row.line, "").strip())


def _column(path: Path, column: str) -> tuple[list[str], dict[int, str]]:
    """Return a manifest's columns, and what stands in one of them by line; nothing if it is none of them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        names = list(reader.fieldnames or ())
        by_line: dict[int, str] = {}
        line = reader.line_num + 1
        for values in reader if column in names else ():
            by_line[line] = values[column] or ""
            line = reader.line_num + 1
    return names, by_line


def _from_folder(folder: Path) -> Cases:
    """Read a folder of class sub-folders, or of train, validation and test folders of such."""
    inner = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    if not inner:
        raise CaseError(f"{folder} has no sub-folders. It needs one for each class, or a manifest.csv.")
    split = all(stated_split(one.name) for one in inner)
    gathered = Cases(grouped=False)
    for top in inner:
        for place in sorted(one for one in top.iterdir() if one.is_dir()) if split else [top]:
            found = sorted(one for one in place.rglob("*") if one.is_file() and not one.name.startswith("."))
            if not found:
                gathered.notices.append(f"{place} is empty.")
            for path in found:
                if path.suffix.lower() not in SUFFIXES:
                    gathered.refused.append((str(path), "It is neither DICOM, PNG, JPEG nor TIFF."))
                    continue
                gathered.cases.append(
                    ImageCase(
                        path=path,
                        group=str(path.relative_to(folder)),
                        label=place.name.strip(),
                        source=str(path),
                        modality="",
                        split=stated_split(top.name) if split else None,
                    )
                )
    return gathered
