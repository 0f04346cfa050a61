"""Which alerts would change under another version of a model: the alert rules held against what is stored of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from core.cohorts.disclosure import count_said, few, is_small
from core.cohorts.judge import Judged, NothingToTell
from core.cohorts.judge_models import Version
from core.installation import Installation
from core.records import RaisedBy, raised_by
from core.rules import score_rules

__all__ = ["MOST_WOMEN", "AlertsBeside", "alerts_beside"]

MOST_WOMEN = 5_000
"""Of more women as many are drawn, always the same ones: holding all rules against each takes about a millisecond."""
_WOMEN_AT_ONCE = 250
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class AlertsBeside:
    """Alerts by rule: label, first, second, only_first, only_second, more_a_thousand (second less first), low, high."""

    counted: str
    by_rule: pl.DataFrame


def alerts_beside(
    here: Installation,
    judged: Judged,
    first: Version,
    second: Version,
    progress: Callable[[float], None] = lambda _done: None,
) -> AlertsBeside:
    """Hold the alert rules against two versions, at the last visit of each woman of the cohort that both have scored.

    Raises
    ------
    NothingToTell
        If both may be told of nobody, or of few.
    """
    ids = _drawn(judged.selection.women["patient_id"].drop_nulls().to_numpy())
    found: list[RaisedBy] = []
    for begin in range(0, len(ids), _WOMEN_AT_ONCE):
        found += raised_by(here, ids[begin : begin + _WOMEN_AT_ONCE].tolist(), first, second)
        progress((begin + _WOMEN_AT_ONCE) / len(ids))
    if not found or is_small(len(found)):
        raise NothingToTell(
            f"{'No woman' if not found else few().capitalize() + ' women'} of this cohort has a visit that both have scored "
            "and of which both may be told."
        )
    drawn = f", of {count_said(judged.selection.n)} drawn at random" if len(ids) < judged.selection.n else ""
    rows = [_of_rule(rule.rule, rule.label, found) for rule in score_rules()]
    schema = dict.fromkeys(("alert", "asked_of", "first", "second", "only_first", "only_second"), pl.String)
    numbers = dict.fromkeys(("more_a_thousand", "low", "high"), pl.Float64)
    return AlertsBeside(
        f"{count_said(len(found))} women, each at the last visit that both have scored{drawn}",
        pl.DataFrame(rows, schema={**schema, **numbers}, orient="row"),
    )


def _drawn(ids: np.ndarray) -> np.ndarray:
    return ids if len(ids) <= MOST_WOMEN else np.random.default_rng(0).permutation(ids)[:MOST_WOMEN]


def _of_rule(rule: str, label: str, found: list[RaisedBy]) -> tuple[object, ...]:
    """Return a row of the table; where few women would be told of by any number, there is none in its place."""
    asked = [one for one in found if rule in one.asked]
    marks = np.array([(rule in one.first, rule in one.second) for one in asked], bool).reshape(-1, 2)
    only_first = int(np.count_nonzero(marks[:, 0] & ~marks[:, 1]))
    only_second = int(np.count_nonzero(marks[:, 1] & ~marks[:, 0]))
    cells = [*(int(many) for many in marks.sum(axis=0)), only_first, only_second]
    more: tuple[float | None, ...] = (None, None, None)
    if not any(is_small(many) for many in (len(asked), *cells)) and asked:
        more = _paired(only_first, only_second, len(asked))
    return (label, count_said(len(asked)), *map(count_said, cells), *more)


def _paired(only_first: int, only_second: int, n: int) -> tuple[float, float, float]:
    """Return the difference of two paired shares a thousand, with its 95 % interval (Agresti and Min 2005, adjusted Wald)."""
    difference = (only_second - only_first) / n
    b, c, wide = only_first + 0.5, only_second + 0.5, n + 2
    middle = (c - b) / wide
    half = _NORMAL_95 * np.sqrt(b + c - (c - b) ** 2 / wide) / wide
    return 1000 * difference, float(1000 * (middle - half)), float(1000 * (middle + half))
