"""Real mammograms as backgrounds: simulated findings grow in a real woman's pictures.

No public set holds the same woman on several dates (DATA.md). Here one real examination becomes a course of visits:
each is the same picture, placed a little differently, with a simulated woman's findings at their size of that day.
The rows are marked; the tissue is real, everything else about the woman is simulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images import lend_reader
from core.refusals import Refusal
from core.rules.vocabulary import SIDES, STANDARD_VIEWS, Side
from core.sets import Manifest, ManifestRow, by_patient
from core.settings import Settings
from seed_data.women.appearance import draw_finding
from seed_data.women.bodies import THICKNESS_MM, Picture
from seed_data.women.life import CaseMix, Life
from seed_data.women.lives import draw_life
from seed_data.women.machines import Film, Machine
from seed_data.women.mechanisms import OF_2025, Mechanisms
from seed_data.women.planes import FAT, GLAND, HEIGHT_MM, NIPPLE_V_MM, Plane, plane_position
from seed_data.women.positioning import Warp
from seed_data.women.views import ViewRecord

# A film whose file names no pixel spacing is taken to be as high as a small detector: assumption.
FILM_HEIGHT_MM: Final = HEIGHT_MM
COARSE_MM: Final = 1.0
"""Pixel spacing at which a picture is looked at to see whether it can be used."""
# Where fat and gland of a real picture are taken to lie: these percentiles of the grey values in the breast.
FAT_PERCENTILE, GLAND_PERCENTILE = 15.0, 92.0
REAL: Final = Machine(
    "Real background, simulated findings", "", 1.0, 8, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, "text"
)


@dataclass(frozen=True)
class Background:
    """The real views of one woman that can carry simulated findings: one row a view, nothing found in them."""

    patient_id: str
    rows: tuple[ManifestRow, ...]

    @property
    def sides(self) -> tuple[Side, ...]:
        """Return the breasts that there are views of."""
        return tuple(side for side in SIDES if any(row.laterality == side for row in self.rows))

    def density(self, side: Side) -> str:
        """Return the density letter stated for a breast, empty where none is."""
        return next((row.density for row in self.rows if row.laterality == side and row.density), "")


def backgrounds(manifest: Manifest) -> list[Background]:
    """Return the women of an exam manifest whose mammograms show nothing, CC and MLO views only.

    Of a woman with several studies the first one counts. Raises ValueError if no woman is left.
    """
    found = []
    for patient, rows in by_patient(manifest.rows):
        day = min((row.study_date for row in rows if row.study_date), default=None)
        usable = tuple(
            row
            for row in rows
            if row.modality == "MG"
            and row.laterality in SIDES
            and row.view in STANDARD_VIEWS
            and row.finding in (None, "normal")
            and row.study_date in (None, day)
        )
        if usable:
            found.append(Background(patient, usable))
    if not found:
        raise ValueError(f"{manifest.source} holds no mammogram without finding in a CC or MLO view.")
    return found


class UnusableBackground(ValueError):
    """A picture of the manifest cannot carry findings; the message names it and says why."""


class RealView:
    """One real view, chest wall left, at the set's pixel spacing, ready to carry findings."""

    def __init__(self, grey: Plane, spacing_mm: float, wanted_mm: float) -> None:
        zoom = spacing_mm / wanted_mm
        method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        grey = cv2.resize(grey, None, fx=zoom, fy=zoom, interpolation=method)
        inside = _breast(grey)
        half = grey.shape[1] // 2
        self.mirrored = bool(inside[:, half:].sum() > inside[:, :half].sum())
        self.zoom, self.width = zoom, grey.shape[1]
        if self.mirrored:
            grey, inside = np.ascontiguousarray(grey[:, ::-1]), np.ascontiguousarray(inside[:, ::-1])
        # Films have a border at the chest wall; the picture begins where the breast does.
        wall = int(np.argmax(inside.any(axis=0)))
        grey, inside = grey[:, wall:], inside[:, wall:]
        self.grey, self.spacing_mm, self.wall = grey, wanted_mm, wall
        padded = cv2.copyMakeBorder(inside, 0, 0, 60, 0, cv2.BORDER_REPLICATE)
        self.skin = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[:, 60:] * wanted_mm
        self.skin[inside == 0] = -1.0
        reach = np.where(inside.any(axis=1), inside.shape[1] - np.argmax(inside[:, ::-1], axis=1), 0)
        self.depth_mm = float(np.percentile(reach[reach > 0], 98)) * wanted_mm
        self.nipple_mm = float(np.mean(np.flatnonzero(reach >= reach.max() - 2))) * wanted_mm
        self.height_mm = float(np.count_nonzero(reach)) * wanted_mm
        fat, gland = np.percentile(grey[inside > 0], (FAT_PERCENTILE, GLAND_PERCENTILE))
        self.gain = GLAND / max(float(gland - fat), 0.05)
        self.fat = float(fat)

    def box(self, roi: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Return a box (x0, y0, x1, y1) in the picture's own pixels in those of this view."""
        x0, y0, x1, y1 = (edge * self.zoom for edge in roi)
        if self.mirrored:
            x0, x1 = self.width - x1, self.width - x0
        return x0 - self.wall, y0, x1 - self.wall, y1

    def place(self, position_mm: tuple[float, float, float], life: Life, view: str) -> tuple[float, float]:
        """Return where (mm) a place of the simulated breast lies in this picture: at the same share of its size."""
        u, v = plane_position(position_mm, view)
        depth, width, height = life.breast_mm
        across = width if view == "CC" else 0.85 * height
        down = (v - NIPPLE_V_MM[view]) / across * min(self.height_mm / 2, 95.0)
        return u / depth * self.depth_mm * 0.95, self.nipple_mm + down

    def picture(self, life: Life, number: int, side: Side, view: str) -> Picture:
        """Draw one visit: the real picture placed anew, with the findings of that day."""
        visit = life.visits[number]
        side_code, view_code = SIDES.index(side), int(view == "MLO")
        rng = np.random.default_rng([*life.key, 8, number, side_code, view_code])
        # Real films are moved less than simulated ones: what lay outside of the film cannot be shown.
        warp = Warp.draw(rng, view, strength=0.4)
        findings = [
            (lesion, size, warp.forward(*self.place(lesion.position_mm, life, view)))
            for lesion, size in life.lesions_on(visit.on, side)
        ]
        map_x, map_y = warp.pixel_maps(self.grey.shape, self.spacing_mm, findings, self.spacing_mm)
        grey = cv2.remap(self.grey, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        skin = cv2.remap(self.skin, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        signal = (grey - self.fat) * self.gain + FAT
        gland = np.clip((signal - FAT) / GLAND, 0, 1)
        thickness = THICKNESS_MM[visit.density(side)]
        shown = tuple(
            draw_finding(signal, gland, skin, lesion, size, at, self.spacing_mm, thickness, view_code)
            for lesion, size, at in findings
        )
        return Picture((signal - FAT) / self.gain + self.fat, skin, shown)


def _breast(grey: Plane) -> NDArray[np.uint8]:
    """Return the largest bright part of a picture as a mask (rows, columns) of 0 and 1, small holes filled."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 2.0)
    floor = float(np.percentile(smooth, 5))
    eight = cv2.convertScaleAbs(smooth, alpha=255.0)
    otsu, _ = cv2.threshold(eight, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    bright = (smooth > floor + 0.35 * (otsu / 255.0 - floor)).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        raise ValueError("No breast stands out from the background.")
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return cv2.morphologyEx(
        (labels == largest).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)
    )


def life_in(
    background: Background, seed: int, number: int, mix: CaseMix, mechanisms: Mechanisms = OF_2025
) -> Life:
    """Return a simulated life that fits the real views: visits show those, findings lie in breasts that have one."""
    life = draw_life(seed, number, mix, mechanisms=mechanisms)
    sides = background.sides
    taken = tuple((side, view) for side in sides for view in STANDARD_VIEWS if _row(background, side, view))

    def moved(side: Side | None) -> Side | None:
        return side if side is None or side in sides else sides[0]

    return replace(
        life,
        visits=tuple(replace(visit, views=taken) for visit in life.visits),
        lesions=tuple(replace(lesion, side=moved(lesion.side) or lesion.side) for lesion in life.lesions),
        cancer_side=moved(life.cancer_side),
        events=tuple(replace(event, side=moved(event.side)) for event in life.events),
    )


def _row(background: Background, side: Side, view: str) -> ManifestRow | None:
    return next((row for row in background.rows if (row.laterality, row.view) == (side, view)), None)


def imaged(life: Life, background: Background, spacing_mm: float, settings: Settings) -> Iterator[ViewRecord]:
    """Draw every view of every visit of a simulated life in a real woman's pictures.

    Raises
    ------
    UnusableBackground
        If a picture cannot be read, or shows no breast.
    """
    for side, view in life.visits[0].views:
        row = _row(background, side, view)
        if row is None:
            continue
        real = read_view(row, spacing_mm, settings)
        for visit in life.visits:
            picture = real.picture(life, visit.number, side, view)
            pixels = np.clip(picture.signal * 255, 0, 255).astype(np.uint16)
            if real.mirrored:
                pixels = np.ascontiguousarray(pixels[:, ::-1])
            yield ViewRecord(visit, side, view, Film(pixels, REAL, spacing_mm, real.mirrored), picture.shown)


def read_view(row: ManifestRow, spacing_mm: float, settings: Settings) -> RealView:
    """Read the picture of a row; raises `UnusableBackground` if it cannot be read or shows no breast."""
    try:
        with lend_reader(settings) as reader:
            image = reader.read(row.path.read_bytes(), row.path.name)
        grey = image.pixels.astype(np.float32) / (2**image.bits_stored - 1)
        spacing = image.pixel_spacing_mm or FILM_HEIGHT_MM / grey.shape[0]
        return RealView(grey, spacing, spacing_mm)
    except (Refusal, ValueError) as error:
        why = error.text if isinstance(error, Refusal) else str(error)
        raise UnusableBackground(f"{row.path} cannot be a background. {why}") from error
