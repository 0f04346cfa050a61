"""How well mammograms were taken: what was measured of them, held against named criteria.

What is said is advice to whoever takes the pictures while the woman is still there, and never a reason to refuse one.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from core import wording
from core.rules import documents
from core.rules.documents import Document, Table, Words
from core.rules.vocabulary import MLO, OTHER_THAN_STANDARD, VIEW_WORDS, QualityFlag, ViewName

__all__ = [
    "MEASURED_FLAGS",
    "Criterion",
    "QualityRules",
    "Remark",
    "Taken",
    "advice_on",
    "quality_rules",
    "remarks_on",
    "remarks_on_study",
]

_MOST_COMPARED = 16
"""Pictures of one study that are compared with each other: no screening takes so many, a hostile file may."""

Measured = Mapping[str, Any]
"""What `core.images.quality.measures.measure` found in one picture; empty where nothing was measured."""


class Criterion(Table):
    """One measure and its limit; `unless` another flag says it already, `views` are those that it holds for."""

    flag: QualityFlag
    measure: Words
    above: float | None = None
    below: float | None = None
    views: tuple[str, ...] = tuple(VIEW_WORDS)
    unless: QualityFlag | None = None
    shown: Literal["percent", "number", "count"]
    sentence: Words
    advice: Words
    source: Words

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError('it needs one limit, "above" or "below"')
        if unknown := sorted(set(self.views) - set(VIEW_WORDS)):
            raise ValueError(f"there is no view {', '.join(unknown)}")
        self.said(0.5)
        return self

    @property
    def limit(self) -> float:
        """Return the value beyond which it is said."""
        return self.above if self.above is not None else self.below or 0.0

    def is_broken(self, value: float) -> bool:
        """Say whether a value lies beyond the limit."""
        return value > self.limit if self.above is not None else value < self.limit

    def said(self, value: float) -> str:
        """Return the sentence with the value; raises `ValueError` for a sentence that asks for anything else."""
        try:
            return self.sentence.format(value=self._figure(value), limit=self._figure(self.limit))
        except (KeyError, IndexError) as error:
            raise ValueError(f"the sentence asks for {error}") from None

    def _figure(self, value: float) -> str:
        return {
            "percent": f"{100 * value:.0f}{wording.NBSP}%",
            "number": f"{value:.2f}",
            "count": f"{value:.0f}",
        }[self.shown]


class StudyRules(Table):
    """What is compared between the pictures of one study."""

    depth_mm: Annotated[float, Field(gt=0)]
    depth_sentence: Words
    depth_advice: Words
    depth_source: Words
    same_look: Annotated[float, Field(gt=0, le=1)]
    same_sentence: Words
    same_advice: Words
    same_source: Words
    twice_sentence: Words
    twice_advice: Words


class QualityRules(Document):
    """The file of rules on the quality of pictures."""

    criterion: tuple[Criterion, ...]
    study: StudyRules


@cache
def quality_rules() -> QualityRules:
    """Return the criteria in force; raises `documents.RulesError` on a damaged file."""
    return documents.read("quality.toml", QualityRules)


MEASURED_FLAGS = frozenset(
    {
        QualityFlag.CUT_OFF,
        QualityFlag.PECTORAL_MUSCLE_SHORT,
        QualityFlag.MOTION,
        QualityFlag.BLURRED,
        QualityFlag.UNDEREXPOSED,
        QualityFlag.OVEREXPOSED,
        QualityFlag.LOW_CONTRAST,
        QualityFlag.LOW_RESOLUTION,
        QualityFlag.STRONGLY_COMPRESSED,
        QualityFlag.DUPLICATED_VIEW,
        QualityFlag.SAME_PICTURE,
        QualityFlag.DEPTH_DIFFERS,
    }
)
"""Flags that come of what was measured and of nothing else: they can be made anew from it."""


@dataclass(frozen=True)
class Remark:
    """One thing said of a picture: its flag, what was found, what to do, and by whose criterion."""

    flag: QualityFlag
    sentence: str
    advice: str
    source: str
    measure: str | None = None
    value: float | None = None
    limit: float | None = None

    @property
    def text(self) -> str:
        """Return what was found and what to do."""
        return f"{self.sentence}. {self.advice}"


@dataclass(frozen=True)
class Taken:
    """One picture of a study: which view (None where it is not said yet), its flags, what was measured, mm a pixel, its name."""

    laterality: str | None
    view: str | None
    flags: Sequence[str]
    measured: Measured
    spacing_mm: float | None = None
    name: str = ""

    @property
    def is_standard(self) -> bool:
        """Say whether it is a view of the whole breast as it is usually taken."""
        return OTHER_THAN_STANDARD.isdisjoint(self.flags)


def remarks_on(taken: Taken) -> list[Remark]:
    """Return what is to be said of one picture by itself; nothing of one that is no standard view, but for its size."""
    found: dict[QualityFlag, Remark] = {}
    for criterion in quality_rules().criterion:
        value = taken.measured.get(criterion.measure)
        if not isinstance(value, (int, float)) or not criterion.is_broken(value):
            continue
        if criterion.flag is not QualityFlag.LOW_RESOLUTION and not taken.is_standard:
            continue
        if criterion.views != tuple(VIEW_WORDS) and taken.view not in criterion.views:
            continue
        if criterion.flag in found or criterion.unless in found:
            continue
        found[criterion.flag] = Remark(
            criterion.flag,
            criterion.said(value),
            criterion.advice,
            criterion.source,
            criterion.measure,
            float(value),
            criterion.limit,
        )
    return list(found.values())


def remarks_on_study(pictures: Sequence[Taken]) -> list[list[Remark]]:
    """Return for each picture of one study what is to be said of it, by itself and beside the others."""
    found = [remarks_on(taken) for taken in pictures]
    standard = [(number, taken) for number, taken in enumerate(pictures) if taken.is_standard][
        :_MOST_COMPARED
    ]
    for (number, one), (later, other) in itertools.combinations(standard, 2):
        rules = quality_rules().study
        if _are_one(one.measured.get("look"), other.measured.get("look")):
            for at, twin in ((number, other), (later, one)):
                found[at].append(_same(rules, twin))
        elif one.laterality and one.view and (one.laterality, one.view) == (other.laterality, other.view):
            twice = Remark(QualityFlag.DUPLICATED_VIEW, rules.twice_sentence, rules.twice_advice, "")
            for at in (number, later):
                if twice not in found[at]:
                    found[at].append(twice)
        if one.laterality == other.laterality and {one.view, other.view} == {"CC", MLO}:
            shallow = _shallow(*((one, other) if one.view == "CC" else (other, one)))
            if shallow is not None:
                found[number if one.view == "CC" else later].append(shallow)
    return found


def advice_on(flag: str) -> str | None:
    """Return what to do about a stored flag; None of one that no criterion here raises."""
    rules = quality_rules()
    told = {criterion.flag.value: criterion.advice for criterion in reversed(rules.criterion)} | {
        QualityFlag.DEPTH_DIFFERS.value: rules.study.depth_advice,
        QualityFlag.SAME_PICTURE.value: rules.study.same_advice,
        QualityFlag.DUPLICATED_VIEW.value: rules.study.twice_advice,
    }
    return told.get(flag)


def _same(rules: StudyRules, twin: Taken) -> Remark:
    named = ViewName(twin.laterality, twin.view).words if twin.laterality and twin.view else ""
    other = named or twin.name or "another one"
    return Remark(
        QualityFlag.SAME_PICTURE,
        rules.same_sentence.format(other=other),
        rules.same_advice,
        rules.same_source,
    )


def _shallow(cc: Taken, mlo: Taken) -> Remark | None:
    """Compare the posterior nipple lines of one breast's two views; None where they agree or cannot be measured."""
    across, oblique = cc.measured.get("depth_px"), mlo.measured.get("depth_to_muscle_px")
    if not across or not oblique or not cc.spacing_mm or not mlo.spacing_mm:
        return None
    lacking_mm = oblique * mlo.spacing_mm - across * cc.spacing_mm
    rules = quality_rules().study
    if lacking_mm <= rules.depth_mm:
        return None
    sentence = rules.depth_sentence.format(value=wording.millimetres(lacking_mm))
    return Remark(
        QualityFlag.DEPTH_DIFFERS,
        sentence,
        rules.depth_advice,
        rules.depth_source,
        "depth_lacking_mm",
        round(lacking_mm, 1),
        rules.depth_mm,
    )


def _are_one(one: Any, other: Any) -> bool:
    """Say whether two pictures show the same, by the breasts' detail, whichever way they are mirrored."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    a, b = (np.frombuffer(base64.b64decode(look), np.int8).astype(np.float64) for look in (one, other))
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return a.size == b.size and length > 0 and float(a @ b) / length >= quality_rules().study.same_look
