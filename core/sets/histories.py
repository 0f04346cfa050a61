"""Women's histories as the sequence model learns from them: vectors by visit, side and view, with what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.rules.ages import DAYS_PER_YEAR
from core.rules.vocabulary import DENSITIES, FINDINGS, SIDES, FindingClass
from core.sets.exams import ExamImage, Exams, Woman

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.sequence import History

__all__ = ["histories_of"]


def histories_of(
    exams: Exams, rows: Sequence[int], vectors: NDArray[np.float32], women: Sequence[int]
) -> list[History]:
    """Return the chosen women's histories.

    Parameters
    ----------
    exams
        The set.
    rows
        Which images were encoded.
    vectors
        (len(rows), D) their vectors.
    women
        Which women.
    """
    from models.sequence import SIDES, SLOTS, History, index_weights, slot_of

    hers: dict[int, list[int]] = {}
    for place, i in enumerate(rows):
        hers.setdefault(exams.images[i].woman, []).append(place)
    made = []
    for number in women:
        woman = exams.women[number]
        n = len(woman.dates)
        sums = np.zeros((n, 2, len(SLOTS), vectors.shape[1]), np.float64)
        counts = np.zeros(sums.shape[:-1], np.int64)
        for place in hers.get(number, []):
            image = exams.images[rows[place]]
            where = (image.visit, SIDES.index(_side(image)), slot_of(image.view))
            sums[where] += vectors[place]
            counts[where] += 1
        days = np.array([(on or date.min).toordinal() for on in woman.dates], np.float64)
        made.append(
            History(
                patient_id=woman.patient_id,
                days=days,
                ages=np.array([np.nan if age is None else age for age in woman.ages]),
                vectors=(sums / np.maximum(counts, 1)[..., None]).astype(np.float32),
                present=counts > 0,
                malignancy=_malignancy(woman, days),
                progression=_by_side(
                    [{k: float(v) for k, v in s.items()} for s in woman.progression], np.nan
                ),
                density=_by_side(
                    [{k: DENSITIES.index(v) for k, v in study.items()} for study in woman.density], -1
                ).astype(np.int64),
                finding=_by_side(
                    [{k: FINDINGS.index(v) for k, v in study.items()} for study in woman.finding], -1
                ).astype(np.int64),
                years_to_cancer=_years(woman.cancer_date, days),
                cancer_breast=-1 if woman.cancer_laterality is None else SIDES.index(woman.cancer_laterality),
                years_followed=np.maximum(np.nan_to_num(_years(_followed_until(woman), days), nan=0.0), 0.0),
                weight=index_weights(n),
            )
        )
    return made


def _side(image: ExamImage) -> Any:
    return image.laterality


def _by_side(studies: Sequence[dict[str, float]], unknown: float) -> NDArray[np.float32]:
    return np.array([[study.get(side, unknown) for side in SIDES] for study in studies], np.float32)


def _years(on: date | None, days: NDArray[np.float64]) -> NDArray[np.float64]:
    if on is None or (days == date.min.toordinal()).all():
        return np.full(len(days), np.nan)
    return (on.toordinal() - days) / DAYS_PER_YEAR


def _followed_until(woman: Woman) -> date | None:
    """Return until when it is known that a woman had no cancer, or what came of her.

    With a malignant finding but no date of a diagnosis that is the day of the finding: she must not pass for a woman who
    stayed well.
    """
    if woman.cancer_date is None:
        for on, found in zip(woman.dates, woman.finding, strict=True):
            if FindingClass.MALIGNANT in found.values():
                return on
    return woman.last_followup


def _malignancy(woman: Woman, days: NDArray[np.float64]) -> NDArray[np.float32]:
    """Label breasts: cancer found from the study on within 365 days; by the finding where no date is known."""
    label = np.full((len(days), 2), np.nan, np.float32)
    dated = woman.cancer_date is not None or any(
        woman.last_followup is not None and on is not None and woman.last_followup > on
        for on in woman.dates[-1:]
    )
    for k, day in enumerate(days):
        for i, side in enumerate(SIDES):
            if not dated:
                finding = woman.finding[k].get(side)
                label[k, i] = np.nan if finding is None else float(finding == FindingClass.MALIGNANT)
                continue
            if woman.cancer_date is None and woman.finding[k].get(side) == FindingClass.MALIGNANT:
                label[k, i] = 1
                continue
            ahead = None if woman.cancer_date is None else woman.cancer_date.toordinal() - day
            until = _followed_until(woman)
            followed = 0 if until is None else until.toordinal() - day
            if ahead is not None and ahead < 0:
                continue
            if ahead is not None and ahead <= 365:
                if woman.cancer_laterality is not None:
                    label[k, i] = float(woman.cancer_laterality == side)
            elif ahead is not None or followed >= 365:
                label[k, i] = 0
    return label


def observed_rates(women: Sequence[History]) -> tuple[float, ...]:
    """Return the share of women with a cancer within 1..5 years of their last visit, those censored or not drawn stood in for."""
    from models.measures import censoring_weights, horizon_labels

    to_cancer = np.array([history.years_to_cancer[-1] for history in women])
    followed = np.array([history.years_followed[-1] for history in women])
    stands_for = np.array([history.stands_for for history in women])
    usable = ~(to_cancer < 0)
    rates: list[float] = []
    for horizon in range(1, 6):
        label, _ = horizon_labels(to_cancer[usable], followed[usable], horizon)
        weight = stands_for[usable] * censoring_weights(
            to_cancer[usable], followed[usable], horizon, stands_for[usable]
        )
        rates.append(max(float((weight * label).sum() / weight.sum()), *rates, 1e-4))
    return tuple(rates)
