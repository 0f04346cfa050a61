"""What follows from a BI-RADS assessment, as data: read once from `assessment.toml`, each with its source."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from core.rules import documents
from core.rules.documents import Document, Probability, Table, Words
from core.rules.vocabulary import BI_RADS

Categories = tuple[Words, ...]


class Concern(Table):
    """The categories from the least to the greatest concern."""

    order: Annotated[Categories, Field(min_length=1)]
    source: Words


class ManagementRule(Table):
    """What is recommended, and after which categories it is so by itself."""

    key: Words
    label: Words
    follows: Categories


class AgreementRule(Table):
    """When a reader's assessment and a model's malignancy (0..1) say that something is to be looked into."""

    positive: Annotated[Categories, Field(min_length=1)]
    not_compared: Categories
    malignancy_from: Probability
    source: Words


class AssessmentRules(Document):
    """The file of what follows from an assessment."""

    concern: Concern
    management: Annotated[tuple[ManagementRule, ...], Field(min_length=1)]
    agreement: AgreementRule

    @model_validator(mode="after")
    def _every_category_once(self) -> Self:
        documents.unique(self.concern.order, "the category")
        documents.unique([one.key for one in self.management], "the management")
        followed = [category for one in self.management for category in one.follows]
        documents.unique(followed, "the category")
        for category in (*followed, *self.agreement.positive, *self.agreement.not_compared):
            if category not in self.concern.order:
                raise ValueError(f"“{category}” is no category that concern has in its order")
        for category in BI_RADS:
            if category not in self.concern.order:
                raise ValueError(f"concern has no place for the category {category}")
            if category not in followed:
                raise ValueError(f"no management follows the category {category}")
        return self


@cache
def assessment_rules() -> AssessmentRules:
    """Return the rules in force; raises `documents.RulesError` if the file is damaged."""
    return documents.read("assessment.toml", AssessmentRules)


def highest_concern(categories: Iterable[str | None]) -> str | None:
    """Return the category that stands for several, as those of two breasts; None where there is none.

    >>> highest_concern(["2", "4A"]), highest_concern(["0", "3"]), highest_concern([None])
    ('4A', '0', None)
    """
    order = assessment_rules().concern.order
    known = [category for category in categories if category is not None]
    return max(known, key=order.index, default=None)


def managements() -> dict[str, str]:
    """Return what may be recommended: the words by key, in the order of the file."""
    return {one.key: one.label for one in assessment_rules().management}


def usual_management(category: str | None) -> str | None:
    """Return what BI-RADS recommends after a category, by its key; None without one."""
    return next((one.key for one in assessment_rules().management if category in one.follows), None)


class Agreement(enum.StrEnum):
    """How a reader's assessment stands to what the model says of the same study."""

    BOTH_POSITIVE = "both positive"
    BOTH_NEGATIVE = "both negative"
    READER_ONLY = "reader positive, model below"
    MODEL_ONLY = "reader negative, model above"

    @property
    def agrees(self) -> bool:
        """Say whether both say the same."""
        return self in (Agreement.BOTH_POSITIVE, Agreement.BOTH_NEGATIVE)


def agreement(category: str | None, malignancy: Iterable[float | None]) -> Agreement | None:
    """Set a reader's category beside the model's malignancy per breast (0..1): the higher of the two counts.

    None where either has not said anything, and after a known malignancy, of which nobody asks the model.
    """
    rule = assessment_rules().agreement
    highest = max((value for value in malignancy if value is not None), default=None)
    if category is None or category in rule.not_compared or highest is None:
        return None
    by_reader, by_model = category in rule.positive, highest >= rule.malignancy_from
    if by_reader == by_model:
        return Agreement.BOTH_POSITIVE if by_reader else Agreement.BOTH_NEGATIVE
    return Agreement.READER_ONLY if by_reader else Agreement.MODEL_ONLY
