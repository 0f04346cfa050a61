"""What reading a file gives: what it says of itself, its facts and its pixels."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

BODY_PART = "body_part"
"""Under this name `Header.unusable` holds that a file of modality US or MR shows another part of the body."""


@dataclass
class Header:
    """What a file says of itself; None where it says nothing, or contradicts itself.

    `patient_name` is her name in the first script that the file has it in, `other_names` the rest. `unusable` says of
    each identifier that is there but cannot be kept as it is, by the name of its field here, what is wrong with it.
    """

    patient_id: str | None = None
    patient_id_issuer: str | None = None
    patient_name: str | None = None
    other_names: list[str] = field(default_factory=list)
    birth_date: date | None = None
    sex: str | None = None
    age_years: float | None = None
    study_uid: str | None = None
    study_date: date | None = None
    study_description: str | None = None
    sop_uid: str | None = None
    series_uid: str | None = None
    sop_class_uid: str | None = None
    modality: str | None = None
    laterality: str | None = None
    view: str | None = None
    simulated: bool = False
    unusable: dict[str, str] = field(default_factory=dict)


@dataclass
class ReadImage:
    """One decoded image and what is known of it.

    `pixels` is uint16 (rows, cols), larger = brighter; empty where they were not asked for. `rows` and
    `columns` are those of the image. The window is in pixel values, as the file gives it, and not applied.
    `doubt` says why this is taken for no mammogram, None if it is one. `contradictions` are sentences on what
    the file says two ways. `measured` is what `core.images.quality.measures` finds, where the image is prepared to be kept.
    `other_kind` is US or MR where the file calls itself such an image of the breast; `looks_like` US where it says nothing
    and is one by its pixels. Both have a doubt too. `frame` is which one this is of the `frames` that the file holds, from 1.
    `bits_left` is what compression with loss left of it (`core.images.lossy`), None where nothing is lost.
    """

    rows: int
    columns: int
    bits_stored: int
    media_type: str
    pixels: NDArray[np.uint16]
    pixel_spacing_mm: float | None = None
    window_center: float | None = None
    window_width: float | None = None
    manufacturer: str | None = None
    header: Header = field(default_factory=Header)
    quality_flags: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    doubt: str | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    other_kind: str | None = None
    frames: int = 1
    frame: int = 1
    bits_left: float | None = None
    looks_like: str | None = None


def image_to_json(image: ReadImage) -> dict[str, Any]:
    """Return the facts of an image as plain values; the pixels are not among them."""
    facts = {f.name: getattr(image, f.name) for f in fields(image) if f.name not in ("pixels", "header")}
    facts["header"] = {
        f.name: value.isoformat() if isinstance(value := getattr(image.header, f.name), date) else value
        for f in fields(Header)
    }
    return facts


def image_from_json(facts: dict[str, Any]) -> ReadImage:
    """Return the image that `image_to_json` wrote, without pixels."""
    said = dict(facts["header"])
    for name in ("birth_date", "study_date"):
        said[name] = date.fromisoformat(said[name]) if said[name] else None
    return ReadImage(**{**facts, "header": Header(**said), "pixels": np.zeros((0, 0), np.uint16)})
