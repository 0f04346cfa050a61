"""BUSI: 780 breast ultrasound images in the folders benign, malignant and normal, each with its masks.

Layout of the published Dataset_BUSI_with_GT: ``benign/benign (1).png``, ``benign/benign (1)_mask.png``, and
``…_mask_1.png`` where an image has more lesions (Al-Dhabyani et al., Data in Brief 2020, 10.1016/j.dib.2019.104863).
The set names no women, and some images show the same lesion again: each image stands alone here, and `core train
image` looks for near duplicates before it splits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seed_data.adapters.pictures import Unreadable, boxes_of_mask, facts_of
from seed_data.adapters.public_set import Account, Box, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import folders_within

_CLASSES = ("benign", "malignant", "normal")
_MASK = re.compile(r"(.+)_mask(_\d+)?", re.IGNORECASE)
_PICTURES = (".png", ".jpg", ".jpeg")


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each lesion that a mask draws, or one for an image without any."""
    folder = next(
        (one for one in folders_within(src, 1) if any((one / name).is_dir() for name in _CLASSES)), None
    )
    if folder is None:
        raise WrongLayout(f"{src} has none of the folders {', '.join(_CLASSES)}. Name Dataset_BUSI_with_GT.")
    for name in _CLASSES:
        if not (folder / name).is_dir():
            account.notes[f"the folder {name} is missing"] += 1
            continue
        files = sorted(one for one in (folder / name).iterdir() if one.suffix.lower() in _PICTURES)
        masks: dict[str, list[Path]] = {}
        for path in files:
            if match := _MASK.fullmatch(path.stem):
                masks.setdefault(match[1], []).append(path)
        for path in files:
            if not _MASK.fullmatch(path.stem):
                yield from _rows(path, name, masks.pop(path.stem, []), account)
        for left in masks.values():
            for mask in left:
                account.leave_out(f"{name}/{mask.name}", "a mask without its image", mask.stem)


def _rows(path: Path, name: str, masks: list[Path], account: Account) -> Iterator[ExamRow]:
    where = f"{name}/{path.name}"
    try:
        facts = facts_of(path)
    except Unreadable as error:
        account.leave_out(where, str(error), path.stem)
        return
    boxes: list[Box | None] = []
    for mask in masks if name != "normal" else []:
        try:
            boxes += boxes_of_mask(mask, (facts.rows, facts.columns))
        except Unreadable as error:
            account.notes[f"{error}: no box"] += 1
    if name != "normal" and not boxes:
        account.notes["lesions without a mask: they have no box"] += 1
    for box in boxes or [None]:
        yield ExamRow(
            where=where, patient_id=f"busi {path.stem}", path=path, modality="US", finding=name, roi=box
        )


SET = PublicSet(
    name="busi",
    title="Breast Ultrasound Images (BUSI)",
    source="Al-Dhabyani et al., Data in Brief 2020, 10.1016/j.dib.2019.104863",
    terms="Free for research; cite.",
    layout="The folders benign, malignant and normal, with images and their _mask.png.",
    dates="No dates and no women are given: each image is one undated study of its own, near duplicates too.",
    findings="By folder: benign, malignant, normal.",
    outcome="",
    more=(),
    read=read,
)
