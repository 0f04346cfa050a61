"""What missing views and visits do to a score, measured by taking them away from complete studies.

Of a study that lacks something, the interval is to hold what the complete study would have said. How far that may lie
away is learned from women who did not teach the model (split conformal prediction, Vovk et al. 2005), and tried on
others (`coverage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.longitudinal.calibration import Calibration, of_woman
from models.longitudinal.spread import LACKS, Quantity, Spread
from models.sequence import History, predict_histories
from models.vocabulary import DAYS_PER_YEAR

if TYPE_CHECKING:
    import keras

__all__ = ["coverage", "fit_spread", "lacking", "without"]

GAP_YEARS = 2.5
"""Screening comes every year or every second; a longer way to the prior has missed a visit."""
STANDARD_PLACES = 2
"""Of the places for views the first two, CC and MLO, make a standard study."""
FEWEST = 60
"""Of fewer complete studies the rarest twentieth on either side says nothing."""
TAIL = 0.05
ONE_VIEW, NO_VIEW, FIRST, MISSED = range(len(LACKS))


def lacking(days: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (n, 2, 4) which of `LACKS` each of n visits has, by breast, from its days (n,) and views (n, 2, 3)."""
    views = present[:, :, :STANDARD_PLACES].sum(axis=2)
    found = np.zeros((len(days), 2, len(LACKS)))
    found[..., ONE_VIEW] = (views == 1) | ((views == 0) & present.any(axis=2))
    found[..., NO_VIEW] = ~present.any(axis=2)
    found[0, :, FIRST] = 1
    found[1:, :, MISSED] = (np.diff(days) > GAP_YEARS * DAYS_PER_YEAR)[:, None]
    return found


def without(history: History, lack: str, random: np.random.Generator) -> History | None:
    """Return a woman's history as if her last study lacked something; None if it does already or can't."""
    last = len(history) - 1
    if lacking(history.days, history.present)[last].any():
        return None
    present = history.present.copy()
    if lack == LACKS[ONE_VIEW]:
        present[last, random.integers(2), random.integers(STANDARD_PLACES)] = False
        return replace(history, present=present)
    if lack == LACKS[NO_VIEW]:
        present[last, random.integers(2)] = False
        return replace(history, present=present)
    if lack == LACKS[FIRST]:
        return history.only(np.array([last]))
    before = np.flatnonzero(history.days[last] - history.days > GAP_YEARS * DAYS_PER_YEAR)
    return history.only(np.append(before, last)) if len(before) else None


@dataclass(frozen=True)
class _Said:
    """Log-odds and the members' half widths at the last visits, by quantity, (n, 2 or 1, k), and what they lack."""

    value: dict[Quantity, NDArray[np.float64]]
    members: dict[Quantity, NDArray[np.float64]]
    lacks: dict[Quantity, NDArray[np.float64]]
    seen: NDArray[np.bool_]


def _said(ensemble: keras.Model, calibration: Calibration, women: Sequence[History]) -> _Said:
    answers = predict_histories(ensemble, women)
    found = np.stack([lacking(woman.days, woman.present)[-1] for woman in women])
    odds = calibration.log_odds(np.stack([answer["hazard"][:, -1] for answer in answers], axis=1))
    growth = calibration.growth_log_odds(
        np.stack([answer["progression"][:, -1] for answer in answers], axis=1)
    )
    return _Said(
        {"risk": odds.woman[0][:, None], "breast": odds.breast[0], "progression": growth[0][..., None]},
        {"risk": odds.woman[1][:, None], "breast": odds.breast[1], "progression": growth[1][..., None]},
        {"risk": of_woman(found)[:, None], "breast": found, "progression": found},
        np.stack([woman.present[-1].any(axis=1) for woman in women]),
    )


def fit_spread(
    ensemble: keras.Model,
    calibration: Calibration,
    women: Sequence[History],
    again: Sequence[History],
    fitted_on: str,
    *,
    seed: int = 0,
) -> Spread:
    """Measure what widens the intervals of a calibration.

    Parameters
    ----------
    ensemble, calibration
        Of the model.
    women
        Who did not teach it. Those with a complete last study and a prior tell what missing things do.
    again
        Some of them, whose last study was taken once more on the same day; empty where none was.
    fitted_on
        Whose studies these are, in words.
    seed
        Of what is taken away.

    Returns
    -------
    Spread
        Without what too few women tell; of that the calibration's own spread is kept.
    """
    calibration = calibration.as_fitted()
    kept = calibration.spread
    if len(again) >= FEWEST:
        kept = _taken_again(ensemble, calibration, women, again)
    calibration = replace(calibration, spread=replace(kept, lacks={}))
    random = np.random.default_rng(seed)
    lacks: dict[Quantity, dict[str, Any]] = {"risk": {}, "breast": {}, "progression": {}}
    told = 0
    for lack in LACKS:
        pairs = [(woman, less) for woman in women if (less := without(woman, lack, random)) is not None]
        if len(pairs) < FEWEST:
            continue
        told = max(told, len(pairs))
        whole, part = (_said(ensemble, calibration, [pair[i] for pair in pairs]) for i in range(2))
        for quantity, each in lacks.items():
            if quantity == "progression" and lack != LACKS[ONE_VIEW]:
                continue  # without the prior it speaks of another stretch of time
            off = _off(whole, part, quantity, lack)
            if off is not None:
                each[lack] = _reaches(off, calibration.spread, quantity)
    if told == 0:
        return kept
    for each in lacks.values():
        if LACKS[ONE_VIEW] in each and LACKS[NO_VIEW] in each:
            # Seeing less is never surer.
            each[LACKS[NO_VIEW]] = tuple(
                tuple(np.maximum(one, none))
                for one, none in zip(each[LACKS[ONE_VIEW]], each[LACKS[NO_VIEW]], strict=True)
            )
    return replace(
        kept,
        lacks={str(name): each for name, each in lacks.items()},
        fitted_on=f"{told} complete studies of {fitted_on}",
    )


def _off(
    whole: _Said, part: _Said, quantity: Quantity, lack: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return how far above the lesser study's score the complete one's lies, (m, k), and the members' half widths."""
    if quantity == "risk":
        return (whole.value["risk"] - part.value["risk"])[:, 0], part.members["risk"][:, 0]
    concerned = part.seen & (part.lacks["breast"][..., LACKS.index(lack)] > 0)
    if concerned.sum() < FEWEST:
        return None
    return (whole.value[quantity] - part.value[quantity])[concerned], part.members[quantity][concerned]


def _reaches(off: tuple[NDArray[np.float64], NDArray[np.float64]], spread: Spread, quantity: Quantity) -> Any:
    """Return how far below and above is to be added, in squares, for nine in ten to lie within."""
    far, members = off
    known = spread.reach(quantity, members, None)[0]
    beyond = np.sqrt(np.maximum(far**2 - known**2, 0))
    # The rank that keeps the promise for studies yet to come.
    rank = min(1.0, (1 - TAIL) * (len(far) + 1) / len(far))
    return tuple(
        tuple(float(one) for one in np.quantile(np.where(side, beyond, 0), rank, axis=0, method="higher"))
        for side in (far < 0, far > 0)
    )


def _taken_again(
    ensemble: keras.Model, calibration: Calibration, women: Sequence[History], again: Sequence[History]
) -> Spread:
    """Measure what position and exposure alone do."""
    by_name = {woman.patient_id: woman for woman in women}
    pairs = [(by_name[one.patient_id], one) for one in again if one.patient_id in by_name]
    first, second = (_said(ensemble, calibration, [pair[i] for pair in pairs]) for i in range(2))
    exposure: dict[str, tuple[float, ...]] = {}
    smallest: dict[str, tuple[float, ...]] = {}
    levels: dict[str, tuple[float, ...]] = {}
    for quantity in first.value:
        here = np.ones((len(pairs), 1), bool) if quantity == "risk" else first.seen & second.seen
        change = (second.value[quantity] - first.value[quantity])[here]
        # The difference of two takes has twice the variance of one.
        exposure[quantity] = tuple(float(one) for one in np.sqrt((change**2).mean(axis=0) / 2))
        middle = (second.value[quantity] + first.value[quantity])[here][:, -1] / 2
        levels[quantity] = tuple(float(one) for one in np.quantile(middle, (1 / 3, 2 / 3)))
        group = np.searchsorted(levels[quantity], middle)
        smallest[quantity] = tuple(
            float(1.96 * np.sqrt((change[group == level, -1] ** 2).mean())) for level in range(3)
        )
    return replace(
        calibration.spread,
        exposure=exposure,
        smallest_change=smallest,
        levels=levels,
        repeated_on=f"{len(pairs)} studies taken twice on one day",
    )


def coverage(
    ensemble: keras.Model, calibration: Calibration, women: Sequence[History], *, seed: int = 1
) -> dict[str, Any]:
    """Say whether intervals hold what the complete study would have said, on women with a complete last study.

    Returns
    -------
    dict
        By lack: ``n``; ``held``, the share of complete studies' 5-year risks within the lesser study's interval, with
        its 95 % interval ``held_ci`` (Wilson); ``width`` and ``width_complete``, mean widths in log-odds.
    """
    from models.measures import wilson

    random = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for lack in LACKS:
        pairs = [(woman, less) for woman in women if (less := without(woman, lack, random)) is not None]
        if len(pairs) < 2:
            continue
        whole, part = (_said(ensemble, calibration, [pair[i] for pair in pairs]) for i in range(2))
        far = (whole.value["risk"] - part.value["risk"])[:, 0, -1]
        reaches = [
            calibration.spread.reach("risk", one.members["risk"][:, 0], one.lacks["risk"][:, 0])
            for one in (whole, part)
        ]
        below, above = (one[:, -1] for one in reaches[1])
        held = float(((-below <= far) & (far <= above)).mean())
        found[lack] = {
            "n": len(pairs),
            "held": held,
            "held_ci": list(wilson(held, float(len(pairs)))),
            "width": float((below + above).mean()),
            "width_complete": float((reaches[0][0] + reaches[0][1])[:, -1].mean()),
        }
    return found
