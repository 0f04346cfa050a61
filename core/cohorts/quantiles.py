"""Quantiles of a group that are no single woman's value.

Harrell and Davis, A new distribution-free quantile estimator, Biometrika 69 (1982) 635: a mean of all ordered values,
weighted by the beta distribution of where the quantile lies. Its standard error is smaller than that of the usual
quantile, and no value of one woman can be read from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from core.cohorts.disclosure import smallest_group

__all__ = ["quantiles", "quantiles_by"]

LARGE = 400
"""Of more women the weights reach over so few of the ordered values that the usual quantile says the same."""


@lru_cache(maxsize=2048)
def _weights(n: int, q: float) -> NDArray[np.float64]:
    from scipy.special import betainc  # `scipy` takes a moment to import

    a, b = (n + 1) * q, (n + 1) * (1 - q)
    return np.diff(betainc(a, b, np.linspace(0, 1, n + 1)))


def quantiles(values: ArrayLike, at: Sequence[float]) -> list[float]:
    """Return quantiles of one value a woman (no NaN); `at` lies within 0..1, without the ends. Raises `ValueError` for nobody."""
    known = np.sort(np.asarray(values, dtype=np.float64))
    if not len(known):
        raise ValueError("There is no quantile of nobody.")
    if len(known) > LARGE:
        return [float(q) for q in np.quantile(known, at)]
    return [float(_weights(len(known), float(q)) @ known) for q in at]


def quantiles_by(
    table: pl.DataFrame, group: str, value: str, at: Sequence[float], *, names: Sequence[str]
) -> pl.DataFrame:
    """Return quantiles of a value by group, of one row a woman and group: columns `group`, `names`, women (their number).

    Groups of few women are left out, and so is a quantile beyond which fewer than that many of a group can be expected:
    a tenth needs fifty women where five are the fewest. The numbers of women are not rounded yet (`disclosure.table_told`).
    """
    known = table.select(group, value).drop_nulls()
    rows = []
    for (key,), hers in known.group_by([group], maintain_order=True):
        n = len(hers)
        if n < smallest_group():
            continue
        found = quantiles(hers[value].to_numpy(), at)
        told = [
            q if n * min(p, 1 - p) * 2 >= smallest_group() else None for q, p in zip(found, at, strict=True)
        ]
        rows.append((key, *told, n))
    schema: dict[str, Any] = {
        group: known.schema[group], **dict.fromkeys(names, pl.Float64), "women": pl.Int64
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").sort(group)
