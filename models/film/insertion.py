"""Lesions put into films without one, so that heads on lesions have more to learn from than the boxes of few women.

What is drawn: masses, smooth or spiculated, distortions that have spicules and no middle, soft asymmetries, clusters of
calcifications. None is a copy of a real one. A lesion stands out from the clutter of the tissue where it is put by a
share of that clutter, for what makes a lesion visible is its contrast against what surrounds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from models.view import LesionBox

__all__ = ["Inserted", "insert_lesions"]

PIXELS_A_MM = 4.0
"""Of a standard film: digitised at 0.2 mm, it is shown at four fifths of that on average."""
SIZES_MM = (5.0, 28.0)
FROM_SKIN_MM = 6.0
CONTRASTS = (0.5, 3.0)
"""Mean contrast of a lesion's core as a multiple of the clutter around it."""
FAINTEST, STRONGEST = 0.04, 0.4
"""Shades, of 1, between which that contrast stays."""
CORE = 0.5
"""What is at least this share of a lesion's highest is its core."""
TWO = 0.25
"""How often there are two lesions."""


class Kind(StrEnum):
    """What is drawn."""

    ROUND = "round"
    SPICULATED = "spiculated"
    DISTORTION = "distortion"
    ASYMMETRY = "asymmetry"
    CALCIFICATIONS = "calcifications"


SHARES = {
    # Kind: how often, and how often it is malignant.
    Kind.ROUND: (0.28, 0.15),
    Kind.SPICULATED: (0.26, 0.85),
    Kind.DISTORTION: (0.14, 0.5),
    Kind.ASYMMETRY: (0.12, 0.4),
    Kind.CALCIFICATIONS: (0.20, 0.5),
}
"""About the case mix of screening films with a finding; that of mini-MIAS was not fitted to."""


@dataclass(frozen=True)
class Inserted:
    """A film (rows, columns) uint8 with lesions put in, and where they are."""

    film: NDArray[np.uint8]
    lesions: list[LesionBox]


def insert_lesions(film: NDArray[np.uint8], random: np.random.Generator) -> Inserted:
    """Put one lesion or two into a standard film.

    Parameters
    ----------
    film
        (rows, columns), zero outside the breast.
    random
        Decides everything.

    Returns
    -------
    Inserted
        Without a lesion where the breast is too small to hold one.
    """
    shown = np.asarray(film / 255, np.float32)
    inside = (film > 0).astype(np.uint8)
    depth = cv2.distanceTransform(np.pad(inside, ((0, 0), (1, 0)), mode="edge"), cv2.DIST_L2, 5)[:, 1:]
    lesions: list[LesionBox] = []
    for _ in range(1 + (random.random() < TWO)):
        size = float(np.exp(random.uniform(*np.log(SIZES_MM)))) * PIXELS_A_MM
        room = depth > FROM_SKIN_MM * PIXELS_A_MM + size / 4
        margin = int(size / 2)
        room[:margin], room[-margin:], room[:, : margin // 2] = False, False, False
        down, across = np.nonzero(room)
        if not down.size:
            continue
        chosen = int(random.integers(down.size))
        lesion = _put(shown, inside, (float(across[chosen]), float(down[chosen])), size, random)
        lesions.append(lesion)
    return Inserted(np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8) * inside, lesions)


def _put(
    shown: NDArray[np.float32],
    inside: NDArray[np.uint8],
    middle: tuple[float, float],
    size: float,
    random: np.random.Generator,
) -> LesionBox:
    """Add a lesion of a diameter in pixels to a film in place; return its box."""
    kinds = list(SHARES)
    kind = kinds[int(random.choice(len(kinds), p=[SHARES[one][0] for one in kinds]))]
    malignant = bool(random.random() < SHARES[kind][1])
    x, y = middle
    reach = int(np.ceil(size * 1.6)) + 4
    rows, columns = shown.shape
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    part = np.s_[top : min(rows, int(y) + reach), left : min(columns, int(x) + reach)]
    window = shown[part]
    clutter = _clutter(window, inside[part] > 0, size)
    down, across = np.mgrid[: window.shape[0], : window.shape[1]].astype(np.float32)
    across, down = across - (x - left), down - (y - top)
    contrast = float(np.clip(np.exp(random.uniform(*np.log(CONTRASTS))) * clutter, FAINTEST, STRONGEST))
    if kind is Kind.CALCIFICATIONS:
        profile = _calcifications(across, down, size, random, malignant=malignant)
        contrast = max(contrast, 2 * FAINTEST)
    elif kind is Kind.DISTORTION:
        profile = _spicules(across, down, size, random) + 0.25 * _mass(
            across, down, size / 2, random, 0.3, 0.5
        )
    elif kind is Kind.SPICULATED:
        profile = _mass(across, down, 0.7 * size, random, 0.35, 0.25)
        profile = np.maximum(profile, 0) + 0.6 * _spicules(across, down, size, random)
    elif kind is Kind.ASYMMETRY:
        profile = _mass(across, down, size, random, 0.4, 0.9)
    else:
        profile = _mass(across, down, size, random, 0.12, random.uniform(0.05, 0.2))
    if kind is not Kind.CALCIFICATIONS:
        profile = profile * _mottled(profile.shape, size, random)
    # Brighter tissue leaves less room: film answers less and less.
    added = profile * (1 - 0.6 * window) * inside[part]
    core = added >= CORE * added.max()
    shown[part] = np.clip(window + contrast / max(float(added[core].mean()), 1e-3) * added, 0, 1)
    half = size / 2
    return LesionBox(x - half, y - half, x + half, y + half, malignant)


def _clutter(window: NDArray[np.float32], inside: NDArray[np.bool_], size: float) -> float:
    """Return the spread of shades around, of detail up to about a lesion's size."""
    rough = cv2.GaussianBlur(window, (0, 0), max(2.0, size))
    detail = (window - rough)[inside]
    return float(detail.std()) if detail.size else 0.0


def _mass(
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    size: float,
    random: np.random.Generator,
    irregular: float,
    softness: float,
) -> NDArray[np.float32]:
    """Return a mass's thickness, 1 in its middle: an ellipse whose margin waves by a share and fades over a share."""
    turn, oval = random.uniform(0, np.pi), random.uniform(0.65, 1.0)
    u = np.cos(turn) * across + np.sin(turn) * down
    v = (np.cos(turn) * down - np.sin(turn) * across) / oval
    angle = np.arctan2(v, u)
    margin = np.ones_like(angle)
    for wave in range(2, 8):
        margin += irregular / wave * random.normal() * np.cos(wave * angle + random.uniform(0, 2 * np.pi))
    radius = np.hypot(u, v) / (size / 2 * np.clip(margin, 0.4, 1.8))
    body = np.sqrt(np.clip(1 - radius**2, 0, 1)) ** 0.8
    sigma = max(0.7, softness * size / 4)
    return np.asarray(cv2.GaussianBlur(body.astype(np.float32), (0, 0), sigma), np.float32)


def _spicules(
    across: NDArray[np.float32], down: NDArray[np.float32], size: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return lines that run outwards from the middle and taper."""
    lines = np.zeros_like(across)
    for _ in range(int(random.integers(8, 22))):
        turn, length = random.uniform(0, 2 * np.pi), size * random.uniform(0.5, 1.3)
        width, bend = random.uniform(0.8, 2.2), random.normal() * 0.15 / size
        along = np.cos(turn) * across + np.sin(turn) * down
        beside = np.cos(turn) * down - np.sin(turn) * across - bend * along**2
        taper = np.clip(1 - along / length, 0, 1) * (along > size * 0.08)
        lines = np.maximum(lines, taper * np.exp(-((beside / width) ** 2) / 2) * random.uniform(0.4, 1.0))
    return lines.astype(np.float32)


def _calcifications(
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    size: float,
    random: np.random.Generator,
    *,
    malignant: bool,
) -> NDArray[np.float32]:
    """Return a cluster of specks: many of all sizes and shapes, or fewer, rounder and more alike."""
    specks = np.zeros_like(across)
    count = int(random.integers(8, 30) if malignant else random.integers(3, 12))
    for _ in range(count):
        x, y = random.normal(size=2) * size / 4
        wide = random.uniform(0.5, 1.3) if malignant else random.uniform(0.8, 1.8)
        long = wide * (random.uniform(1, 2.5) if malignant else random.uniform(1, 1.2))
        turn = random.uniform(0, np.pi)
        u = (np.cos(turn) * (across - x) + np.sin(turn) * (down - y)) / long
        v = (np.cos(turn) * (down - y) - np.sin(turn) * (across - x)) / wide
        specks = np.maximum(specks, np.exp(-(u**2 + v**2) / 2) * random.uniform(0.4, 1.2))
    return specks.astype(np.float32)


def _mottled(shape: tuple[int, ...], size: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Return a factor around 1: no tissue is of one shade."""
    noise = cv2.GaussianBlur(random.normal(size=shape).astype(np.float32), (0, 0), max(1.0, size / 10))
    return np.asarray(1 + 0.25 * noise / max(float(noise.std()), 1e-6), np.float32)
