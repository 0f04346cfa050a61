"""How readers' assessments stand to what the model says of the same women, where they were signed before it was shown.

One assessment a woman: the last of hers that was read first, by its first version. What she thought after the score was
shown is a later version, and is not counted.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from core.cohorts.disclosure import few_in_any, is_small, rounded
from core.cohorts.selection import Selection
from core.rules import Agreement, assessment_rules
from core.rules.trends import Z_95

__all__ = ["ReadersAndModel", "Told", "cohens_kappa", "readers_and_model", "told_of"]


class Told(enum.IntEnum):
    """How much may be told of the women of a table."""

    NOTHING = 0
    HOW_MANY = 1
    WHETHER_THEY_AGREE = 2
    EVERY_CELL = 3


@dataclass(frozen=True)
class ReadersAndModel:
    """Women by how the reader's assessment stands to the model; `told` says how much of it may be shown."""

    counts: Mapping[Agreement, int]
    told: Told

    @property
    def n(self) -> int:
        """Return the number of women; not to be told as it is."""
        return sum(self.counts.values())

    @property
    def agree(self) -> int:
        """Return of how many women both say the same; not to be told as it is."""
        return sum(women for found, women in self.counts.items() if found.agrees)

    @cached_property
    def table(self) -> pl.DataFrame:
        """What may be told: reader_and_model (in words), women, share (0..1, of the rounded counts)."""
        rows: list[tuple[str, int]] = []
        if self.told is Told.EVERY_CELL:
            rows = [(found.value, self.counts[found]) for found in Agreement]
        elif self.told is Told.WHETHER_THEY_AGREE:
            rows = [("agree", self.agree), ("differ", self.n - self.agree)]
        told = [(words, rounded(women), min(1.0, rounded(women) / rounded(self.n))) for words, women in rows]
        schema = {"reader_and_model": pl.String, "women": pl.Int64, "share": pl.Float64}
        return pl.DataFrame(told, schema=schema, orient="row")

    @property
    def kappa(self) -> tuple[float, float, float] | None:
        """Return Cohen's kappa with its 95 % interval; None where it is not defined or may not be told.

        Large-sample standard error of Fleiss, Cohen and Everitt, Psychological Bulletin 72 (1969) 323.
        """
        return cohens_kappa(self.counts) if self.told is Told.EVERY_CELL else None


def cohens_kappa(counts: Mapping[Agreement, int]) -> tuple[float, float, float] | None:
    """Return Cohen's kappa of two raters with two answers, and its 95 % interval; None where one answer alone was given."""
    n = sum(counts.values())
    if not n:
        return None
    # Rows are the reader's answers, columns the model's; positive first.
    table = (
        (counts[Agreement.BOTH_POSITIVE] / n, counts[Agreement.READER_ONLY] / n),
        (counts[Agreement.MODEL_ONLY] / n, counts[Agreement.BOTH_NEGATIVE] / n),
    )
    by_reader = [sum(row) for row in table]
    by_model = [table[0][j] + table[1][j] for j in (0, 1)]
    observed = table[0][0] + table[1][1]
    expected = sum(r * m for r, m in zip(by_reader, by_model, strict=True))
    if math.isclose(expected, 1.0):
        return None
    kappa = (observed - expected) / (1 - expected)
    same = sum(table[i][i] * (1 - (by_reader[i] + by_model[i]) * (1 - kappa)) ** 2 for i in (0, 1))
    other = sum(table[i][1 - i] * (by_model[i] + by_reader[1 - i]) ** 2 for i in (0, 1))
    variance = same + (1 - kappa) ** 2 * other - (kappa - expected * (1 - kappa)) ** 2
    error = math.sqrt(max(variance, 0.0) / n) / (1 - expected)
    return kappa, max(-1.0, kappa - Z_95 * error), min(1.0, kappa + Z_95 * error)


def readers_and_model(selection: Selection) -> ReadersAndModel:
    """Count the women by how the assessment that was signed before the score was shown stands to the model."""
    rule = assessment_rules().agreement
    last = (
        selection.told_visits("woman", "read_first", "recall", "malignancy")
        .filter(pl.col("read_first").fill_null(False))
        .drop_nulls(["recall", "malignancy"])
        .unique("woman", keep="last", maintain_order=True)
        .join(selection.women.select("woman", "simulated"), on="woman", how="left")
        .with_columns(above=pl.col("malignancy").cast(pl.Float64).round(7) >= rule.malignancy_from)
    )
    by_kind = [_counts(last.filter(pl.col("simulated") == simulated)) for simulated in (True, False)]
    counts = {one: sum(of[one] for of in by_kind) for one in Agreement}
    # Where two kinds are counted together, neither is to be worked out from the figures of the other.
    told = min((told_of(of) for of in by_kind if any(of.values())), default=Told.NOTHING)
    return ReadersAndModel(counts, told)


def _counts(last: pl.DataFrame) -> dict[Agreement, int]:
    both = Counter(last.select("recall", "above").iter_rows())
    counts = {
        Agreement.BOTH_POSITIVE: both[True, True],
        Agreement.READER_ONLY: both[True, False],
        Agreement.MODEL_ONLY: both[False, True],
        Agreement.BOTH_NEGATIVE: both[False, False],
    }
    return {one: counts[one] for one in Agreement}


def told_of(counts: Mapping[Agreement, int]) -> Told:
    """Say how much may be told of some women: no number of it, nor what is left of others, is of fewer than five."""
    n = sum(counts.values())
    agree = sum(women for found, women in counts.items() if found.agrees)
    if is_small(n) or not n:
        return Told.NOTHING
    if not few_in_any(list(counts.values())):
        return Told.EVERY_CELL
    return Told.HOW_MANY if few_in_any([agree, n - agree]) else Told.WHETHER_THEY_AGREE
