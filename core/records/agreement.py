"""How readers' assessments stand to what the model says of the same women, where they were signed before it was shown.

One assessment a woman: the last of hers that was read first, by its first version. What she thought after the score was
shown is a later version, and is not counted. Of fewer than five women nothing is told (`core.records.small_groups`).
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from core.installation import Installation
from core.records.cohort import Population
from core.records.small_groups import any_small, is_small
from core.rules import Agreement, agreement, first_diagnoses, trust_of
from db.tables import AssessmentVersion, Patient, Score, Study

__all__ = ["ReadersAndModel", "Told", "cohens_kappa", "readers_and_model", "told_of"]

_Z95 = 1.959963984540054


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
        """Return the number of women."""
        return sum(self.counts.values())

    @property
    def agree(self) -> int:
        """Return of how many women both say the same."""
        return sum(women for found, women in self.counts.items() if found.agrees)

    @cached_property
    def rows(self) -> list[tuple[str, int]]:
        """What may be told: in words, and how many women."""
        if self.told is Told.EVERY_CELL:
            return [(found.value, self.counts[found]) for found in Agreement]
        if self.told is Told.WHETHER_THEY_AGREE:
            return [("agree", self.agree), ("differ", self.n - self.agree)]
        return []

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
    return kappa, max(-1.0, kappa - _Z95 * error), min(1.0, kappa + _Z95 * error)


def readers_and_model(here: Installation, kind: Population) -> ReadersAndModel:
    """Count the women of a kind by how the assessment that was signed before the score was shown stands to the model."""
    found = _by_kind(here)
    asked = [Population.SIMULATED, Population.REAL] if kind is Population.BOTH else [kind]
    counts = sum((found[one] for one in asked), Counter[Agreement]())
    # Where two kinds are counted together, neither is to be worked out from the figures of the other.
    told = (
        min(told_of(found[one]) for one in asked if len(asked) == 1 or found[one]) if counts else Told.NOTHING
    )
    return ReadersAndModel({one: counts[one] for one in Agreement}, told)


def told_of(counts: Counter[Agreement]) -> Told:
    """Say how much may be told of some women: no number of it, nor what is left of others, is of fewer than five."""
    agree = sum(women for found, women in counts.items() if found.agrees)
    n = counts.total()
    if is_small(n) or not n:
        return Told.NOTHING
    if not any_small(counts.values()):
        return Told.EVERY_CELL
    return Told.HOW_MANY if any_small((agree, n - agree)) else Told.WHETHER_THEY_AGREE


def _by_kind(here: Installation) -> dict[Population, Counter[Agreement]]:
    diagnosis = first_diagnoses().subquery()
    # What was read elsewhere may stand before it.
    other = aliased(AssessmentVersion)
    first_here = (
        select(func.min(other.version))
        .where(other.study_id == AssessmentVersion.study_id, other.covered.is_not(None))
        .correlate(AssessmentVersion)
        .scalar_subquery()
    )
    query = (
        select(
            Patient.id,
            Patient.simulated,
            Study.study_date,
            AssessmentVersion.bi_rads,
            Score.malignancy_left,
            Score.malignancy_right,
            Score.trust_level,
            Score.trust_doubt,
            Score.trust_distance,
            Score.trust_limit,
            diagnosis.c.diagnosed_on,
        )
        .join(Study, Study.id == AssessmentVersion.study_id)
        .join(Patient, Patient.id == Study.patient_id)
        .join(Score, Score.id == AssessmentVersion.score_id)
        .outerjoin(diagnosis, diagnosis.c.patient_id == Patient.id)
        .where(AssessmentVersion.version == first_here, AssessmentVersion.covered.is_(True))
        .order_by(Study.study_date, Study.id)
    )
    last: dict[int, tuple[Population, Agreement]] = {}
    with here.database.read() as session:
        for row in session.execute(query):
            trust = trust_of(row, on=row.study_date, diagnosed_on=row.diagnosed_on)
            found = agreement(row.bi_rads, (row.malignancy_left, row.malignancy_right))
            if trust.is_trusted and found is not None:
                last[row.id] = (Population.SIMULATED if row.simulated else Population.REAL, found)
    counts = {kind: Counter[Agreement]() for kind in (Population.SIMULATED, Population.REAL)}
    for kind, found in last.values():
        counts[kind][found] += 1
    return counts
