"""Simulated women with what a follow-up study would know of each, and the truth beside it: what `measures` counts on.

Lives only, no pictures. Women are drawn enriched and weighed back to natural incidence (`natural_weight`); women
treated within their record are left out of the draw. A perfect reader of single studies, fitted on other women, scores the
studies of all women with a cancer on its way, of a quarter of the others, and every last study.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.oracles import HISTORY, LAST_VISIT, LOOKS, fitted_oracle, reader_table
from core.rules.ages import years_between
from core.rules.vocabulary import SIDES, Side
from core.sets import TrueBreast, true_breasts
from seed_data.women import lives
from seed_data.women.life import CaseMix, Life
from seed_data.women.mechanisms import Mechanisms
from seed_data.women.persons import natural_rate, natural_weight
from seed_data.women.processes import in_order
from seed_data.women.rates import gland_share
from seed_data.women.visibility import MEASURED, truth_without_pictures

__all__ = ["MIX", "Followed", "follow"]

MIX: Final = CaseMix(treated_rate=0.0)
CHUNK: Final = 250
HORIZON: Final = 5
SCREENING_DELAY_DAYS: Final = 46
"""A cancer that the last study finds is diagnosed within so many days (`lives`)."""
PRIOR_WITHIN_YEARS: Final = 2.6
"""A study counts as the prior of a screening that finds a cancer if it is no older than this."""
STANDS_OUT: Final = 1.2816
"""A sign is seen in retrospect if it is higher than in nine of ten healthy breasts."""
SUSPICIOUS: Final = ("spiculated", "indistinct", "distortion", "many specks")
"""Looks that a reader recalls for."""
TISSUE: Final = ("age_years", "gland_share", "texture", "higher sign", "lower sign")


@dataclass(frozen=True)
class Followed:
    """Columns by woman, and by study of some women.

    `women`: index patient; `studies`: column ``woman`` is the row of `women`; scores are per cent within five years at
    natural incidence. `weight` brings women to natural incidence.
    """

    women: pd.DataFrame
    studies: pd.DataFrame

    @property
    def weight(self) -> NDArray[np.float64]:
        """Return how many times as common each woman is in life, up to one factor."""
        return self.women["weight"].to_numpy(float)


@dataclass(frozen=True)
class _Order:
    seed: int
    numbers: range
    mechanisms: Mechanisms
    teaching: bool


def follow(women: int, seed: int, mechanisms: Mechanisms, *, jobs: int = 1) -> Followed:
    """Draw and score so many women; as many others, of the next seed, teach the reader."""
    tried, taught = (
        list(
            in_order(
                _drawn,
                [
                    _Order(one, range(start, min(start + CHUNK, women + 1)), mechanisms, one != seed)
                    for start in range(1, women + 1, CHUNK)
                ],
                jobs,
            )
        )
        for one in (seed, seed + 1)
    )
    table = pd.concat([chunk[0] for chunk in tried], ignore_index=True)
    studies = pd.concat([chunk[1] for chunk in tried], ignore_index=True)
    table["place"] = np.arange(len(table))
    studies["woman"] = studies["patient"].map(table.set_index("patient")["place"])
    teaching_women = pd.concat([chunk[0] for chunk in taught], ignore_index=True)
    teaching = pd.concat([chunk[1] for chunk in taught], ignore_index=True)
    teaching = teaching[teaching["is_last"]].merge(teaching_women[["patient", "weight"]], on="patient")
    studies["risk"] = _natural(teaching, studies, LAST_VISIT)
    studies["with_history"] = _natural(teaching, studies, HISTORY)
    negative = teaching[~(teaching["years_to_cancer"] <= SCREENING_DELAY_DAYS / 365)]
    studies["tissue"] = _natural(negative, studies, TISSUE)
    return Followed(table, studies)


def _natural(teaching: pd.DataFrame, studies: pd.DataFrame, columns: tuple[str, ...]) -> NDArray[np.float64]:
    """Return a reader's risk within five years, per cent, its odds brought from the enriched mix to natural incidence."""
    said = np.clip(fitted_oracle(teaching, columns, HORIZON)(studies), 1e-6, 1 - 1e-6)
    event = (teaching["years_to_cancer"] <= HORIZON).to_numpy()
    known = event | (teaching["years_followed"] >= HORIZON).to_numpy()
    weight = teaching["weight"].to_numpy(float)
    drawn = event[known].mean()
    natural = np.average(event[known], weights=weight[known])
    odds = said / (1 - said) * natural / (1 - natural) / (drawn / (1 - drawn))
    return np.asarray(100 * odds / (1 + odds))


def _drawn(order: _Order) -> tuple[pd.DataFrame, pd.DataFrame]:
    women, cut, facts = [], [], {}
    for number in order.numbers:
        life = lives.draw_life(order.seed, number, MIX, mechanisms=order.mechanisms)
        breasts = true_breasts(truth_without_pictures(life, MEASURED))
        women.append(_woman(life, breasts))
        last = len(life.visits)
        followed = not order.teaching and (life.true_cancer_date is not None or number % 4 == 0)
        chosen = range(1, last + 1) if followed else (last,)
        for visit in chosen:
            name = f"{life.name}|{visit}"
            cut += [replace(one, patient_id=name) for one in breasts if one.visit <= visit]
            facts[name] = _study(life, visit)
    studies = reader_table(cut)
    return pd.DataFrame(women), studies.join(pd.DataFrame.from_dict(facts, orient="index")).reset_index(
        drop=True
    )


def _study(life: Life, visit: int) -> dict[str, Any]:
    on, found = life.visits[visit - 1].on, life.true_cancer_date
    return {
        "patient": life.name,
        "is_last": visit == len(life.visits),
        "years_before": math.nan if found is None else years_between(on, found),
        "observed": life.cancer_date is not None,
    }


def _woman(life: Life, breasts: list[TrueBreast]) -> dict[str, Any]:
    first, last = life.visits[0], life.visits[-1]
    now, before = _suspicious(breasts, len(life.visits))
    told: dict[str, Any] = {
        "patient": life.name,
        "weight": natural_weight(life, MIX),
        "rate": natural_rate(life),
        "suspicious": bool(now),
        "suspicious_new": bool(now - before),
        "age": life.age_years(last.on),
        "bmi": life.bmi,
        "density": last.study_density,
        "gland": max(gland_share(last.score[side]) for side in SIDES),
        "texture": math.nan if last.texture is None else last.texture,
        "asymmetry": _asymmetry(life),
        "followed": years_between(last.on, life.last_followup),
        "cancer": life.true_cancer_date is not None,
        "observed": life.cancer_date is not None,
    }
    for apart in (2, 4, 6):
        told |= _later(life, apart)
    other: Side = "R" if _side(life) == "L" else "L"
    years = years_between(first.on, last.on)
    once, after = (gland_share(visit.score[other]) for visit in (first, last))
    told["other_fall"] = (once - after) / once / years
    return told | _cancer(life, breasts)


def _suspicious(breasts: list[TrueBreast], last: int) -> tuple[set[str], set[str]]:
    """Return the names of suspicious findings that show at the last visit, and of those that showed before."""
    now: set[str] = set()
    before: set[str] = set()
    for breast in breasts:
        names = {one.name for one in breast.lesions if one.visible and LOOKS[one.kind] in SUSPICIOUS}
        (now if breast.visit == last else before).update(names)
    return now, before


def _asymmetry(life: Life) -> float:
    last = life.visits[-1]
    if last.signs:
        return abs(last.signs["L"] - last.signs["R"])
    return abs(gland_share(last.score["L"]) - gland_share(last.score["R"]))


def _later(life: Life, years: int) -> dict[str, float]:
    """Return her density at her first visit and so many years later, each with her age."""
    first = life.visits[0]
    for later in life.visits[1:]:
        if abs(years_between(first.on, later.on) - years) < 0.35:
            return {
                f"then_{years}": first.score["L"],
                f"later_{years}": later.score["L"],
                f"aged_{years}": life.age_years(first.on),
            }
    return {f"then_{years}": math.nan, f"later_{years}": math.nan, f"aged_{years}": math.nan}


def _side(life: Life) -> Side:
    """Return the breast that has or will have the cancer; left where there is none."""
    return next((one.side for one in life.lesions if one.malignant), "L")


def _cancer(life: Life, breasts: list[TrueBreast]) -> dict[str, Any]:
    """Return what is true of the cancer on its way; NaN and False without one. Years are from the last visit."""
    found, tumour = life.true_cancer_date, next((one for one in life.lesions if one.malignant), None)
    if found is None or tumour is None:
        return {
            "years": math.nan, "felt_years": math.inf, "screened": False, "at_last": False, "lesion_visible": False,
            "visible": False, "prior": math.nan, "prior_visible": False, "grade": math.nan, "in_situ": False,
            "still": False, "doubling": math.nan, "fall": math.nan, "denser": math.nan,
        }  # fmt: skip
    first, last = life.visits[0], life.visits[-1]
    screened = life.true_found_by == "screening"
    at_last = screened and (found - last.on).days <= SCREENING_DELAY_DAYS
    # The prior of a screening that found it: the visit before the last, or the last itself.
    prior = (len(life.visits) - 1) if at_last else len(life.visits)
    gap = years_between(life.visits[prior - 1].on, found) if prior else math.inf
    other: Side = "R" if tumour.side == "L" else "L"
    years = years_between(first.on, last.on)
    lesion, seen = _visible(breasts, tumour.side, len(life.visits))
    return {
        "years": years_between(last.on, found),
        "felt_years": math.inf if life.felt_on is None else years_between(last.on, life.felt_on),
        "screened": screened,
        "at_last": at_last,
        "lesion_visible": lesion,
        "visible": seen,
        "prior": prior if screened and gap <= PRIOR_WITHIN_YEARS else math.nan,
        "prior_visible": bool(prior) and any(_visible(breasts, tumour.side, prior)),
        "grade": math.nan if tumour.grade is None else tumour.grade,
        "in_situ": tumour.in_situ,
        "still": life.felt_on is None,
        "doubling": tumour.doubling_days,
        "fall": ((last.score[tumour.side] - first.score[tumour.side]) - (last.score[other] - first.score[other]))
        / years,
        "denser": 100 * (gland_share(first.score[tumour.side]) - gland_share(first.score[other])),
    }  # fmt: skip


def _visible(breasts: list[TrueBreast], side: Side, visit: int) -> tuple[bool, bool]:
    """Say whether the cancer shows at a visit, and whether it or its early sign does."""
    here = next(one for one in breasts if one.visit == visit and one.laterality == side)
    lesion = any(one.visible and one.malignant for one in here.lesions)
    return lesion, lesion or (here.sign is not None and here.sign > STANDS_OUT)
