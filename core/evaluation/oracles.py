"""Oracles: what could be known at all of simulated women, so that a model is measured against the possible.

Three of them, each fair in its own way, none a model that could exist:

- **Truth oracle** (`largest_malignant_mm` of `core.sets.truth`): it knows of every breast whether there is a cancer and how
  large it is, visible or not. Its score is that diameter. It needs no fitting. It bounds what a reader of one study
  can say of a cancer that is found within a year; it is not 1, as small cancers may or may not be found in time, and
  some arise after the visit.
- **Last-visit oracle**: a perfect reader of the last study. It is shown the true visible findings by what they look
  like, with true diameters, and age and density. It is never told whether a finding is malignant, nor of findings
  that do not stand out of the tissue.
- **History oracle**: the same reader, shown all studies besides: of each finding visible now, whether it was seen
  before, for how long, how fast it has grown, what is new, what has gone.

What a look is: the kinds of the simulator, joined where their pictures are drawn by the same rule with overlapping
parameters (an indistinct cancer and an indistinct benign mass are one look; so are a distortion by cancer and a radial
scar; so are round cancers, cysts, fibroadenomas and lymph nodes). Spiculated masses and clusters of many fine specks
are drawn for cancers only, so the look alone tells those.

The two readers are gradient boosted trees on the same women and outcomes, so their difference is what history adds.
They are fitted on other women: a truth table given for that, or else by folds within the evaluated women. A fitted
oracle can be below what is possible, never above; the more women it is fitted on, the closer. A share of its gain is
therefore, if anything, too kind to the model where it was fitted on few women.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.rules.ages import DAYS_PER_YEAR
from core.sets import TrueBreast, TrueLesion, by_woman

__all__ = [
    "HISTORY",
    "LAST_VISIT",
    "LOOKS",
    "FittedOracle",
    "Gain",
    "fitted_oracle",
    "gain_of_history",
    "oracle_scores",
    "reader_table",
]

LOOKS: Mapping[str, str] = {
    "spiculated mass": "spiculated",
    "indistinct mass": "indistinct",
    "indistinct benign mass": "indistinct",
    "round mass": "round",
    "cyst": "round",
    "fibroadenoma": "round",
    "lymph node": "round",
    "distortion": "distortion",
    "radial scar": "distortion",
    "scar": "distortion",
    "calcifications": "many specks",
    "benign calcifications": "few specks",
    "coarse calcification": "coarse speck",
}
"""What each kind of finding of the simulator looks like to a reader (`seed_data.women.appearance` draws them so)."""
NAMES = tuple(dict.fromkeys(LOOKS.values()))
FASTEST = 8.0
"""Doublings of volume a year beyond which growth is called just fast."""
FEW = 3000
"""Women below which an oracle's trees are kept few, so that it does not learn them by heart."""

LAST_VISIT = (
    "age_years",
    "gland_share",
    *(f"{what} {look}" for look in NAMES for what in ("largest mm,", "number,")),
    "texture",
    "higher sign",
    "lower sign",
)
HISTORY = (
    *LAST_VISIT,
    "years since the visit before",
    "gone",
    *(
        f"{what} {look}"
        for look in NAMES
        for what in ("growth since first seen,", "growth since last seen,", "years known,", "new mm,")
    ),
    "mean texture",
    "higher rise of sign",
    "lower rise of sign",
    "higher slope of sign",
)
"""Columns that each oracle sees. Growth is in doublings of volume a year; NaN where there is nothing to say it of.

Texture and signs are of simulated women who have them (`seed_data.women.mechanisms`): the sign of the breast where it is
higher and of the other, how far each stands above its mean at earlier visits, and how fast it rises a year.
"""


def reader_table(truth: Sequence[TrueBreast]) -> pd.DataFrame:
    """Return what the two readers see of each woman at her last visit, and her outcome.

    Women whose cancer was found before that visit are left out.

    Returns
    -------
    DataFrame
        Index patient_id; columns `HISTORY` (which holds `LAST_VISIT`), ``years_to_cancer`` (NaN if none was found)
        and ``years_followed``, both from the last visit.
    """
    rows: dict[str, dict[str, float]] = {}
    for patient, breasts in by_woman(truth).items():
        last = [breast for breast in breasts if breast.visit == breasts[-1].visit]
        known = [b.years_to_diagnosis for b in last if b.years_to_diagnosis is not None]
        if known and min(known) < 0:
            continue
        rows[patient] = _seen(last, [breast for breast in breasts if breast.visit < last[0].visit]) | {
            "years_to_cancer": min(known, default=math.nan),
            "years_followed": last[0].years_followed,
        }
    columns = [*HISTORY, "years_to_cancer", "years_followed"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype(float)


def _seen(last: Sequence[TrueBreast], before: Sequence[TrueBreast]) -> dict[str, float]:
    seen: dict[str, float] = {
        "age_years": last[0].age_years,
        "gland_share": max(breast.gland_share for breast in last),
        "gone": 0.0,
    }
    if before:
        seen["years since the visit before"] = _years(max(breast.on for breast in before), last[0].on)
    for look in NAMES:
        seen[f"largest mm, {look}"] = seen[f"number, {look}"] = 0.0
    for breast in last:
        priors = [one for one in before if one.laterality == breast.laterality and one.views]
        now = {lesion.name for lesion in breast.lesions if lesion.visible}
        then = {lesion.name for one in priors for lesion in one.lesions if lesion.visible}
        seen["gone"] += len(then - now) if breast.views else 0
        for lesion in breast.lesions:
            if lesion.visible:
                _add(seen, lesion, breast, priors)
    return seen | _texture_and_signs(last, before)


def _texture_and_signs(last: Sequence[TrueBreast], before: Sequence[TrueBreast]) -> dict[str, float]:
    """Return what the tissue tells beside density and findings; nothing where the simulator knew of neither."""
    told: dict[str, float] = {}
    if last[0].texture is not None:
        read = {one.visit: one.texture for one in (*before, *last) if one.texture is not None}
        told |= {"texture": last[0].texture, "mean texture": float(np.mean(list(read.values())))}
    signs = [one.sign for one in last if one.sign is not None]
    if signs:
        told |= {"higher sign": max(signs), "lower sign": min(signs)}
    rises, slopes = [], []
    for breast in last:
        past = [
            (_years(one.on, breast.on), one.sign)
            for one in before
            if one.laterality == breast.laterality and one.sign is not None
        ]
        if breast.sign is not None and past:
            rises.append(breast.sign - float(np.mean([sign for _, sign in past])))
            years, seen = np.array([*past, (0.0, breast.sign)]).T
            slopes.append(-float(np.polyfit(years, seen, 1)[0]))
    if rises:
        told |= {"higher rise of sign": max(rises), "lower rise of sign": min(rises)}
        told["higher slope of sign"] = max(slopes)
    return told


def _add(
    seen: dict[str, float], lesion: TrueLesion, breast: TrueBreast, priors: Sequence[TrueBreast]
) -> None:
    look = LOOKS[lesion.kind]
    seen[f"number, {look}"] += 1
    _at_least(seen, f"largest mm, {look}", lesion.diameter_mm)
    past = [
        (one.on, same) for one in priors for same in one.lesions if same.visible and same.name == lesion.name
    ]
    for word, at in (("first", 0), ("last", -1)):
        if past:
            on, then = past[at]
            doublings = 3 * math.log2(lesion.diameter_mm / then.diameter_mm) / _years(on, breast.on)
            _at_least(seen, f"growth since {word} seen, {look}", float(np.clip(doublings, -FASTEST, FASTEST)))
    if past:
        _at_least(seen, f"years known, {look}", _years(past[0][0], breast.on))
    elif priors:
        _at_least(seen, f"new mm, {look}", lesion.diameter_mm)


def _at_least(seen: dict[str, float], key: str, value: float) -> None:
    seen[key] = max(seen.get(key, -math.inf), value)


def _years(start: Any, end: Any) -> float:
    return max((end - start).days, 1) / DAYS_PER_YEAR


@dataclass(frozen=True)
class _Known:
    label: NDArray[np.bool_]
    rows: NDArray[np.bool_]


def _outcome(table: pd.DataFrame, horizon: int) -> _Known:
    label = (table["years_to_cancer"] <= horizon).to_numpy()
    return _Known(label, label | (table["years_followed"] >= horizon).to_numpy())


@dataclass(frozen=True)
class FittedOracle:
    """One reader's fitted trees and the columns they look at."""

    trees: Any
    columns: tuple[str, ...]

    def __call__(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of cancer within the horizon for every woman of a table."""
        return np.asarray(self.trees.predict_proba(table[list(self.columns)].to_numpy(float))[:, 1])


def fitted_oracle(table: pd.DataFrame, columns: Sequence[str], horizon: int, seed: int = 0) -> FittedOracle:
    """Fit one reader on women of whom it is known whether cancer was found within `horizon` years.

    Gradient boosted trees (scikit-learn's `HistGradientBoostingClassifier`), which take NaN as it is. Raises
    ValueError if fewer than ten of either outcome are there.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    known = _outcome(table, horizon)
    events = int(known.label[known.rows].sum())
    if min(events, int(known.rows.sum()) - events) < 10:
        raise ValueError("An oracle cannot be fitted on fewer than ten women of either outcome.")
    few = int(known.rows.sum()) < FEW
    trees = HistGradientBoostingClassifier(
        max_iter=60 if few else 250,
        learning_rate=0.05,
        max_depth=3 if few else 5,
        min_samples_leaf=12 if few else 40,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    # A column that says one thing of every woman teaches nothing, and scikit-learn cannot bin it.
    telling = [name for name in columns if table.loc[known.rows, name].nunique() > 1]
    trees.fit(table.loc[known.rows, telling].to_numpy(float), known.label[known.rows])
    return FittedOracle(trees, tuple(telling))


def oracle_scores(
    table: pd.DataFrame,
    columns: Sequence[str],
    horizon: int,
    fitted_on: pd.DataFrame | None = None,
    *,
    folds: int = 5,
    repeats: int = 3,
) -> pd.Series:
    """Return one reader's probability of cancer within `horizon` years for every woman of `table`.

    Parameters
    ----------
    table
        What `reader_table` gave.
    columns
        `LAST_VISIT` or `HISTORY`.
    horizon
        Years.
    fitted_on
        Table of other women; None: out of fold within `table`, averaged over repeats.
    folds, repeats
        Of the cross-validation.
    """
    if fitted_on is not None:
        return pd.Series(fitted_oracle(fitted_on, columns, horizon)(table), index=table.index)
    known = _outcome(table, horizon)
    said = np.zeros(len(table))
    for repeat in range(repeats):
        place = np.random.default_rng(repeat).permutation(len(table))
        # Cancers are spread evenly over the folds.
        fold = np.empty(len(table), int)
        fold[place[np.argsort(known.label[place], kind="stable")]] = np.arange(len(table)) % folds
        for held in range(folds):
            oracle = fitted_oracle(table[fold != held], columns, horizon, seed=repeat)
            said[fold == held] += oracle(table[fold == held])
    return pd.Series(said / repeats, index=table.index)


@dataclass(frozen=True)
class Gain:
    """What history adds to a perfect reader of the last visit: AUCs and their difference, 95 % intervals."""

    events: int
    known: int
    auc_last: float
    auc_history: float
    gain: float
    gain_ci: tuple[float, float]


def gain_of_history(
    table: pd.DataFrame,
    horizon: int,
    fitted_on: pd.DataFrame | None = None,
    *,
    times: int = 1000,
    seed: int = 0,
) -> Gain:
    """Return the gain of the history oracle over the last-visit oracle, with a paired bootstrap over women.

    Women of whom it is not known whether cancer was found within `horizon` years are left out. Raises ValueError if
    there are too few cancers.
    """
    from models.measures import auc, paired_bootstrap

    known = _outcome(table, horizon)
    label = known.label[known.rows]
    last, history = (
        oracle_scores(table, columns, horizon, fitted_on).to_numpy()[known.rows]
        for columns in (LAST_VISIT, HISTORY)
    )
    gain, low, high = paired_bootstrap(auc, label, history, last, times=times, seed=seed)
    return Gain(int(label.sum()), len(label), auc(label, last), auc(label, history), gain, (low, high))
