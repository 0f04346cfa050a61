"""Whole mammograms of women: each film alone, beside her other breast, and woman by woman; and where the model points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.rules.vocabulary import FindingClass
from core.sets import ImageCase
from models.film import beside_other
from models.measures import auc, bootstrap

__all__ = ["measure_films", "measure_pointing", "other_breast"]

LEAST = 1e-6
OPPOSITE = {"L": "R", "R": "L"}


def measure_films(
    cases: Sequence[ImageCase], said: NDArray[np.float64], classes: Sequence[str], *, times: int = 1000
) -> dict[str, Any] | None:
    """Measure what is said of whole films, women being drawn.

    Parameters
    ----------
    cases
        n films, each with its woman, side and view.
    said
        (n, classes) probabilities.
    classes
        One of them normal, malignant among the others.

    Returns
    -------
    dict or None
        None where classes or sides do not allow it. Else of ``abnormal`` (against normal) and of ``malignant`` (against
        the rest) AUC with its interval: ``film``, each by itself; ``beside_other``, from what is said of a film half of
        what is said of the same view of her other breast is taken (`models.film.scores`); ``unaffected``, films of that
        kind against those of women in whom no film is; ``women``, the highest of her films beside the others, against
        women in whom no film is.
    """
    normal, malignant = (
        [place for place, name in enumerate(classes) if name == kind]
        for kind in (FindingClass.NORMAL, FindingClass.MALIGNANT)
    )
    if not normal or not any(case.laterality in OPPOSITE for case in cases):
        return None
    label = np.array([case.label for case in cases])
    woman = np.array([case.group for case in cases])
    other = other_breast(cases)
    measured: dict[str, Any] = {"beside_another": int((other >= 0).sum())}
    wanted = {"abnormal": (label != FindingClass.NORMAL, 1 - said[:, normal[0]])}
    if malignant:
        wanted["malignant"] = (label == FindingClass.MALIGNANT, said[:, malignant[0]])
    for name, (is_one, share) in wanted.items():
        if is_one.all() or not is_one.any():
            continue
        score = np.log(np.clip(share, LEAST, 1)) - np.log(np.clip(1 - share, LEAST, 1))
        beside = beside_other(score, np.where(other >= 0, score[other], np.nan))
        affected = np.isin(woman, woman[is_one])
        kept = is_one | ~affected
        measured[name] = {
            "film": _measured(is_one, score, woman, times),
            "beside_other": _measured(is_one, beside, woman, times),
            "unaffected": _measured(is_one[kept], score[kept], woman[kept], times),
            "women": _measured(*_women(affected, beside, woman), times),
        }
    return measured


def measure_pointing(
    on_lesion: Sequence[Sequence[bool]], women: Sequence[str], *, times: int = 1000
) -> dict[str, Any]:
    """Measure how often the places where a model sees most lie on a lesion.

    Parameters
    ----------
    on_lesion
        Of each of n films with a boxed lesion: whether its highest peaks lie on one, the highest first.
    women
        (n,) whose each is.
    """
    hits = {
        "highest": np.array([any(peaks[:1]) for peaks in on_lesion], float),
        "one_of_three": np.array([any(peaks[:3]) for peaks in on_lesion], float),
    }
    measured: dict[str, Any] = {"n": len(on_lesion)}
    for name, hit in hits.items():
        if len(hit):
            value, low, high = bootstrap(
                lambda one: float(one.mean()), hit, cluster=np.array(women), times=times
            )
            measured |= {name: value, f"{name}_ci": [low, high]}
    return measured


def other_breast(cases: Sequence[ImageCase]) -> NDArray[np.intp]:
    """Return the place of the same view of her other breast in the same study, none for practice; -1 where there is none."""
    place: dict[tuple[Any, ...], int] = {}
    for i, case in enumerate(cases):
        if not case.practice:
            place.setdefault((case.group, case.study_date, case.view, case.laterality), i)
    return np.array(
        [
            place.get((case.group, case.study_date, case.view, OPPOSITE.get(case.laterality or "")), -1)
            for case in cases
        ],
        np.intp,
    )


def _women(
    affected: NDArray[np.bool_], score: NDArray[np.float64], woman: NDArray[Any]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[Any]]:
    """Return of each woman whether she is affected, her highest score, and who she is."""
    names, whose = np.unique(woman, return_inverse=True)
    highest = np.full(len(names), -np.inf)
    np.maximum.at(highest, whose, score)
    is_one = np.zeros(len(names), bool)
    is_one[whose] = affected
    return is_one, highest, names


def _measured(
    is_one: NDArray[np.bool_], score: NDArray[np.float64], woman: NDArray[Any], times: int
) -> dict[str, Any] | None:
    """Return AUC and interval; None where one kind alone occurs."""
    try:
        value, low, high = bootstrap(auc, is_one, score, cluster=woman, times=times)
    except ValueError:
        return None
    return {"n": len(is_one), "events": int(is_one.sum()), "auc": value, "auc_ci": [low, high]}
