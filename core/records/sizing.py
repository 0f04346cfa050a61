"""What is measured of a lesion on one image: the row of it, checked against what the image can show."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.people import Person
from core.records.lesions import Axis, Box
from core.rules import ViewName
from core.rules.response import TOO_SMALL_MM
from core.rules.vocabulary import SIZE_NOT_SURE
from db.tables import Image, ImageSide, Laterality, Lesion, Measurement

__all__ = ["Sizing", "measurement_of", "side_of"]

LARGEST_MM = 500.0


@dataclass(frozen=True)
class Sizing:
    """What was measured on one image, in pixels of the image and mm.

    With the ends of an axis its length follows from the pixel size; without, the length is as the reader gives it. `box` is
    where the lesion lies; where none is given it is the one around the axes. 0 mm says that it is gone there.
    """

    box: Box | None = None
    long_axis: Axis | None = None
    short_axis: Axis | None = None
    long_mm: float | None = None
    short_mm: float | None = None
    too_small: bool = False
    proposed_by: str | None = None
    proposed_from: int | None = None


def side_of(image: Image) -> Laterality:
    """Return the breast that a finding on an image is in; raises `ValueError` where the image shows both."""
    if image.laterality is ImageSide.BOTH:
        raise ValueError(
            "This picture shows both breasts, or does not say which, and a finding is in one. Say first, under Correct, "
            "which breast the picture is of."
        )
    return Laterality(image.laterality.value)


def measurement_of(lesion: Lesion, image: Image, sizing: Sizing, person: Person | None) -> Measurement:
    """Return the row of a measurement, checked; raises ValueError where box, axes or lengths cannot be."""
    for axis in (sizing.long_axis, sizing.short_axis):
        if axis is not None and not _lies_in(axis, image):
            raise ValueError("A measured axis does not lie in the image. Measure it again.")
    box = sizing.box or _box_around(sizing, image)
    if box is None or not (box[0] < box[2] and box[1] < box[3] and _lies_in(box, image)):
        raise ValueError("The box does not lie in the image. Draw it again.")
    # A magnified view shows more pixels than there are millimetres.
    spacing = image.pixel_spacing_mm if SIZE_NOT_SURE.isdisjoint(image.quality_flags) else None
    long_mm = _length(sizing.long_axis, spacing) if sizing.long_axis else sizing.long_mm
    short_mm = _length(sizing.short_axis, spacing) if sizing.short_axis else sizing.short_mm
    if sizing.too_small:
        long_mm, short_mm = TOO_SMALL_MM, TOO_SMALL_MM
    for length in (long_mm, short_mm):
        if length is not None and not 0 <= length <= LARGEST_MM:
            raise ValueError(f"A diameter lies between 0 and {LARGEST_MM:.0f} mm.")
    if long_mm is not None and short_mm is not None and short_mm > long_mm:
        raise ValueError("The short axis is longer than the long one. Measure both again.")
    axes = {"long": sizing.long_axis, "short": sizing.short_axis}
    drawn = {name: list(axis) for name, axis in axes.items() if axis is not None}
    return Measurement(
        lesion_id=lesion.id,
        image_id=image.id,
        view_code=ViewName(image.laterality.value, image.view).code,
        diameter_mm=long_mm,
        short_mm=short_mm,
        axes=drawn or None,
        x0=box[0], y0=box[1], x1=box[2], y1=box[3],
        proposed_by=sizing.proposed_by,
        proposed_from_id=sizing.proposed_from,
        measured_by_id=person.user_id if person else None,
    )  # fmt: skip


def _lies_in(box: Box, image: Image) -> bool:
    x0, y0, x1, y1 = box
    across, down = (x0, x1), (y0, y1)
    return all(0 <= x <= image.columns for x in across) and all(0 <= y <= image.rows for y in down)


def _length(axis: Axis, spacing_mm: float | None) -> float | None:
    """Return the length of an axis in mm; None where the pixel size is not known."""
    return None if spacing_mm is None else math.hypot(axis[2] - axis[0], axis[3] - axis[1]) * spacing_mm


def _box_around(sizing: Sizing, image: Image) -> Box | None:
    """Return the smallest box around the axes; an axis along a row or a column still has a box."""
    axes = [axis for axis in (sizing.long_axis, sizing.short_axis) if axis is not None]
    if not axes:
        return None
    x = [value for axis in axes for value in axis[0::2]]
    y = [value for axis in axes for value in axis[1::2]]
    x0, x1 = _widened(min(x), max(x), image.columns)
    y0, y1 = _widened(min(y), max(y), image.rows)
    return x0, y0, x1, y1


def _widened(low: float, high: float, end: int) -> tuple[float, float]:
    short = max(0.0, 1 - (high - low)) / 2
    return max(0.0, low - short), min(float(end), high + short)
