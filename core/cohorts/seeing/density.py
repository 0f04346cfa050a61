"""Density by age, beside a published population's."""

from __future__ import annotations

import numpy as np
import polars as pl

from core.cohorts.disclosure import is_small, rounded
from core.cohorts.seeing.published import published
from core.cohorts.selection import Selection
from core.rules.trends import Z_95
from core.rules.vocabulary import DENSE

__all__ = ["density_by_age"]


def density_by_age(selection: Selection) -> tuple[pl.DataFrame, str]:
    """Return by age which share of the women has density C or D when they enter, beside the published one; and its source.

    Returns
    -------
    table
        age_group, share_dense (0..1) with share_low and share_high (Wilson's 95 % interval), share_published, women. A group
        in which few women are dense, or few are not, has no share.
    """
    rule = published().density
    ages = selection.ages
    dense = selection.entry["density"].cast(pl.String).is_in(["C", "D", DENSE])
    known = selection.entry["density"].is_not_null().to_numpy()
    rows = []
    for one in rule.ages:
        at_age = known & (ages >= one.from_age) & (ages < one.to_age + 1)
        women = int(np.count_nonzero(at_age))
        if is_small(women):
            continue
        of_them = int(np.count_nonzero(at_age & dense.fill_null(False).to_numpy()))
        share = _share(of_them, women)
        rows.append((f"{one.from_age}–{one.to_age}", *share, one.dense, rounded(women)))
    names = ("share_dense", "share_low", "share_high", "share_published")
    schema = {"age_group": pl.String, **dict.fromkeys(names, pl.Float64), "women": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row"), rule.source


def _share(part: int, of: int) -> tuple[float | None, float | None, float | None]:
    if not of or is_small(part) or is_small(of - part):
        return None, None, None
    told, whole = rounded(part), max(rounded(of), rounded(part))
    share = told / whole
    low, high = wilson(share, whole)
    return share, low, high


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of `n` (J Am Stat Assoc 22 (1927) 209)."""
    z = Z_95
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)
