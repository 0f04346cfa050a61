"""How findings appear in a view: masses, distortions and calcifications drawn into the tissue, and whether they stand out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from seed_data.women.life import LifeLesion
from seed_data.women.planes import GLAND, Plane

# Attenuation of a cancer relative to gland: M-SYNTH uses 1.0-1.1 by mass density; desmoplastic reaction and the
# stellate shape add to it on film. Assumption: 1.6, times the lesion's own conspicuity.
MASS_RELATIVE_DENSITY: Final = 1.6
BENIGN_RELATIVE_DENSITY: Final = 1.4
# A view's lesion counts as visible if what it adds stands out of the tissue around it by this many standard
# deviations and it is at least as large as this. Assumption.
VISIBLE_CONTRAST_TO_CLUTTER: Final = 1.0
VISIBLE_MM: Final = 3.0


@dataclass(frozen=True)
class Shown:
    """Where one finding lies in one view: pixels of the image as drawn, chest wall left, and how it stands out."""

    lesion: LifeLesion
    diameter_mm: float
    x: float
    y: float
    radius_pixels: float
    in_field: bool
    contrast_to_clutter: float
    visible: bool


@dataclass(frozen=True)
class _Look:
    """How a kind of finding is drawn: irregularity of the outline, softness (mm), spicules, weight of the body."""

    irregular: float
    soft_mm: float
    spicules: int = 0
    body: float = 1.0
    elongation: float = 1.0


_LOOKS: Final = {
    "spiculated mass": _Look(0.16, 0.8, 16),
    "indistinct mass": _Look(0.20, 1.8, 0, 0.95, 1.25),
    "round mass": _Look(0.07, 0.7, 0),
    "distortion": _Look(0.15, 1.5, 20, 0.35),
    "cyst": _Look(0.02, 0.3, 0, 0.95, 1.08),
    "fibroadenoma": _Look(0.06, 0.4, 0, 1.0, 1.3),
    "lymph node": _Look(0.04, 0.4, 0, 0.9, 1.4),
    "indistinct benign mass": _Look(0.16, 1.6, 0, 0.9, 1.2),
    "radial scar": _Look(0.15, 1.5, 14, 0.25),
    "scar": _Look(0.2, 1.5, 12, 0.45, 1.3),
}


def draw_finding(
    signal: Plane,
    gland: Plane,
    skin: Plane,
    lesion: LifeLesion,
    size_mm: float,
    at_mm: tuple[float, float],
    spacing_mm: float,
    thickness_mm: float,
    view_code: int,
) -> Shown:
    """Add one finding to the signal, in place, and say where it came to lie and how it stands out."""
    x, y = at_mm[0] / spacing_mm - 0.5, at_mm[1] / spacing_mm - 0.5
    radius = size_mm / 2
    rows, columns = signal.shape
    half = math.ceil((2.2 * radius + 3.0) / spacing_mm)
    x0, x1 = max(round(x) - half, 0), min(round(x) + half + 1, columns)
    y0, y1 = max(round(y) - half, 0), min(round(y) + half + 1, rows)
    in_field = (
        0 <= x < columns and 0 <= y < rows and skin[min(int(y), rows - 1), min(int(x), columns - 1)] > 0
    )
    if x1 - x0 < 2 or y1 - y0 < 2 or not in_field:
        return Shown(lesion, size_mm, x, y, radius / spacing_mm, False, 0.0, False)
    rng = np.random.default_rng([lesion.shape_seed, view_code])
    du = ((np.arange(x0, x1) - x) * spacing_mm)[None, :].astype(np.float32)
    dv = ((np.arange(y0, y1) - y) * spacing_mm)[:, None].astype(np.float32)
    around = gland[y0:y1, x0:x1]
    patch = signal[y0:y1, x0:x1]
    smooth = cv2.GaussianBlur(patch, (0, 0), max(2 * radius, 4.0) / spacing_mm)
    clutter = float((patch - smooth).std()) + 0.01
    if lesion.kind in ("calcifications", "benign calcifications", "coarse calcification"):
        added, strength = _calcifications(rng, lesion, size_mm, du, dv)
        contrast = strength * lesion.conspicuity
        added *= lesion.conspicuity
        ratio = contrast / 0.09
    else:
        shape, path = _mass(rng, lesion, radius, du, dv)
        relative = MASS_RELATIVE_DENSITY if lesion.looks_malignant else BENIGN_RELATIVE_DENSITY
        density = GLAND * relative * lesion.conspicuity
        path = thickness_mm * np.tanh(path / thickness_mm)  # no lesion is thicker than the compressed breast
        # The mass replaces what is in its place along the ray: gland hides it, fat shows it.
        added = (path / thickness_mm) * np.maximum(density - GLAND * around * 1.2, 0.10 * GLAND) * 1.2 + (
            shape * density * min(size_mm + 3.0, 16.0) / thickness_mm * 0.75
        )
        centre = np.hypot(du, dv) < max(radius, spacing_mm)
        contrast = float(added[centre].mean()) if centre.any() else 0.0
        ratio = contrast / clutter
    patch += added * np.clip(skin[y0:y1, x0:x1] / 2, 0, 1)
    seen = ratio >= VISIBLE_CONTRAST_TO_CLUTTER and size_mm >= VISIBLE_MM
    return Shown(lesion, size_mm, x, y, max(radius / spacing_mm, 1.5), True, float(ratio), bool(seen))


def _mass(
    rng: np.random.Generator, lesion: LifeLesion, radius: float, du: Plane, dv: Plane
) -> tuple[Plane, Plane]:
    """Return spicules (0..1) and the path length in mm through the body of a mass, over a patch."""
    look = _LOOKS[lesion.kind]
    turn = rng.uniform(0, 2 * np.pi)
    ca, sa = math.cos(turn), math.sin(turn)
    along, across = (
        (du * ca + dv * sa) / math.sqrt(look.elongation),
        (-du * sa + dv * ca) * math.sqrt(look.elongation),
    )
    distance, angle = np.hypot(along, across), np.arctan2(across, along)
    outline = np.ones_like(distance)
    for order in (2, 3, 4, 5, 7):
        outline += (
            look.irregular * rng.normal(0, 1) / math.sqrt(order) * np.cos(order * angle + rng.uniform(0, 6.3))
        )
    relative = distance / np.maximum(radius * outline, 1e-3)
    soft = look.soft_mm / max(radius, 0.5)
    body = 2 * radius * np.sqrt(np.clip(1 - relative**2, 0, 1))
    edge = 1 / (1 + np.exp(np.clip((relative - 1) / (0.35 * soft + 0.02), -30, 30)))
    path = look.body * (0.75 * body + 0.5 * radius * edge)
    spicules = np.zeros_like(distance)
    for _ in range(look.spicules):
        heading, length = rng.uniform(0, 2 * np.pi), radius * rng.uniform(1.3, 2.1)
        bend = rng.normal(0, 0.10)
        ch, sh = math.cos(heading), math.sin(heading)
        forward = du * ch + dv * sh
        side = -du * sh + dv * ch - bend * forward * np.abs(forward) / max(length, 1.0)
        width = 0.22 + 0.035 * radius
        taper = np.clip(1 - forward / length, 0, 1) * (forward > 0)
        spicules = np.maximum(spicules, taper * np.exp(-((side / width) ** 2)))
    return spicules.astype(np.float32), path.astype(np.float32)


def _calcifications(
    rng: np.random.Generator, lesion: LifeLesion, size_mm: float, du: Plane, dv: Plane
) -> tuple[Plane, float]:
    """Return what a cluster of calcifications adds over a patch, and the strength of its specks."""
    added = np.zeros((dv.shape[0], du.shape[1]), np.float32)
    if lesion.kind == "coarse calcification":
        places, widths, strengths = (
            rng.normal(0, 0.22, (6, 2)),
            rng.uniform(0.16, 0.3, 6) * size_mm,
            np.full(6, 0.20),
        )
    else:
        # Malignant specks are many and uneven; benign ones fewer, rounder and alike.
        count = 34 if lesion.looks_malignant else 12
        places = rng.normal(0, 0.26, (count, 2))
        widths = rng.uniform(0.14, 0.34, count) if lesion.looks_malignant else rng.uniform(0.26, 0.36, count)
        strengths = (
            rng.uniform(0.12, 0.42, count) if lesion.looks_malignant else rng.uniform(0.22, 0.32, count)
        )
        # A cluster gains specks as it grows; the first ones stay where they are.
        shown = max(3, round(count * min(1.0, (size_mm / 18.0) ** 0.9)))
        places, widths, strengths = places[:shown], widths[:shown], strengths[:shown]
    for (a, b), width, strength in zip(places, widths, strengths, strict=True):
        speck = np.exp(-(((du - a * size_mm) ** 2 + (dv - b * size_mm) ** 2) / (2 * max(width, 0.16) ** 2)))
        added += (strength * speck).astype(np.float32)
    return added, float(np.mean(strengths))
