"""Women on real films: lives in which every visit is a real picture positioned, exposed and digitised anew.

A film of one day becomes a course: what differs from visit to visit is what differs when nothing changes in a breast, and the
findings of a simulated life (`lives`), which grow, stay or go. The tissue itself stays as it is: real tissue changes more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.rules.vocabulary import SIDES
from core.sets import Manifest
from core.settings import Settings
from seed_data.women import backgrounds
from seed_data.women.backgrounds import Background, UnusableBackground
from seed_data.women.life import Life
from seed_data.women.mechanisms import OF_2025, OF_2026
from seed_data.women.views import ViewRecord

__all__ = ["MECHANISMS", "FilmWomen", "film_women", "imaged_anew", "taken_anew"]

# How far one examination departs from the next, as standard deviations or ranges: assumptions. Shades are 0..1.
GAMMA_LOG_SD: Final = 0.12
CONTRAST_SD: Final = 0.06
SHADING_SD: Final = 0.03
SHADING_MM: Final = 60.0
SHIFT_MM: Final = 0.8
SHIFT_SCALE_MM: Final = 14.0
BLUR_MM: Final = (0.0, 0.16)
GRAIN_SD: Final = (0.003, 0.012)
GRAIN_PIXELS: Final = 0.7

MECHANISMS: Final = {
    OF_2025.edition: OF_2025,
    OF_2026.edition: replace(OF_2026, texture=False, early_signs=False),
}
"""By edition; texture and early signs are drawn into simulated tissue only, and a film has its own."""


@dataclass(frozen=True)
class FilmWomen:
    """Real women whose pictures can carry findings, each as often as she is to live, and why others cannot."""

    backgrounds: tuple[Background, ...]
    left_out: tuple[str, ...]


def film_women(manifests: Sequence[Manifest], lives: int) -> FilmWomen:
    """Gather the women of exam manifests, each `lives` times; pictures that cannot be used are left out, perhaps all.

    Raises ValueError for a manifest that has no mammogram without finding.
    """
    usable, left_out = [], []
    for background in [one for manifest in manifests for one in backgrounds.backgrounds(manifest)]:
        rows = []
        for row in background.rows:
            try:
                backgrounds.read_view(row, backgrounds.COARSE_MM, Settings())
                rows.append(row)
            except UnusableBackground as error:
                left_out.append(str(error))
        if rows:
            usable.append(replace(background, rows=tuple(rows)))
    return FilmWomen(tuple(one for one in usable for _ in range(lives)), tuple(left_out))


def imaged_anew(
    life: Life, background: Background, spacing_mm: float, settings: Settings
) -> Iterator[ViewRecord]:
    """Draw every view of every visit of a life in a real woman's pictures, each taken anew (`taken_anew`).

    Raises
    ------
    UnusableBackground
        If a picture cannot be read, or shows no breast.
    """
    for record in backgrounds.imaged(life, background, spacing_mm, settings):
        place = SIDES.index(record.side), int(record.view == "MLO")
        rng = np.random.default_rng([*life.key, 9, record.visit.number, *place])
        pixels = taken_anew(record.film.pixels, rng, spacing_mm)
        yield replace(record, film=replace(record.film, pixels=pixels))


def taken_anew(pixels: NDArray[np.uint16], rng: np.random.Generator, spacing_mm: float) -> NDArray[np.uint16]:
    """Return a picture of 8 bits (rows, columns) as another examination would show it.

    Tissue lies a little otherwise (about a millimetre, smoothly), exposure and development give another curve and another
    contrast, the beam another shading, film and digitiser another sharpness and grain.
    """
    rows, columns = pixels.shape
    shift = np.stack(
        [_smooth(rng, (rows, columns), SHIFT_SCALE_MM / spacing_mm) for _ in range(2)]
    ) * np.float32(SHIFT_MM / spacing_mm)
    down, across = np.mgrid[:rows, :columns].astype(np.float32)
    shown = cv2.remap(
        pixels.astype(np.float32) / 255,
        across + shift[0],
        down + shift[1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    shown = np.clip(shown, 0, 1) ** float(np.exp(rng.normal(0, GAMMA_LOG_SD)))
    shown *= 1 + rng.normal(0, CONTRAST_SD)
    shown *= 1 + np.float32(SHADING_SD) * _smooth(rng, (rows, columns), SHADING_MM / spacing_mm)
    sigma = float(rng.uniform(*BLUR_MM)) / spacing_mm
    if sigma > 0.1:
        shown = cv2.GaussianBlur(shown, (0, 0), sigma)
    grain = cv2.GaussianBlur(rng.standard_normal((rows, columns), dtype=np.float32), (0, 0), GRAIN_PIXELS)
    shown += float(rng.uniform(*GRAIN_SD)) / max(float(grain.std()), 1e-6) * grain
    return np.round(np.clip(shown, 0, 1) * 255).astype(np.uint16)


def _smooth(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> NDArray[np.float32]:
    """Return a smooth field (rows, columns) of mean 0 and SD 1 about that varies over `scale` pixels."""
    nodes = tuple(max(2, int(np.ceil(side / scale)) + 1) for side in shape)
    coarse = rng.standard_normal(nodes, dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)
