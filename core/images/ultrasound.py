"""Is this picture a breast ultrasound image? Told from its shades by some thirty measurements, without a network.

Ultrasound is layered across, speckled in proportion to its brightness, bright near the probe and fading with depth.
A logistic rule weighs the measurements, and a picture that lies outside what ultrasound images measure in any of
them is none. `ultrasound.json` holds rule and bounds, made by `fit` from 537 ultrasound images of 256 by 256
(BUSI, Al-Dhabyani 2020) against 967 others: mammograms, photographs, brain slices, noise, text, drawings.
`tests/core/images/test_ultrasound.py` keeps the rates of false answers on groups of pictures that `fit` has not seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Rule", "fit", "measure", "why_not_ultrasound"]

_SKETCH = 256
_SMALLEST_SIDE = 64
_ROOM = 0.15
"""How far beyond the range of known ultrasound images a measurement may lie, as a share of that range."""


@dataclass(frozen=True)
class Rule:
    """What tells ultrasound from other pictures: by measurement a mean, a spread, a weight and two bounds."""

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    weight: NDArray[np.float64]
    offset: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def log_odds(self, measured: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds (n,) of ultrasound for measurements (n, names)."""
        return np.asarray((measured - self.mean) / self.spread @ self.weight + self.offset)

    def accepts(self, measured: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say (n,) which measurements (n, names) are taken for an ultrasound image's."""
        inside = ((measured >= self.low) & (measured <= self.high)).all(axis=1)
        return np.asarray(inside & (self.log_odds(measured) >= 0))

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads."""
        columns = ("mean", "spread", "weight", "low", "high")
        return {
            "offset": round(self.offset, 5),
            "measurements": {
                name: {column: round(float(getattr(self, column)[i]), 5) for column in columns}
                for i, name in enumerate(self.names)
            },
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Rule:
        """Read what `to_json` gave."""
        rows = values["measurements"]

        def column(name: str) -> NDArray[np.float64]:
            return np.array([row[name] for row in rows.values()])

        return cls(
            tuple(rows),
            column("mean"),
            column("spread"),
            column("weight"),
            float(values["offset"]),
            column("low"),
            column("high"),
        )


@cache
def shipped_rule() -> Rule:
    """Return the rule in use."""
    return Rule.from_json(json.loads(Path(__file__).with_name("ultrasound.json").read_text("utf-8")))


def why_not_ultrasound(pixels: NDArray[Any]) -> str | None:
    """Return what speaks against an ultrasound image, None if nothing does; `pixels` is (rows, columns)."""
    if min(pixels.shape) < _SMALLEST_SIDE:
        return f"It has only {pixels.shape[0]} × {pixels.shape[1]} pixels."
    if pixels.min() == pixels.max():
        return "It is of one shade."
    if shipped_rule().accepts(measure(pixels)[None])[0]:
        return None
    return "It has neither the layers nor the speckle of an ultrasound image."


def fit(measured: NDArray[np.float64], is_ultrasound: Sequence[bool]) -> Rule:
    """Make a rule from measurements (n, names) of pictures that are known to be ultrasound images or not."""
    from sklearn.linear_model import LogisticRegression

    known = np.asarray(is_ultrasound, bool)
    mean, spread = measured.mean(axis=0), np.maximum(measured.std(axis=0), 1e-6)
    fitted = LogisticRegression(C=3.0, max_iter=5000).fit((measured - mean) / spread, known)
    low, high = measured[known].min(axis=0), measured[known].max(axis=0)
    room = _ROOM * (high - low)
    return Rule(
        MEASUREMENTS, mean, spread, fitted.coef_[0], float(fitted.intercept_[0]), low - room, high + room
    )


def measure(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the measurements (30,), in the order of `MEASUREMENTS`, of a picture (rows, columns) of several shades."""
    found = _measured(_sketch(pixels))
    return np.nan_to_num(np.array([found[name] for name in MEASUREMENTS]))


def _sketch(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the picture in 0..1, its longest side 256."""
    rows, columns = pixels.shape
    scale = _SKETCH / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.asarray(pixels, np.float32), size, interpolation=method)
    low, high = np.percentile(small, (0.5, 99.5))
    return np.asarray(np.clip((small - low) / max(float(high - low), 1e-6), 0, 1), np.float32)


def _measured(sketch: NDArray[np.float32]) -> dict[str, float]:
    found = _shades(sketch) | _depth(sketch) | _layers(sketch)
    blurred = [sketch, *(cv2.GaussianBlur(sketch, (0, 0), sigma) for sigma in (0.8, 1.6, 3.2, 6.4, 12.8))]
    total = float(sketch.var()) + 1e-6
    for scale in range(5):
        band = float(np.mean((blurred[scale] - blurred[scale + 1]) ** 2))
        found[f"band_{scale}"] = float(np.log((band + 1e-6) / total))
    found["symmetry"] = _correlation(blurred[3], blurred[3][:, ::-1])
    return found | _speckle(sketch - blurred[2], blurred[3])


def _shades(sketch: NDArray[np.float32]) -> dict[str, float]:
    spread = max(float(sketch.std()), 1e-6)
    deviation = (sketch - sketch.mean()) / spread
    return {
        "mean": float(sketch.mean()),
        "median": float(np.median(sketch)),
        "spread": spread,
        "bright_tenth": float(np.percentile(sketch, 90)),
        "dark_share": float(np.mean(sketch < 0.03)),
        "white_share": float(np.mean(sketch > 0.97)),
        # NumPy multiplies for a square, and takes a hundred times as long for other powers.
        "skew": float(np.mean(deviation**2 * deviation)),
    }


def _depth(sketch: NDArray[np.float32]) -> dict[str, float]:
    """Measure how brightness runs from the probe downwards, and how bright each edge is."""
    rows, columns = sketch.mean(axis=1), sketch.mean(axis=0)
    third, edge = max(1, len(rows) // 3), 4
    left, right = float(sketch[:, :edge].mean()), float(sketch[:, -edge:].mean())
    return {
        "upper_third": float(rows[:third].mean() - sketch.mean()),
        "lower_third": float(rows[-third:].mean() - sketch.mean()),
        "across_to_down": float(np.log((columns.std() + 0.005) / (rows.std() + 0.005))),
        "top_edge": float(sketch[: 2 * edge].mean()),
        "bottom_edge": float(sketch[-edge:].mean()),
        "left_edge": left,
        "right_edge": right,
        "darker_side": min(left, right),
    }


def _layers(sketch: NDArray[np.float32]) -> dict[str, float]:
    """Measure at three scales how much more shades change downwards than across."""
    found = {}
    for sigma in (1, 2, 4):
        smooth = cv2.GaussianBlur(sketch, (0, 0), sigma)
        down, across = np.diff(smooth, axis=0), np.diff(smooth, axis=1)
        power = (float(np.mean(down**2)) + 1e-7) / (float(np.mean(across**2)) + 1e-7)
        middle = (float(np.median(np.abs(down))) + 1e-4) / (float(np.median(np.abs(across))) + 1e-4)
        found[f"layers_{sigma}"] = float(np.log(power))
        found[f"usual_layers_{sigma}"] = float(np.log(middle))
    return found


def _speckle(detail: NDArray[np.float32], smooth: NDArray[np.float32]) -> dict[str, float]:
    """Measure fine detail against the brightness it lies on; edges of things have heavier tails than speckle."""
    size = np.abs(detail)
    lit = (smooth > 0.03) & (smooth < 0.97)
    enough = float(lit.mean()) > 0.02
    some = detail[lit] if enough else detail.ravel()
    relative = float(np.median(size[lit] / (smooth[lit] + 0.02))) if enough else 0.0
    squares = some**2
    power = float(np.mean(squares))
    return {
        "speckle": float(np.log(relative + 1e-3)),
        "even_share": float(np.mean(cv2.GaussianBlur(size, (0, 0), 2) < 0.004)),
        "tails": float(np.log(float(np.mean(squares**2)) / (power**2 + 1e-12) + 1e-3)),
    }


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float(np.sum(a * b) / max(float(np.sqrt(np.sum(a**2) * np.sum(b**2))), 1e-9))


MEASUREMENTS: tuple[str, ...] = tuple(_measured(np.eye(_SKETCH, dtype=np.float32)))
"""Names of what `measure` returns."""
