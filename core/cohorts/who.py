"""Who the women of a cohort are, at the visit that they enter with: tables of groups, as they may be told."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from core.cohorts.bands import FILTERS, NOT_KNOWN, Filter, band_words
from core.cohorts.disclosure import cells_told, count_said, is_small, rounded
from core.cohorts.quantiles import quantiles
from core.cohorts.selection import Selection
from core.rules.ages import DAYS_PER_YEAR

__all__ = ["ages", "densities", "described", "in_short", "joined_words"]


def ages(selection: Selection) -> pl.DataFrame:
    """Return how many women are of which age when they enter: age_group, women; neighbours with few are joined."""
    return _cells(selection, "age", "age_group")


def densities(selection: Selection) -> pl.DataFrame:
    """Return how many women are of which density when they enter: density, women."""
    return _cells(selection, "density", "density")


def _cells(selection: Selection, key: str, name: str) -> pl.DataFrame:
    one = next(one for one in FILTERS if one.key == key)
    cells, counts = _bands(selection, one)
    words = joined_words if one.ordered else None
    return cells_told(cells, counts, name=name, words=words).filter(pl.col("women") > 0)


def _bands(selection: Selection, one: Filter) -> tuple[list[str], list[int]]:
    """Return the words of a filter's bands and how many of the chosen women are in each, that of not known last."""
    counts = selection.within(one)
    known = [(band, women) for band, women in counts.items() if band != NOT_KNOWN or women]
    return [band_words(one, band) for band, _ in known], [women for _, women in known]


_SPAN = re.compile(
    r"(?:(?P<under>under )(?P<below>\d+)|(?P<low>\d+)(?:–(?P<high>\d+))?(?P<up> and (?:older|more))?)$"
)


def joined_words(words: Sequence[str]) -> str:
    """Say some neighbouring groups as one.

    >>> joined_words(["40–44", "45–49"]), joined_words(["under 40", "40–44"]), joined_words(["70–74", "75 and older"])
    ('40–49', 'under 45', '70 and older')
    """
    spans = [_SPAN.match(word) for word in words if word != "not known"]
    unknown = " or not known" if len(spans) < len(words) else ""
    if len(spans) < 2 or not all(spans):
        return " or ".join(words)
    first, last = spans[0], spans[-1]
    assert first is not None and last is not None  # noqa: PT018
    if last["up"]:
        return ("any" if first["under"] else f"{first['low']}{last['up']}") + unknown
    end = int(last["high"] or last["low"])
    return (f"under {end + 1}" if first["under"] else f"{first['low']}–{end}") + unknown


def described(selection: Selection) -> pl.DataFrame:
    """Return what is known of the women: of, band, women, share (0..1, of the rounded counts)."""
    rows: list[tuple[str, str, int, float]] = []
    whole = rounded(selection.n)
    for one in FILTERS:
        told = _cells(selection, one.key, "band")
        if told.height > 1 or (told.height and told["band"][0] != "not known"):
            rows += [
                (selection.definition.label_of(one), band, women, min(1.0, women / whole))
                for band, women in told.iter_rows()
            ]
    schema = {"of": pl.String, "band": pl.String, "women": pl.Int64, "share": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def in_short(selection: Selection) -> list[tuple[str, str, str]]:
    """Return the cohort in a few numbers: what, the number in words, what stands beside it."""
    women, visits = selection.women, selection.visits_of("woman", "trust")
    told = visits.filter(pl.col("trust").cast(pl.String) == "trusted")
    followed = (women["last_contact"] - selection.entry["on"]).dt.total_days() / DAYS_PER_YEAR
    known = followed.drop_nulls().clip(0).to_numpy()
    median, quartiles = "–", "no visit has a day"
    if len(known):
        low, middle, high = quantiles(known, (0.25, 0.5, 0.75))
        median, quartiles = f"{middle:.1f} years", f"quartiles {low:.1f}–{high:.1f}"
    diagnosed = int((women["diagnosed_on"] > selection.entry["on"]).sum())
    apart = is_small(selection.n - diagnosed)
    return [
        ("visits", count_said(len(visits)), f"{count_said(len(told))} with a score"),
        ("followed, median", median, quartiles),
        ("diagnosed after they entered", "not told" if apart else count_said(diagnosed), "women"),
    ]
