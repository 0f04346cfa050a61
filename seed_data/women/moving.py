"""Lesions moved: real ones, cut out with what lies around them and put into real mammograms of other women.

What is drawn has the outlines of a formula; what is moved looks as lesions do, in tissue in which they were not seen before.
Each is turned, often mirrored, made a little larger or smaller and fainter as a rule, and laid where the breast is about as
bright as around it; across a rim one tissue passes into the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.rules.vocabulary import SIDES, STANDARD_VIEWS, FindingClass
from core.sets import Manifest
from core.settings import Settings
from seed_data.women.backgrounds import Background, RealView, UnusableBackground, read_view
from seed_data.women.insertion import TWO, InsertedView, as_film, row_of
from seed_data.women.planes import Plane

__all__ = ["Movable", "Turns", "movable_lesions", "moved_views"]

SMALLEST_MM: Final = 2.0
LARGEST_MM: Final = 17.5
"""Half of a lesion's longer side: smaller ones are taken to be so large, and larger ones made so small."""
SCALES: Final = (0.7, 1.3)
STRENGTHS: Final = (0.65, 1.05)
"""Of a lesion's contrast to what lies around it, how much is put in."""
REACH: Final = 1.45
RIM_MM: Final = 2.5
"""A piece reaches to so many times the lesion, and so much farther."""
SMOOTH: Final = 0.6
"""Of a piece's reach: over so much are the shades around a lesion evened to what would be there without it."""
FROM_SKIN_MM: Final = 4.0
DEPTH: Final = 0.6
"""Times the lesion's half side: that deep below the skin its middle lies at least."""
PLACES: Final = 60
LOOKED_AT: Final = 8
"""Places drawn for a lesion, and of those where it fits how many are compared."""
FITS: Final = 0.93
SHOWN: Final = 0.6
"""How much of a piece must lie within the breast where it is put, and within that from which it was cut."""
AT_THE_WALL: Final = 0.4
"""How much of a piece's reach may lie beyond the chest wall; nothing of it lies beyond the film's other edges."""
LEAST_RING: Final = 30
"""Pixels around a lesion by which its surroundings are known."""
TRIES: Final = 12
"""So many lesions, or places for a second, are tried in a film."""
APART: Final = 1.5
"""Times both half sides together: so far apart two lie."""
SHADES: Final = (0.5, 99.5)
"""Percentiles of a breast between which its shades are taken to lie: contrasts are put in as shares of that."""


@dataclass(frozen=True)
class Movable:
    """A real lesion with what lies around it.

    Parameters
    ----------
    woman
        Whose it is.
    malignant
        Whether it is.
    grey
        The piece around it (rows, columns).
    inside
        (rows, columns) where that shows breast.
    x, y
        Its middle, in pixels of the piece.
    half_side
        Of its box, the longer one, in pixels.
    shades
        The range of shades of the breast it is from.
    """

    woman: str
    malignant: bool
    grey: Plane
    inside: NDArray[np.bool_]
    x: float
    y: float
    half_side: float
    shades: float


@dataclass(frozen=True)
class _Piece:
    """A lesion turned: its surroundings as a square, how much of each pixel is the lesion's, and the ring around it."""

    grey: Plane
    lesion: Plane
    ring: Plane
    half_side: float

    @property
    def reach(self) -> int:
        return len(self.grey) // 2


class Turns:
    """Lesions in a shuffled order that comes again and again, so that each is moved about as often as the others."""

    def __init__(self, lesions: Sequence[Movable], seed: tuple[int, ...]) -> None:
        self._lesions, self._random = list(lesions), np.random.default_rng(seed)
        self._order: list[Movable] = []

    def next(self, not_of: str) -> Movable:
        """Return the next lesion that is not this woman's; ValueError if there is none."""
        if all(one.woman == not_of for one in self._lesions):
            raise ValueError("All boxes are around lesions of one woman.")
        while True:
            place = next((i for i, one in enumerate(self._order) if one.woman != not_of), None)
            if place is not None:
                return self._order.pop(place)
            self._order += [self._lesions[i] for i in self._random.permutation(len(self._lesions))]

    def back(self, lesion: Movable) -> None:
        """Let a lesion that fitted nowhere have its turn later."""
        self._order.append(lesion)


def movable_lesions(manifests: Sequence[Manifest], spacing_mm: float) -> tuple[list[Movable], list[str]]:
    """Return the boxed lesions of the real mammograms of exam manifests, and why others cannot be moved."""
    found, left_out = [], []
    for manifest in manifests:
        for row in manifest.rows:
            if (
                row.roi is None
                or row.finding in (None, FindingClass.NORMAL)
                or row.modality != "MG"
                or row.laterality not in SIDES
                or row.view not in STANDARD_VIEWS
                or row.simulated
            ):
                continue
            try:
                real = read_view(row, spacing_mm, Settings())
            except UnusableBackground as error:
                left_out.append(str(error))
                continue
            lesion = _cut_out(real, row.shown_woman, row.finding == FindingClass.MALIGNANT, row.roi)
            if lesion is None:
                left_out.append(f"{row.path}: the box in line {row.line} does not lie in the breast.")
            else:
                found.append(lesion)
    return found, left_out


def _cut_out(
    real: RealView, woman: str, malignant: bool, roi: tuple[float, float, float, float]
) -> Movable | None:
    x0, y0, x1, y1 = real.box(roi)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    half_side = max((x1 - x0) / 2, (y1 - y0) / 2, SMALLEST_MM / real.spacing_mm)
    inside = real.skin >= 0
    rows, columns = inside.shape
    if not (0 <= x < columns and 0 <= y < rows and inside[int(y), int(x)]):
        return None
    far = math.ceil(REACH * half_side + RIM_MM / real.spacing_mm / SCALES[0]) + 2
    left, top = max(0, int(x) - far), max(0, int(y) - far)
    piece = np.s_[top : int(y) + far, left : int(x) + far]
    return Movable(
        woman,
        malignant,
        real.grey[piece].copy(),
        inside[piece].copy(),
        x - left,
        y - top,
        half_side,
        _shades(real),
    )


def _shades(real: RealView) -> float:
    low, high = np.percentile(real.grey[real.skin >= 0], SHADES)
    return max(float(high - low), 1e-3)


def moved_views(
    background: Background, number: int, turns: Turns, seed: int, spacing_mm: float, settings: Settings
) -> Iterator[InsertedView]:
    """Move a lesion of another woman into each view of a real woman, for set `number`.

    It is put in once or, half of the time where that fits, twice, turned and scaled otherwise; never two lesions.
    Views into which none fits are passed over.

    Raises
    ------
    UnusableBackground
        If a picture cannot be read, or shows no breast.
    ValueError
        If there are no lesions of other women.
    """
    for place, row in enumerate(background.rows):
        real = read_view(row, spacing_mm, settings)
        random = np.random.default_rng([seed, number, *background.patient_id.encode(), place, 1])
        grey, lesion, put = _filled(real, turns, background.patient_id, random)
        if lesion is None:
            continue
        film = as_film(grey, real, spacing_mm)
        rows = tuple(
            row_of(background, row, film, (x, y, half_side), malignant=lesion.malignant)
            | {
                "patient_id": f"{background.patient_id}-moved-{number}",
                "lesion_mm": f"{2 * half_side * spacing_mm:.1f}",
                "lesion_of": lesion.woman,
            }
            for x, y, half_side in put
        )
        yield InsertedView(f"{row.laterality}_{row.view}_{place}", film, rows)


Put = tuple[float, float, float]
"""Where a lesion was put, and its half side: x, y and that, in pixels."""


def _filled(
    real: RealView, turns: Turns, woman: str, random: np.random.Generator
) -> tuple[Plane, Movable | None, list[Put]]:
    """Return a view's shades with one woman's lesion put in once or twice, whose it is, and where."""
    grey, put = real.grey, list[Put]()
    chosen: Movable | None = None
    for _ in range(TRIES):
        lesion = chosen or turns.next(woman)
        done = _put_in(grey, real, lesion, random)
        if done is None:
            if chosen is None:
                turns.back(lesion)
            continue
        filled, (x, y, half_side) = done
        if any(math.hypot(x - one[0], y - one[1]) < APART * (half_side + one[2]) for one in put):
            continue
        grey, chosen = filled, lesion
        put.append((x, y, half_side))
        if len(put) == 2 or random.random() >= TWO:
            break
    return grey, chosen, put


def _put_in(
    grey: Plane, real: RealView, lesion: Movable, random: np.random.Generator
) -> tuple[Plane, Put] | None:
    """Return a view's shades with a lesion in it, and where; None if it fits nowhere."""
    piece = _turned(lesion, real.spacing_mm, random)
    if piece is None:
        return None
    scale = _shades(real) / lesion.shades
    around = float((piece.grey * piece.ring).sum() / piece.ring.sum())
    level = float(np.percentile(grey[real.skin >= 0], SHADES[0]))
    own_level = float(np.percentile(lesion.grey[lesion.inside], SHADES[0]))
    least = max(FROM_SKIN_MM, DEPTH * piece.half_side * real.spacing_mm)
    rows, columns = np.nonzero(real.skin > least)
    best: tuple[float, int, int] | None = None
    fitting = 0
    for _ in range(PLACES if len(rows) else 0):
        at = int(random.integers(len(rows)))
        y, x = int(rows[at]), int(columns[at])
        if not _within(grey, x, y, piece.reach):
            continue
        there, inside = _square(grey, real, x, y, piece.reach)
        ring = piece.ring * inside
        if (piece.lesion * inside).sum() < FITS * piece.lesion.sum() or ring.sum() < LEAST_RING:
            continue
        gap = abs(float((there * ring).sum() / ring.sum()) - level - scale * (around - own_level))
        fitting += 1
        if best is None or gap < best[0]:
            best = gap, y, x
        if fitting == LOOKED_AT:
            break
    if best is None:
        return None
    _, y, x = best
    strength = scale * float(random.uniform(*STRENGTHS))
    return _blended(grey, real, piece, (x, y), strength), (float(x), float(y), piece.half_side)


def _turned(lesion: Movable, spacing_mm: float, random: np.random.Generator) -> _Piece | None:
    """Return a lesion turned, mirrored and scaled by lot; None if too much of it lies outside of its breast."""
    scale = min(float(random.uniform(*SCALES)), LARGEST_MM / spacing_mm / lesion.half_side)
    half_side = lesion.half_side * scale
    reach = math.ceil(REACH * half_side + RIM_MM / spacing_mm)
    angle = random.uniform(0, 2 * math.pi)
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turn = turn @ np.diag([-1 if random.random() < 0.5 else 1, 1])
    to = np.column_stack([turn, reach - turn @ [lesion.x, lesion.y]]).astype(np.float32)
    size = (2 * reach, 2 * reach)
    grey = cv2.warpAffine(lesion.grey, to, size, flags=cv2.INTER_CUBIC)
    known = cv2.warpAffine(lesion.inside.astype(np.float32), to, size)
    middle = np.mgrid[: 2 * reach, : 2 * reach] - reach + 0.5
    fade = np.clip((reach - 2 - np.hypot(*middle)) / (reach - 2 - half_side), 0, 1)
    whole = cv2.erode(known, np.ones((5, 5), np.uint8)) > 0.9
    own = (fade**2 * (3 - 2 * fade) * cv2.GaussianBlur(whole.astype(np.float32), (0, 0), 2)).astype(
        np.float32
    )
    ring = ((own > 0.02) & (own < 0.5) & (known > 0.9)).astype(np.float32)
    if own.sum() < SHOWN * math.pi * half_side**2 or ring.sum() < LEAST_RING:
        return None
    return _Piece(np.asarray(grey, np.float32), own, ring, half_side)


def _within(grey: Plane, x: int, y: int, reach: int) -> bool:
    """Tell whether a square lies within a view, but for what the chest wall cuts off of it."""
    rows, columns = grey.shape
    return reach <= y <= rows - reach and x + reach <= columns and reach - x <= AT_THE_WALL * reach


Slices = tuple[slice, slice]


def _overlap(grey: Plane, x: int, y: int, reach: int) -> tuple[Slices, Slices]:
    """Return where the square around a pixel lies in a view, and where in the square that part lies: rows, columns."""
    rows, columns = grey.shape
    part = np.s_[max(0, y - reach) : min(rows, y + reach), max(0, x - reach) : min(columns, x + reach)]
    down, across = part
    into = np.s_[
        down.start + reach - y : down.stop + reach - y, across.start + reach - x : across.stop + reach - x
    ]
    return part, into


def _square(
    grey: Plane, real: RealView, x: int, y: int, reach: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the square around a pixel, zero beyond the view, and where it shows breast."""
    shades, inside = (
        np.zeros((2 * reach, 2 * reach), np.float32),
        np.zeros((2 * reach, 2 * reach), np.float32),
    )
    part, into = _overlap(grey, x, y, reach)
    inside[into] = real.skin[part] >= 0
    shades[into] = grey[part] * inside[into]
    return shades, inside


def _blended(grey: Plane, real: RealView, piece: _Piece, at: tuple[int, int], strength: float) -> Plane:
    """Return a view's shades with a piece's contrast laid over what its place would show without what lies there."""
    (x, y), reach = at, piece.reach
    there, inside = _square(grey, real, x, y, reach)
    sigma = SMOOTH * reach
    base, own_base = _evened(there, piece.ring * inside, sigma), _evened(piece.grey, piece.ring, sigma)
    seen = there * (1 - piece.lesion) + piece.lesion * (base + strength * (piece.grey - own_base))
    part, into = _overlap(grey, x, y, reach)
    out = grey.copy()
    out[part] = np.where(inside[into] > 0, np.clip(seen[into], 0, 1), grey[part])
    return out


def _evened(shades: NDArray[np.float32], where: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return what shades known at some places look like everywhere, smoothly (rows, columns)."""
    total = cv2.GaussianBlur(shades * where, (0, 0), sigma)
    return np.asarray(total / np.maximum(cv2.GaussianBlur(where, (0, 0), sigma), 1e-4), np.float32)
