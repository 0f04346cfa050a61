"""Whether the model is right for some women and wrong for others: the same figures by group, with how often was looked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.cohorts.judging.calibration import observed_over_expected
from core.cohorts.judging.discrimination import auc_at
from core.cohorts.judging.entry import Entered
from core.cohorts.judging.outcomes import outcomes_at
from core.cohorts.judging.shares import Estimate, holm, unpaired
from core.rules.vocabulary import density_name

__all__ = ["Group", "Grouping", "by_subgroup", "groupings"]

Marks = NDArray[np.bool_]
NOT_KNOWN = "not known"
_AGES = (50, 60, 70)
_AGE_WORDS = ("under 50", "50–59", "60–69", "70 and older")
_PRIORS = ("no prior", "1 prior", "2 and more priors")


@dataclass(frozen=True)
class Grouping:
    """A way of grouping women: its name, the groups' names in order, and in which each woman is."""

    name: str
    groups: tuple[str, ...]
    place: NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """A group's figures; None where they do not exist or may not be told. `p` is of no difference to all others.

    `p_adjusted` allows for all comparisons of the table (Holm). `why` says why there is none.
    """

    grouping: str
    group: str
    women: int
    cases: int
    auc: Estimate | None
    o_e: Estimate | None
    p: float | None
    p_adjusted: float | None
    why: str = ""


def groupings(of: Entered) -> Iterator[Grouping]:
    """Yield the groupings by what was known when each woman entered: age, density, maker, priors, missing views."""
    unknown = np.isnan(of.age)
    yield Grouping(
        "age", (*_AGE_WORDS, NOT_KNOWN), np.where(unknown, len(_AGE_WORDS), np.digitize(of.age, _AGES))
    )
    for name, said in (("density", of.density), ("maker", of.vendor)):
        names = [str(one) for one in np.unique(said) if one]
        places = np.searchsorted(names, said) if names else np.zeros(len(said), np.int64)
        words = [density_name(one) if name == "density" else one for one in names]
        yield Grouping(name, (*words, NOT_KNOWN), np.where(said == "", len(names), places))
    yield Grouping("priors", _PRIORS, np.minimum(of.priors, 2))
    yield Grouping("views", ("all four views", "views missing"), of.missing_views.astype(np.int64))


def by_subgroup(of: Entered, horizon: int, may_be_told: Callable[[int], bool]) -> list[Group]:
    """Return AUC and observed over expected of each group at a horizon.

    Weights of those lost are of each group by itself: groups may be followed unlike.

    Parameters
    ----------
    horizon
        Whole years.
    may_be_told
        Says of a number of women whether something may be told of so many.
    """
    found: list[Group] = []
    compared: list[int] = []
    for grouping in groupings(of):
        marks = [grouping.place == place for place in range(len(grouping.groups))]
        held = [(name, mark) for name, mark in zip(grouping.groups, marks, strict=True) if mark.any()]
        if len(held) < 2:
            continue
        for name, mark in held:
            group = _group(grouping.name, name, of, mark, horizon, may_be_told)
            if group.p is not None:
                compared.append(len(found))
            found.append(group)
    adjusted = holm([found[place].p or 0.0 for place in compared])
    for place, p in zip(compared, adjusted, strict=True):
        one = found[place]
        found[place] = Group(
            one.grouping, one.group, one.women, one.cases, one.auc, one.o_e, one.p, p, one.why
        )
    return found


def _group(
    grouping: str, name: str, of: Entered, mark: Marks, horizon: int, may_be_told: Callable[[int], bool]
) -> Group:
    hers, others = of.among(mark), of.among(~mark)
    women = len(hers)
    try:
        at = outcomes_at(hers.time, hers.cause, horizon)
        if not (may_be_told(at.cases) and may_be_told(at.others) and at.cases):
            raise ValueError("Too few women with cancer, or without.")
        auc = auc_at(at, hers.risk_of(horizon))
        o_e = observed_over_expected(at, hers.risk_of(horizon))
    except ValueError as error:
        return Group(grouping, name, women, 0, None, None, None, None, str(error))
    try:
        rest_at = outcomes_at(others.time, others.cause, horizon)
        p = unpaired(auc, auc_at(rest_at, others.risk_of(horizon))).p if may_be_told(rest_at.cases) else None
    except ValueError:
        p = None
    return Group(grouping, name, women, at.cases, auc, o_e, p, None)
