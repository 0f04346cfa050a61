"""Is this picture a mammogram? Told from the pixels by its outline, without a network.

A mammogram shows one thing: a breast that is lit against dark air, cut off straight by the chest wall at one side
and tapering in one curve to the other. Ultrasound, photographs, pages, slices and noise each lack one of these.
The limits were chosen with room around 237 mammograms (mini-MIAS film, CBIS-DDSM film, digital) and checked against
537 breast ultrasound pictures and 400 other images; `tests/core/images/test_mammogram.py` keeps the counts.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images.outlines import Outline, largest_lit
from core.images.percentiles import percentiles
from core.images.ultrasound import why_not_ultrasound

__all__ = [
    "COLOURED",
    "SKETCH_SIDE",
    "Outline",
    "Recognised",
    "breast_of",
    "breast_region",
    "looking_once",
    "outline_of",
    "recognise",
    "sketch_of",
    "wall_is_right",
    "why_not_a_mammogram",
]

SKETCH_SIDE = 256
_SMALLEST_SIDE = 64
# Real mammograms (mini-MIAS, FFDM, KAU, DDSM, CBIS-DDSM, MGRegBench) have 194 or more, and at most 0.27 of one shade.
_FEWEST_SHADES = 24
_FLAT = 0.5
# They have at most 0.853 in common with their mirror images, a round field 0.9.
_MOST_SYMMETRY = 0.875
# Of the picture's height: a small breast on a large detector.
_LOWEST = 0.4
_MOST_LIT = 0.95
_SEVERAL_VIEWS = "It shows two views in one picture. Export each view as an image of its own."


@dataclass(frozen=True)
class Recognised:
    """What a picture is taken for: `modality` MG or US, or None and `why` says what speaks against both."""

    modality: str | None
    why: str = ""


def recognise(pixels: NDArray[np.uint16], doubt: str | None, modality: str | None) -> Recognised:
    """Tell mammograms and breast ultrasound images from all other pictures.

    Parameters
    ----------
    pixels
        (rows, columns), larger = brighter.
    doubt
        What speaks against a mammogram, as `why_not_a_mammogram` and the file's header say; None if nothing does.
    modality
        What the file calls itself, None where it says nothing. It may rule a kind out, and never proves one.
    """
    if doubt == COLOURED:
        return Recognised(None, doubt)
    against_ultrasound = (
        f"The file calls itself modality {modality}."
        if modality not in (None, "US", "OT", "SC")
        else why_not_ultrasound(pixels)
    )
    if against_ultrasound is None:
        # Asked first: a handful of ultrasound images have a breast's outline, no mammogram has ultrasound's layers.
        return Recognised("US")
    if doubt is None:
        return Recognised("MG")
    return Recognised(None, doubt)


COLOURED = "It is a colour picture."
"""The doubt about a picture whose colours mean something: neither modality has any."""


def why_not_a_mammogram(pixels: NDArray[np.uint16]) -> str | None:
    """Return what speaks against a mammogram, None if nothing does; `pixels` is (rows, cols), larger = brighter."""
    rows, columns = pixels.shape
    if min(rows, columns) < _SMALLEST_SIDE:
        return f"It has only {rows} × {columns} pixels."
    sketch, seen = _look(pixels)
    if seen is None:
        return "It is of one shade."
    shades = seen.shades
    if seen.air[0] > 0.20:
        return _else(shades) or "Its background is not dark."
    if seen.lit > _MOST_LIT:
        return _else(shades) or "It has no dark background."
    if not seen.outlines:
        return "No breast stands out from the background."
    if any(_are_two_breasts(largest_lit((shades > level).astype(np.uint8))) for level in seen.levels):
        return _SEVERAL_VIEWS
    if seen.breast is not None:
        return _why_drawn(pixels, sketch, seen.breast)
    if (other := _else(shades)) is not None:
        return other
    cut = next((outline for outline in seen.outlines if _is_cut_off(outline)), None)
    if cut is not None:
        return _why_drawn(pixels, sketch, cut)
    if any(outline.symmetry > _MOST_SYMMETRY for outline in seen.outlines):
        return (
            "Its outline is the same at both sides, as that of a round field, of a slice of the body or of views "
            "that meet in the middle."
        )
    if _are_views_side_by_side(shades):
        return _SEVERAL_VIEWS
    return "What it shows is not shaped like a breast."


def _are_views_side_by_side(shades: NDArray[np.float32]) -> bool:
    """Tell whether halves or quarters of a picture each show a breast, as hangings do where chest walls meet."""
    rows, columns = (length // 2 for length in shades.shape)
    beside = shades[:, :columns], shades[:, columns:]
    above = shades[:rows], shades[rows:]
    quarters = [part for half in above for part in (half[:, :columns], half[:, columns:])]
    return any(
        all(_Seen(np.ascontiguousarray(part)).breast is not None for part in parts)
        for parts in (beside, above, quarters)
    )


def _else(shades: NDArray[np.float32]) -> str | None:
    """Return how a picture that is no breast as it stands would be one; None if it would not."""
    if _Seen(1 - shades).breast is not None:
        return "It is a negative: the background is bright, the breast dark."
    if any(_Seen(np.ascontiguousarray(np.rot90(shades, turns))).breast is not None for turns in (1, 3)):
        return "It lies on its side, if it is a breast: what is lit is broad above or below."
    return None


def wall_is_right(pixels: NDArray[np.uint16]) -> bool | None:
    """Tell whether the chest wall is at the right edge; None where no breast is recognised; `pixels` as before."""
    found = breast_of(pixels)
    return None if found is None else found[1].wall_is_right


def breast_of(pixels: NDArray[np.uint16]) -> tuple[NDArray[np.float32], Outline] | None:
    """Return the sketch of a picture, shades 0..1, and its breast's outline; None where none is recognised."""
    _, seen = _look(pixels)
    return None if seen is None or seen.breast is None else (seen.shades, seen.breast)


def breast_region(pixels: NDArray[np.uint16]) -> NDArray[np.uint8] | None:
    """Return where the breast is, in a sketch of the picture: 1 there, 0 elsewhere; None for what is no mammogram."""
    if why_not_a_mammogram(pixels) is not None:
        return None
    found = breast_of(pixels)
    return None if found is None else found[1].mask


def outline_of(pixels: NDArray[np.uint16]) -> Outline | None:
    """Return the outline of the breast, or of what stands in its place; None where nothing stands out."""
    _, seen = _look(pixels)
    return None if seen is None else seen.breast or next(iter(seen.outlines), None)


class _Seen:
    """Shades (rows, columns) 0..1 and what is seen in them, each looked for once and only if it is asked for."""

    def __init__(self, shades: NDArray[np.float32]) -> None:
        self.shades = shades

    @cached_property
    def air(self) -> tuple[float, float, float]:
        return _air(self.shades)

    @cached_property
    def lit(self) -> float:
        """Share of the picture that is lit."""
        return float(np.mean(self.shades > self.air[1]))

    @cached_property
    def levels(self) -> tuple[float, float]:
        _, threshold, otsu = self.air
        return threshold, (threshold + otsu) / 2

    @cached_property
    def outlines(self) -> list[Outline]:
        """What stands out: the skin line of a dark or noisy film is found at one level, that of a bright one at another."""
        return [
            outline
            for level in self.levels
            for outline in largest_lit((self.shades > level).astype(np.uint8))[:1]
        ]

    @cached_property
    def breast(self) -> Outline | None:
        """The outline of the breast against dark air; None if there is none."""
        if self.air[0] > 0.20 or self.lit > _MOST_LIT:
            return None
        return next((outline for outline in self.outlines if _is_breast(outline)), None)


_Looked = tuple[NDArray[np.float32], _Seen | None]
_remembered: weakref.WeakValueDictionary[int, NDArray[np.uint16]] | None = None
_looked: dict[int, _Looked] = {}


@contextmanager
def looking_once() -> Iterator[None]:
    """Within this, look at each array of pixels once: for whoever asks of it several things and changes none in place."""
    global _remembered
    _remembered = weakref.WeakValueDictionary()
    try:
        yield
    finally:
        _remembered = None
        _looked.clear()


def _look(pixels: NDArray[np.uint16]) -> _Looked:
    """Return the sketch of a picture and what is seen in it; None for that where it is of one shade."""
    if _is_remembered(pixels):
        return _looked[id(pixels)]
    sketch = _sketch(pixels)
    shades = _even(sketch)
    looked = sketch, None if shades is None else _Seen(shades)
    if _remembered is not None:
        _remembered[id(pixels)] = pixels
        _looked[id(pixels)] = looked
    return looked


def _is_breast(outline: Outline) -> bool:
    return (
        outline.area >= 0.04
        and outline.height >= _LOWEST
        and outline.elongation >= 1.05
        and outline.wall_fill >= 0.70
        and outline.tip_fill <= 0.62
        and outline.straightness >= 0.70
        and outline.solidity >= 0.82
        and outline.jump <= 10.5
        and outline.tip_touch <= 0.25
        and outline.symmetry <= _MOST_SYMMETRY
    )


def _is_cut_off(outline: Outline) -> bool:
    """Tell whether it is a breast of which the picture's edge cut off the nipple's side: it is stored, and said (`cut_off`).

    It touches the edge opposite a straight chest wall, though not all of it. Of 86 films (KAU, DDSM, mini-MIAS, FFDM) that lost a
    tenth, a fifth or three tenths of their depth 81, 81 and 74 are kept, of 911 other pictures none that was refused before.
    """
    return (
        outline.area >= 0.15
        and outline.height >= 0.5
        and outline.elongation >= 1.4
        and outline.wall_fill >= 0.9
        and outline.straightness >= 0.9
        and outline.solidity >= 0.88
        and outline.jump <= 9
        and 0.15 < outline.tip_touch <= 0.8
        and outline.tip_fill <= 0.88
    )


def _are_two_breasts(outlines: list[Outline]) -> bool:
    """Tell whether two things that are lit are both shaped like a breast: two views that were put into one picture."""
    return len(outlines) == 2 and all(
        outline.height >= 0.3
        and outline.elongation >= 1.0
        and outline.tip_fill <= 0.62
        and outline.solidity >= 0.75
        and outline.symmetry <= _MOST_SYMMETRY
        for outline in outlines
    )


def _why_drawn(pixels: NDArray[np.uint16], sketch: NDArray[np.float32], outline: Outline) -> str | None:
    """Return why a picture shaped like a breast is a drawing of one; None if it has the shades of a picture."""
    step = max(1, max(pixels.shape) // 1024)
    every = pixels[::step, ::step]
    # A few rows mostly have enough of them.
    shades = _shades_in(every[:: max(1, every.shape[0] // 16)])
    if shades <= _FEWEST_SHADES:
        shades = _shades_in(every)
    if shades <= _FEWEST_SHADES:
        return f"It has only {shades} shades, as masks and drawings have."
    inside = sketch[cv2.erode(outline.mask, np.ones((9, 9), np.uint8)) > 0]
    near = 0.01 * float(sketch.max() - sketch.min())
    if (
        inside.size
        and float(np.mean(np.abs(inside - np.float32(percentiles(inside, 50)[0])) <= near)) > _FLAT
    ):
        return "It is of one shade within its outline, as masks are."
    return None


def _shades_in(pixels: NDArray[np.uint16]) -> int:
    return int(np.count_nonzero(np.bincount(pixels.ravel(), minlength=1)))


def sketch_of(pixels: NDArray[np.uint16]) -> NDArray[np.float32] | None:
    """Return a picture that was looked at already, shrunk to `SKETCH_SIDE` pixels at most, in its own grey; else None."""
    return _looked[id(pixels)][0] if _is_remembered(pixels) else None


def _is_remembered(pixels: NDArray[np.uint16]) -> bool:
    return _remembered is not None and _remembered.get(id(pixels)) is pixels


def _sketch(pixels: NDArray[np.uint16]) -> NDArray[np.float32]:
    rows, columns = pixels.shape
    scale = SKETCH_SIDE / max(rows, columns)
    if scale < 1:
        size = max(1, round(columns * scale)), max(1, round(rows * scale))
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.float32)
    return pixels.astype(np.float32)


def _even(sketch: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return slightly smoothed shades 0..1, or None if there is only one."""
    low, high = percentiles(sketch, 0.5, 99.5)
    if high <= low:
        return None
    return np.asarray(cv2.GaussianBlur(np.clip((sketch - low) / (high - low), 0, 1), (0, 0), 1.0), np.float32)


def _air(shades: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return the shade of the background (the darkest broad peak), the one above which things are lit, and Otsu's."""
    levels = np.clip(shades * 255, 0, 255).astype(np.uint8)
    each = np.bincount(levels.ravel(), minlength=256)
    counts = np.convolve(each, np.ones(5) / 5, mode="same")
    otsu, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    peak = int(counts[: max(2, int(otsu) + 1)].argmax())
    spread = 1.4826 * _median_of(each[peak::-1])
    threshold = min(max(peak + 4 * spread, peak + 8.0), max(float(otsu), peak + 4.0))
    return peak / 255, threshold / 255, otsu / 255


def _median_of(counts: NDArray[np.intp]) -> float:
    """Return the median of whole numbers from 0 on, of each of which there are so many; 0 of none."""
    up_to = counts.cumsum()
    of = int(up_to[-1])
    if not of:
        return 0.0
    return float(np.mean(np.searchsorted(up_to, ((of - 1) // 2, of // 2), side="right")))
