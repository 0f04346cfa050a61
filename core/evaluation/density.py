"""Density said of women: of all her films together, beside what always saying the commonest would reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.rules.vocabulary import DENSITIES
from core.sets import ImageCase, may_be
from models.measures import bootstrap

__all__ = ["measure_density_of_women"]

COMMONEST = "B"
"""What readers say most often: of about 40 of 100 women, as of C."""
LEAST = 1e-6


def measure_density_of_women(
    cases: Sequence[ImageCase], said: NDArray[np.float64], classes: Sequence[str], *, times: int = 1000
) -> dict[str, Any] | None:
    """Measure density by study: the mean log-probability of her films, held against what was read of them.

    Parameters
    ----------
    cases
        n films, each with its woman and what was read: a density, or several of which it may be one, such as C+D.
    said
        (n, classes) probabilities.
    classes
        Densities A to D.

    Returns
    -------
    dict or None
        None where the classes are no densities. Else ``n`` studies of how many ``women``; ``exact``, the share in which the
        likeliest is what was read, and ``within_one``, in which it lies no further than one class off; ``always``: what is
        reached by saying ``class`` of everybody; ``gain`` of the one over the other. All with their ``…_ci``, women being
        drawn. Of a study whose films were read differently any of what was read is right.
    """
    if tuple(classes) != tuple(DENSITIES):
        return None
    keys = [(case.group, case.study_date) for case in cases]
    log_said = np.log(np.clip(said, LEAST, 1))
    women, right, near, usual = [], [], [], []
    for key in dict.fromkeys(keys):
        own = [i for i, one in enumerate(keys) if one == key]
        read = np.any([may_be(cases[i].label, classes) for i in own], axis=0)
        likeliest = int(log_said[own].mean(axis=0).argmax())
        women.append(key[0])
        right.append(bool(read[likeliest]))
        near.append(bool(read[max(0, likeliest - 1) : likeliest + 2].any()))
        usual.append(bool(read[list(classes).index(COMMONEST)]))
    whose = np.array(women)
    measured: dict[str, Any] = {"n": len(women), "women": len(set(women))}
    always: dict[str, Any] = {"class": COMMONEST}
    exact, commonest = np.array(right, float), np.array(usual, float)
    for found, name, values in (
        (measured, "exact", exact),
        (measured, "within_one", np.array(near, float)),
        (always, "exact", commonest),
        (measured, "gain", exact - commonest),
    ):
        value, low, high = bootstrap(lambda one: float(one.mean()), values, cluster=whose, times=times)
        found |= {name: value, f"{name}_ci": [low, high]}
    return measured | {"always": always}
