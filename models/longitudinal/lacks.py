"""How far intervals must reach, measured by taking views and visits away from complete studies.

The interval of a study, whatever it lacks, is to hold what a model trained anew would say of a complete study of the same
woman, taken anew on the same day. For models trained anew stand the ensemble's members, each by itself. How far that
lies away is learned from women who did not teach the model (split conformal prediction, Vovk et al. 2005), and tried on
others (`coverage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.longitudinal.calibration import Calibration, apart, of_woman
from models.longitudinal.spread import COMPLETE, LACKS, Quantity, Reach, Spread
from models.measures import wilson
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
FEWEST_ALIKE = 20
"""Of fewer of one density at one level all densities tell."""
DENSE = 2
"""Densities C and D, counted from A = 0."""
TAIL = 0.05
ONE_VIEW, NO_VIEW, FIRST, MISSED = range(len(LACKS))
QUANTITIES: tuple[Quantity, ...] = ("risk", "breast", "progression")


def lacking(days: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (n, 2, 4) which of `LACKS` each of n visits has, by breast, from its days (n,) and views (n, 2, 3)."""
    views = present[:, :, :STANDARD_PLACES].sum(axis=2)
    seen = present.any(axis=2)
    found = np.zeros((len(days), 2, len(LACKS)))
    found[..., ONE_VIEW] = seen & (views < STANDARD_PLACES)
    found[..., NO_VIEW] = ~seen
    found[0, :, FIRST] = 1
    found[1:, :, MISSED] = (np.diff(days) > GAP_YEARS * DAYS_PER_YEAR)[:, None]
    return found


def without(history: History, lack: str, random: np.random.Generator) -> History | None:
    """Return a woman's history as if her last study lacked something; None if it does already, or can't."""
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
    """What is said at the last visits, in log-odds: value (n, b, k), each member's (members, n, b, k).

    b is 2, the breasts, or 1, the woman. `lacks` (n, b, 4) is what the studies lack; `there` (n, b) of which something is
    said: of the woman always, of a breast that is seen.
    """

    value: NDArray[np.float64]
    members: NDArray[np.float64]
    lacks: NDArray[np.float64]
    there: NDArray[np.bool_]


def _said(ensemble: keras.Model, calibration: Calibration, women: Sequence[History]) -> dict[Quantity, _Said]:
    answers = predict_histories(ensemble, women)
    found = np.stack([lacking(woman.days, woman.present)[-1] for woman in women])
    seen = np.stack([woman.present[-1].any(axis=1) for woman in women])
    odds = calibration.log_odds(np.stack([answer["hazard"][:, -1] for answer in answers], axis=1))
    growth = calibration.growth_log_odds(
        np.stack([answer["progression"][:, -1] for answer in answers], axis=1)
    )[..., None]
    whole = np.ones((len(women), 1), bool)
    return {
        "risk": _Said(odds.woman[:, None], odds.woman_members[:, :, None], of_woman(found)[:, None], whole),
        "breast": _Said(odds.breast, odds.breast_members, found, seen),
        "progression": _Said(growth.mean(axis=0), growth, found, seen),
    }


def fit_spread(
    ensemble: keras.Model,
    calibration: Calibration,
    women: Sequence[History],
    again: Sequence[History],
    fitted_on: str,
    *,
    seed: int = 0,
) -> Spread:
    """Measure how far the intervals of a calibration must reach, and which change of a score is one.

    Parameters
    ----------
    ensemble, calibration
        Of the model.
    women
        Who did not teach it, before a diagnosis. Those with a complete last study and a prior tell.
    again
        Some of them, whose last study was taken once more on the same day; then they alone tell. Without them position
        and exposure are not in the intervals.
    fitted_on
        Whose studies these are, in words.
    seed
        Of what is taken away.

    Returns
    -------
    Spread
        The calibration's own where too few women tell.
    """
    calibration = calibration.as_fitted()
    spread, random = calibration.spread, np.random.default_rng(seed)
    second = {one.patient_id: one for one in again}
    if twice := [woman for woman in women if woman.patient_id in second]:
        women = twice
    whole = [woman for woman in women if not lacking(woman.days, woman.present)[-1].any()]
    if len(whole) < FEWEST:
        return spread
    if twice:
        takes = (whole, [second[woman.patient_id] for woman in whole])
        dense = np.array([woman.density[-1].max() >= DENSE for woman in whole])
        spread = _smallest_changes(spread, dense, *(_said(ensemble, calibration, take) for take in takes))
    plain = _said(ensemble, calibration, whole)
    spread = replace(
        spread,
        usual={quantity: _medians(plain[quantity]) for quantity in QUANTITIES},
        reaches={},
        fitted_on=f"{len(whole)} complete studies of {fitted_on}",
    )
    reaches: dict[str, dict[str, Reach]] = {quantity: {} for quantity in QUANTITIES}
    for lack in (COMPLETE, *LACKS):
        pairs = _pairs(whole, lack, second, random)
        if len(pairs) < FEWEST:
            continue
        target, part = (_said(ensemble, calibration, [pair[i] for pair in pairs]) for i in range(2))
        for quantity in QUANTITIES:
            if quantity == "progression" and lack in (LACKS[FIRST], LACKS[MISSED]):
                continue  # without the prior it speaks of another stretch of time
            concerned = part[quantity].there
            if lack in LACKS:
                concerned = concerned & (part[quantity].lacks[..., LACKS.index(lack)] > 0)
            if concerned.sum() >= FEWEST:
                known = reaches[quantity].get(COMPLETE)
                reaches[quantity][lack] = _reach(
                    target[quantity], part[quantity], concerned, spread, quantity, known
                )
    for each in reaches.values():
        if LACKS[ONE_VIEW] in each and LACKS[NO_VIEW] in each:  # seeing less is never surer
            below, above = (
                tuple(map(max, *sides))
                for sides in zip(each[LACKS[ONE_VIEW]], each[LACKS[NO_VIEW]], strict=True)
            )
            each[LACKS[NO_VIEW]] = (below, above)
    return replace(spread, reaches=reaches)


def _pairs(
    whole: Sequence[History], lack: str, second: dict[str, History], random: np.random.Generator
) -> list[tuple[History, History]]:
    """Return complete studies, taken anew where that was done, each with one of the same woman that lacks something."""
    pairs = []
    for woman in whole:
        part = woman if lack == COMPLETE else without(woman, lack, random)
        if part is not None:
            pairs.append((second.get(woman.patient_id, woman), part))
    return pairs


def _medians(said: _Said) -> tuple[float, ...]:
    return tuple(float(one) for one in np.median(apart(said.members)[said.there], axis=0))


def _reach(
    target: _Said,
    part: _Said,
    concerned: NDArray[np.bool_],
    spread: Spread,
    quantity: Quantity,
    complete: Reach | None,
) -> Reach:
    """Return how many standard deviations below and above nine in ten of the targets lie, beyond those of `complete`."""
    scale = spread.scale(quantity, apart(part.members))
    times = ((target.members - part.value) / scale)[:, concerned]
    count = times.shape[1]
    missed = np.full(times.shape[-1], TAIL)
    sides: list[tuple[float, ...]] = []
    for side, sign in enumerate((-1, 1)):
        far = np.maximum(sign * times, 0)
        # The rank that keeps the promise for studies yet to come, of which there is one for all members. What the lower
        # side does not need the upper one may use: without priors hardly a score was too high.
        ranks = np.minimum((1 - 2 * TAIL + missed) * (count + 1) / count, 1.0)
        reached = np.array([np.quantile(far[..., k], rank, method="higher") for k, rank in enumerate(ranks)])
        before = np.zeros_like(reached) if complete is None else np.asarray(complete[side])
        sides.append(tuple(float(one) for one in np.sqrt(np.maximum(reached**2 - before**2, 0))))
        missed = (far > np.maximum(reached, before)).mean(axis=(0, 1))
    return sides[0], sides[1]


def _smallest_changes(
    spread: Spread, dense: NDArray[np.bool_], first: dict[Quantity, _Said], second: dict[Quantity, _Said]
) -> Spread:
    """Measure what position and exposure alone do to a score, by its level and by density (`dense` (n,): C or D)."""
    smallest: dict[str, tuple[float, ...]] = {}
    levels: dict[str, tuple[float, ...]] = {}
    for quantity in QUANTITIES:
        here = first[quantity].there & second[quantity].there
        one, other = (said[quantity].value[here][:, -1] for said in (first, second))
        hers = np.broadcast_to(dense[:, None], here.shape)[here]
        parted = np.quantile((one + other) / 2, (1 / 3, 2 / 3))
        level = np.searchsorted(parted, (one + other) / 2)
        levels[quantity] = tuple(float(edge) for edge in parted)
        smallest[quantity] = tuple(
            _smallest((other - one)[level == at], hers[level == at] == of)
            for of in (False, True)
            for at in range(3)
        )
    studies = len(first["risk"].value)
    return replace(
        spread,
        smallest_change=smallest,
        levels=levels,
        repeated_on=f"{studies} studies taken twice on one day",
    )


def _smallest(change: NDArray[np.float64], alike: NDArray[np.bool_]) -> float:
    """Return the smallest change of those of one density; of too few, that of all at this level."""
    some = change[alike] if alike.sum() >= FEWEST_ALIKE else change
    return float(1.96 * np.sqrt((some**2).mean()))


def coverage(
    ensemble: keras.Model,
    calibration: Calibration,
    women: Sequence[History],
    again: Sequence[History],
    *,
    seed: int = 1,
) -> dict[str, Any]:
    """Say whether the intervals of 5-year risk hold what they are to hold, on women with a complete last study.

    Parameters
    ----------
    ensemble, calibration
        Of the model.
    women, again
        As for `fit_spread`, others than there.

    Returns
    -------
    dict
        By what the study lacks (``complete`` first): ``n``; ``held``, the share of what each member says of the
        complete study taken anew that lies within, and ``held_same``, of what the model said of the complete study
        itself; both with a 95 % interval (Wilson); ``width``, the mean in log-odds, and ``width_complete``, of the same
        women's complete studies.
    """
    random = np.random.default_rng(seed)
    second = {one.patient_id: one for one in again}
    if twice := [woman for woman in women if woman.patient_id in second]:
        women = twice
    whole = [woman for woman in women if not lacking(woman.days, woman.present)[-1].any()]
    found: dict[str, Any] = {}
    for lack in (COMPLETE, *LACKS):
        pairs = _pairs(whole, lack, second, random)
        if len(pairs) < 2:
            continue
        names = {part.patient_id for _, part in pairs}
        same = [woman for woman in whole if woman.patient_id in names]
        target, part, first = (
            _said(ensemble, calibration, some)["risk"]
            for some in ([pair[0] for pair in pairs], [pair[1] for pair in pairs], same)
        )
        reaches = [calibration.spread.reach("risk", apart(one.members), one.lacks) for one in (part, first)]
        below, above = (side[:, 0, -1] for side in reaches[0])

        def share(
            value: NDArray[np.float64],
            off: NDArray[np.float64] = part.value[:, 0, -1],
            below: NDArray[np.float64] = below,
            above: NDArray[np.float64] = above,
        ) -> tuple[float, list[float]]:
            held = float(((value - off >= -below) & (value - off <= above)).mean())
            return held, list(wilson(held, float(len(off))))

        held, held_ci = share(target.members[:, :, 0, -1])
        held_same, held_same_ci = share(first.value[:, 0, -1])
        found[lack] = {
            "n": len(pairs),
            "held": held,
            "held_ci": held_ci,
            "held_same": held_same,
            "held_same_ci": held_same_ci,
            "width": float((below + above).mean()),
            "width_complete": float((reaches[1][0] + reaches[1][1])[:, 0, -1].mean()),
        }
    return found
