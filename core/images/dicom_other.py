"""Breast ultrasound and MR in DICOM: whether a file calls itself that, and mm a pixel."""

from __future__ import annotations

import re
from typing import Any

from core.images.dicom_header import HeaderReader, quoted
from core.images.read_image import BODY_PART
from core.rules.vocabulary import OTHER_KIND_WORDS

__all__ = ["names_breast", "other_kind", "spacing_of_other", "why_no_other_kind"]

_BREAST = re.compile(r"BREAST|MAMM|SENO|SEIN|BRUST|AXILL", re.IGNORECASE)
_BREAST_CODES = frozenset(
    {"76752008", "T-04000", "91470000", "T-D8104", "T-D8100", "181131000", "T-04020", "T-04030"}
)
_DESCRIPTIONS = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
)
_CENTIMETRES = 3
"""Physical Units X Direction (0018,6024) in PS3.3 C.8.5.5."""


def names_breast(words: str) -> bool:
    """Return whether a body part or a description is of the breast."""
    return _BREAST.search(words) is not None


def other_kind(reading: HeaderReader) -> str | None:
    """Return US or MR where modality and another word of the file say so of the breast; else None."""
    modality = (reading.shown("Modality", 16) or "").upper()
    if modality not in OTHER_KIND_WORDS or why_no_other_kind(reading) is not None:
        return None
    return modality


def why_no_other_kind(reading: HeaderReader) -> str | None:
    """Return why a file of modality US or MR is not taken for one of the breast; None if it is, or is of another modality.

    A body part that is another's is noted in `HeaderReader.unusable` as well: no person's word goes over it.
    """
    modality = (reading.shown("Modality", 16) or "").upper()
    if modality not in OTHER_KIND_WORDS:
        return None
    part = reading.shown("BodyPartExamined", 64)
    regions = [value for value, _ in reading.codes("AnatomicRegionSequence")]
    if part and not names_breast(part):
        reading.unusable[BODY_PART] = f"By its own word it shows another part of the body: {quoted(part)}."
        return reading.unusable[BODY_PART]
    if part or _BREAST_CODES.intersection(regions):
        return None
    if any(names_breast(reading.shown(keyword, 256) or "") for keyword in _DESCRIPTIONS):
        return None
    return f"It is of modality {modality} and does not say that it shows the breast."


def spacing_of_other(reading: HeaderReader, kind: str) -> float | None:
    """Return mm a pixel of an ultrasound image's tissue, or of an MR image's plane; None where it is not one number."""
    return _of_ultrasound(reading) if kind == "US" else _of_plane(reading)


def _of_ultrasound(reading: HeaderReader) -> float | None:
    """Return that of the calibrated two-dimensional regions (PS3.3 C.8.5.5); None where they differ."""
    found = set()
    for _, region in reading.codes("SequenceOfUltrasoundRegions"):
        if _number(reading, region, "RegionSpatialFormat") != 1:
            continue
        units = {_number(reading, region, f"PhysicalUnits{axis}Direction") for axis in "XY"}
        across, down = (_number(reading, region, f"PhysicalDelta{axis}") for axis in "XY")
        if (
            units != {_CENTIMETRES}
            or not across
            or not down
            or abs(abs(across) - abs(down)) > 0.01 * abs(across)
        ):
            return None
        found.add(round(10 * abs(across), 5))
    mm = found.pop() if len(found) == 1 else None
    return mm if mm is not None and 0.005 <= mm <= 5.0 else None


def _of_plane(reading: HeaderReader) -> float | None:
    values = reading.numbers("PixelSpacing")
    for group in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for _, item in reading.codes(group)[:1] if not values else ():
            for _, measures in reading.codes("PixelMeasuresSequence", item)[:1]:
                said = reading.value("PixelSpacing", measures)
                values = [float(value) for value in said] if said else []
    if len(values) != 2 or not all(0.05 <= value <= 5.0 for value in values):
        return None
    return values[0] if abs(values[0] - values[1]) <= 0.01 * values[0] else None


def _number(reading: HeaderReader, item: Any, keyword: str) -> float | None:
    try:
        value = reading.value(keyword, item)
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
