"""Benign findings and look-alikes: where they lie, how they grow and go."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np

from core.rules.vocabulary import SIDES
from seed_data.women import mechanisms as mechanism
from seed_data.women.life import CaseMix, LifeLesion
from seed_data.women.rates import BENIGN_KINDS, LARGEST_MM


def draw_position(
    rng: np.random.Generator, breast_mm: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Draw a place inside the breast, the upper outer quadrant most often (about half of cancers arise there)."""
    depth, width, height = breast_mm
    x = float(rng.uniform(0.14, 0.72))
    reach = math.sqrt(1 - x**2) * 0.72
    outer, upper = rng.random() < 0.66, rng.random() < 0.62
    y = float(rng.beta(1.3, 1.5)) * reach * (1 if outer else -1)
    z = float(rng.beta(1.3, 1.5)) * reach * (1 if upper else -1)
    shrink = min(1.0, reach / (math.hypot(y, z) + 1e-6))
    return x * depth, y * shrink * width, z * shrink * height


def pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """Draw one of the keys by its share."""
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def draw_benign(
    rng: np.random.Generator,
    mix: CaseMix,
    breast_mm: tuple[float, float, float],
    first: date,
    last: date,
    age: float,
) -> list[LifeLesion]:
    """Draw benign findings: some there from the start, some new; they stay, grow slowly, or go. Assumptions."""
    found = []
    span_days = (last - first).days
    for index in range(int(rng.poisson(mix.benign_per_woman))):
        kind, side = pick(rng, BENIGN_KINDS), SIDES[int(rng.random() < 0.5)]
        old = rng.random() < 0.62
        offset = -int(rng.uniform(200, 2500)) if old else int(rng.uniform(0, max(span_days, 1)))
        size, doubling, largest = 0.0, math.inf, LARGEST_MM
        gone = None
        if kind == "cyst":
            size = float(rng.lognormal(math.log(11), 0.4))
            if age < 60 or rng.random() < 0.5:
                gone = first + timedelta(days=offset + int(rng.lognormal(math.log(900), 0.7)))
        elif kind == "fibroadenoma":
            size = float(rng.lognormal(math.log(11), 0.4))
            if rng.random() < 0.45:
                size, doubling, largest = size * 0.6, float(rng.uniform(500, 1800)), size * 1.6
        elif kind == "lymph node":
            size = float(rng.uniform(4, 9))
        elif kind == "benign calcifications":
            size = float(rng.uniform(6, 22))
            if rng.random() < 0.3:
                doubling, largest = float(rng.uniform(900, 2500)), size * 1.5
        elif kind == "coarse calcification":
            size = float(rng.uniform(2.5, 9))
        elif kind == "indistinct benign mass":
            size = float(rng.lognormal(math.log(9), 0.35))
            if rng.random() < 0.4:
                size, doubling, largest = size * 0.7, float(rng.uniform(400, 1500)), size * 1.4
        else:
            size = float(rng.uniform(7, 15))
        position = draw_position(rng, breast_mm)
        if kind == "lymph node":
            position = (0.3 * breast_mm[0], 0.55 * breast_mm[1], 0.45 * breast_mm[2])
        found.append(
            LifeLesion(
                f"B{index + 1}",
                side,
                kind,
                False,
                position,
                first + timedelta(days=offset),
                max(size, 1.5),
                doubling,
                largest,
                float(np.exp(rng.normal(0, 0.2))),
                int(rng.integers(2**31)),
                gone_on=gone,
            )
        )
    return found


def look_alikes(
    key: tuple[int, int], breast_mm: tuple[float, float, float], dates: list[date]
) -> list[LifeLesion]:
    """Return findings that look like cancer and are none: there from before the first visit, or on one day only."""
    rng, found = np.random.default_rng([*key, 24]), []
    for index, one in enumerate(mechanism.draw_look_alikes(key, len(dates))):
        since = dates[0] - timedelta(days=1000) if one.visit is None else dates[one.visit]
        found.append(
            LifeLesion(
                f"A{index + 1}", SIDES[one.side == "R"], one.kind, False, draw_position(rng, breast_mm), since,
                one.diameter_mm, conspicuity=float(np.exp(rng.normal(0, 0.2))), shape_seed=one.shape_seed,
                gone_on=None if one.visit is None else since + timedelta(days=1),
            )
        )  # fmt: skip
    return found
