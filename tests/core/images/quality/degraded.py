"""Mammograms spoiled on purpose, and how often that is noticed: ``python -m tests.core.images.quality.degraded FOLDER...``.

Each folder holds pictures with a manifest. Blur and motion spoil the breast, not the detector: noise as strong as the
picture's own comes on top again. Lengths are in pixels of a picture of 1024 rows, some 0.2 to 0.3 mm each.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from core.images.decoding import decode
from core.images.mammogram import outline_of
from core.images.quality.laid import READING_SIDE, lay
from core.images.quality.measures import measure
from core.images.quality.positioning import pectoral_muscle
from core.rules.quality import Taken, remarks_on, remarks_on_study
from core.sets import read_manifest

BITS = 8
TOP = 2**BITS - 1


def flags(pixels: np.ndarray, view: str | None = None, bits: int = BITS) -> set[str]:
    """Return the flags that a picture by itself gets."""
    return {remark.flag.value for remark in remarks_on(Taken("L", view, (), measure(pixels, bits)))}


def _scale(pixels: np.ndarray) -> float:
    return max(1.0, max(pixels.shape) / READING_SIDE)


def _kept(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, TOP).astype(np.uint16)


def _breast(pixels: np.ndarray) -> np.ndarray:
    outline = outline_of(pixels)
    assert outline is not None
    return cv2.resize(outline.mask, pixels.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _noise(pixels: np.ndarray) -> np.ndarray:
    """Return noise as strong as the picture's finest diagonal detail, by the median (Donoho 1995)."""
    even = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2].astype(np.float32)
    detail = (even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]) / 2
    lit = even[::2, ::2] > np.percentile(even, 60)
    sd = 1.4826 * float(np.median(np.abs(detail[lit])))
    return np.random.default_rng(0).normal(0, sd, pixels.shape)


def blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian."""
    return _kept(cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), sigma * _scale(pixels)) + _noise(pixels))


def moved(pixels: np.ndarray, length: float, degrees: float = 90.0) -> np.ndarray:
    """Smear along a line."""
    side = round(length * _scale(pixels)) | 1
    fine, middle = np.zeros((8 * side, 8 * side), np.float32), 4 * side
    across, down = (round(4 * (side - 1) * f(np.radians(degrees))) for f in (np.cos, np.sin))
    cv2.line(fine, (middle - across, middle + down), (middle + across, middle - down), 1.0, 8)
    kernel = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)
    return _kept(cv2.filter2D(pixels.astype(np.float32), -1, kernel / kernel.sum()) + _noise(pixels))


def noisy(pixels: np.ndarray, share: float) -> np.ndarray:
    """Add noise of a share of the breast's range."""
    inside = pixels[_breast(pixels)]
    sd = share * float(np.subtract(*np.percentile(inside, (98, 2)))) * _scale(pixels)
    return _kept(pixels + np.random.default_rng(0).normal(0, sd, pixels.shape))


def burnt(pixels: np.ndarray, share: float) -> np.ndarray:
    """Brighten so that this share of the breast is white."""
    return _kept(pixels * (TOP / np.percentile(pixels[_breast(pixels)], 100 * (1 - share))))


def flat(pixels: np.ndarray, share: float) -> np.ndarray:
    """Keep this share of the contrast."""
    return _kept(pixels * share)


def cut(pixels: np.ndarray, share: float, edge: str) -> np.ndarray:
    """Cut this share of the breast's depth off at the tip, or of its height below."""
    outline, breast = outline_of(pixels), _breast(pixels)
    assert outline is not None
    lit = (breast.any(axis=0) if edge == "tip" else breast.any(axis=1)).nonzero()[0]
    first, last = int(lit[0]), int(lit[-1])
    away = int(share * (last - first))
    if edge == "below":
        return np.ascontiguousarray(pixels[: last - away])
    return np.ascontiguousarray(
        pixels[:, first + away :] if outline.wall_is_right else pixels[:, : last - away]
    )


def pulled_less(pixels: np.ndarray, left: float) -> np.ndarray:
    """Cut the chest wall off until this share of the muscle's breadth is left, and so of its length."""
    outline = outline_of(pixels)
    assert outline is not None
    laid = lay(pixels, outline)
    away = int((laid.box[0] + (1 - left) * pectoral_muscle(laid).top) * laid.scale)
    return np.ascontiguousarray(
        pixels[:, : pixels.shape[1] - away] if outline.wall_is_right else pixels[:, away:]
    )


def again(pixels: np.ndarray) -> np.ndarray:
    """Return the same picture mirrored, smaller, and of another contrast."""
    small = cv2.resize(pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(_kept(TOP * (small / TOP) ** 0.9)[:, ::-1])


SPOILED: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    **{f"blur, sigma {s} px": ("blurred", lambda p, s=s: blurred(p, s)) for s in (1.0, 1.5, 2.0, 3.0)},
    **{f"motion by {n} px": ("motion", lambda p, n=n: moved(p, n, 37.0 * n)) for n in (3, 4, 6, 8, 12)},
    **{
        f"noise of {s:.0%} of the range": ("underexposed", lambda p, s=s: noisy(p, s))
        for s in (0.02, 0.05, 0.1, 0.2)
    },
    **{f"burnt out, {s:.0%}": ("overexposed", lambda p, s=s: burnt(p, s)) for s in (0.1, 0.2, 0.3)},
    **{f"{s:.0%} of the contrast": ("low_contrast", lambda p, s=s: flat(p, s)) for s in (0.1, 0.05)},
    **{f"tip cut off, {s:.0%}": ("cut_off", lambda p, s=s: cut(p, s, "tip")) for s in (0.05, 0.1, 0.2)},
    **{f"cut off below, {s:.0%}": ("cut_off", lambda p, s=s: cut(p, s, "below")) for s in (0.2, 0.3)},
    **{
        f"{s:.0%} of the muscle": ("pectoral_muscle_short", lambda p, s=s: pulled_less(p, s))
        for s in (0.3, 0.1)
    },
}
"""How pictures are spoiled, the flag that they should get, and by what."""


def main(folders: list[Path], most: int = 20) -> None:
    """Print for each folder how often each way of spoiling is noticed, on at most so many of its pictures."""
    noticed: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for folder in folders:
        rows = read_manifest(folder / "manifest.csv").rows
        for row in rows[:: max(1, len(rows) // most)]:
            pixels = decode(row.path.read_bytes(), max_pixels=60_000_000).pixels
            before = flags(pixels, row.view)
            for name, (flag, spoil) in SPOILED.items():
                if flag in before or (flag == "pectoral_muscle_short" and row.view != "MLO"):
                    continue
                try:
                    found = flags(spoil(pixels), row.view)
                except AssertionError:
                    continue
                hit = flag in found or (flag == "blurred" and "motion" in found)
                noticed[name][folder.name].append(hit)
            one, other = (
                Taken("L", view, (), measure(p, BITS)) for view, p in (("CC", pixels), ("MLO", again(pixels)))
            )
            said = {remark.flag.value for remarks in remarks_on_study([one, other]) for remark in remarks}
            noticed["same picture, mirrored, 70 % size, gamma 0.9"][folder.name].append(
                "same_picture" in said
            )
    print("noticed".ljust(46), *(folder.name.rjust(12) for folder in folders))
    for name, by_folder in noticed.items():
        cells = [
            f"{sum(by_folder[f.name])}/{len(by_folder[f.name])}" if by_folder[f.name] else "–"
            for f in folders
        ]
        print(name.ljust(46), *(cell.rjust(12) for cell in cells))


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]])
