"""How far a score may be believed: in domain and calibrated on women like her, or not to be shown as a number.

Three levels. `trusted`: pictures as the model learned them, calibrated on women like this one. `uncalibrated`: pictures
as learned, but the probabilities were never held against such women. `withheld`: unlike what was learned, or not known.
Only a trusted score is a number on a page, in an order, an alert or a group; what a model would have said of the others
stays reachable for research, under its own name.

Risk and malignancy were learned before a diagnosis. So what is stored of a score (`settle_trust`) is read beside the
woman's events (`as_read`): from her diagnosis on both are withheld, and growth and density stay. From her death on, and
where neither breast is left, nothing is told.
"""

from __future__ import annotations

import enum
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from core.rules.contrasts import LEAST_AUC, classes_told
from core.rules.end_of_risk import RiskEnds

if TYPE_CHECKING:  # the networks' libraries are not loaded for it
    from models.longitudinal import LongitudinalModel

__all__ = [
    "ENDED",
    "Doubt",
    "Rank",
    "Trust",
    "TrustLevel",
    "as_read",
    "is_after_diagnosis",
    "rank_among_reference",
    "settle_picture",
    "settle_trust",
    "trust_by",
]


class TrustLevel(enum.StrEnum):
    """What may be shown of a score."""

    TRUSTED = "trusted"
    UNCALIBRATED = "uncalibrated"
    WITHHELD = "withheld"


class Doubt(enum.StrEnum):
    """Why a score is not trusted; the values are stored, but for those after something, which her events decide when read."""

    UNLIKE_PICTURES = "unlike_pictures"
    UNLIKE_PICTURE = "unlike_picture"
    UNLIKE_AGE = "unlike_age"
    OTHER_WOMEN = "other_women"
    NO_DOMAIN = "no_domain"
    NO_PICTURE_DOMAIN = "no_picture_domain"
    TOO_WEAK = "too_weak"
    NOT_KNOWN = "not_known"
    AFTER_DIAGNOSIS = "after_diagnosis"
    AFTER_DEATH = "after_death"
    NO_BREAST_LEFT = "no_breast_left"

    @property
    def words(self) -> str:
        """Say it to who looks at the woman."""
        return _WORDS[self]

    @property
    def in_short(self) -> str:
        """Say it in a word or two, for the place of a number."""
        return _IN_SHORT.get(self, "withheld")

    @property
    def needed(self) -> str:
        """Say what would be needed for a number."""
        return _NEEDED[self]


ENDED = (Doubt.AFTER_DIAGNOSIS, Doubt.AFTER_DEATH, Doubt.NO_BREAST_LEFT)
"""What her events end."""

_TRAIN = "Train or calibrate a model on your own women: python -m core train longitudinal, train calibration."
_WORDS = {
    Doubt.UNLIKE_PICTURES: "These pictures are unlike those that the model learned from.",
    Doubt.UNLIKE_PICTURE: "This picture is unlike those that the model learned from.",
    Doubt.UNLIKE_AGE: "The model has not learned from women of this age.",
    Doubt.OTHER_WOMEN: "The model's probabilities were never held against real women: it learned from, and was "
    "calibrated on, simulated ones.",
    Doubt.NO_DOMAIN: "It is not recorded which pictures this model learned from.",
    Doubt.NO_PICTURE_DOMAIN: "It is not recorded which pictures this model learned from.",
    Doubt.TOO_WEAK: "Measured on pictures that it had never seen, this model tells too little: what it says might reassure "
    "or alarm by chance.",
    Doubt.NOT_KNOWN: "This score was made before it was checked whether the model knows such pictures. It is made anew "
    "when the worker comes to it.",
    Doubt.AFTER_DIAGNOSIS: "The model learned from women before a diagnosis; of risk and malignancy after one it knows "
    "nothing.",
    Doubt.AFTER_DEATH: "This study is of the day of her death or later: no risk is told of it. Her death or the study has a "
    "wrong day, or another woman's study was filed under her.",
    Doubt.NO_BREAST_LEFT: "Neither breast is left since before this study: no risk is told of it.",
}
_IN_SHORT = {
    Doubt.AFTER_DIAGNOSIS: "after diagnosis",
    Doubt.AFTER_DEATH: "after death",
    Doubt.NO_BREAST_LEFT: "no breast left",
}
_NEEDED = {
    Doubt.UNLIKE_PICTURES: _TRAIN,
    Doubt.UNLIKE_PICTURE: "Train a model on such pictures of your own: python -m core train image.",
    Doubt.UNLIKE_AGE: _TRAIN,
    Doubt.OTHER_WOMEN: "Calibrate it on your own women: python -m core train calibration.",
    Doubt.NO_DOMAIN: _TRAIN,
    Doubt.NO_PICTURE_DOMAIN: "Say which, from the pictures it was trained on: python -m core train domain MODEL --data "
    "MANIFEST --out FOLDER.",
    Doubt.TOO_WEAK: "A model that learned from more women: python -m core train image. Or draw a box around what is to be "
    "read, for a model of regions.",
    Doubt.NOT_KNOWN: "Wait for the worker, or run: python -m core score --all",
    Doubt.AFTER_DIAGNOSIS: "A model that learned from women after a diagnosis. Whether disease has grown since the prior "
    "is told meanwhile.",
    Doubt.AFTER_DEATH: "Nothing, if the days are right. Else correct the event or the study.",
    Doubt.NO_BREAST_LEFT: "Nothing, if both breasts were removed. Else correct the events.",
}


@dataclass(frozen=True)
class Trust:
    """How far a score may be believed, and why no further.

    `distance` is how unlike the least familiar of the visit's pictures is to what the model learned from, `limit` the
    distance beyond which it may not speak; None where they are not known.
    """

    level: TrustLevel
    doubt: Doubt | None = None
    distance: float | None = None
    limit: float | None = None

    @property
    def is_trusted(self) -> bool:
        """Say whether the score may be shown as a number."""
        return self.level is TrustLevel.TRUSTED

    @property
    def tells_growth(self) -> bool:
        """Say whether growth since the prior and density may be shown as numbers: a diagnosis does not end them."""
        return self.is_trusted or self.doubt is Doubt.AFTER_DIAGNOSIS

    @property
    def is_ended(self) -> bool:
        """Say whether only her events end what may be told: the model knows such pictures and such women."""
        return self.doubt in ENDED

    @property
    def sentence(self) -> str:
        """Say why there is no number; empty where there is one."""
        return self.doubt.words if self.doubt else ""

    def to_json(self) -> dict[str, object]:
        """Return the shape of ``trust`` in ``score --json``."""
        return {
            "level": self.level.value,
            "reason": self.sentence or None,
            "distance": self.distance,
            "limit": self.limit if self.limit is not None and math.isfinite(self.limit) else None,
        }


def settle_trust(
    *,
    distance: float | None,
    limit: float | None,
    age_years: float | None,
    ages: tuple[float, float] | None,
    women_alike: bool,
    auc_low: float | None,
    is_ranked: bool,
) -> Trust:
    """Settle how far a score may be believed.

    Parameters
    ----------
    distance, limit
        Of the least familiar picture of the visit, and the model's limit; None for a model without a domain.
    age_years, ages
        Her age, and the youngest and oldest that the model learned from.
    women_alike
        Whether the model was calibrated on women of her kind: real on real, simulated on simulated.
    auc_low
        Lower limit of the AUC that the model's card states for pictures of her kind; None where it states none.
    is_ranked
        Whether the card names reference women among whom her risk can be ranked.
    """
    if distance is None or limit is None:
        return Trust(TrustLevel.WITHHELD, Doubt.NO_DOMAIN)
    if distance > limit:
        return Trust(TrustLevel.WITHHELD, Doubt.UNLIKE_PICTURES, distance, limit)
    if age_years is not None and ages is not None and not ages[0] <= age_years <= ages[1]:
        return Trust(TrustLevel.WITHHELD, Doubt.UNLIKE_AGE, distance, limit)
    if women_alike:
        return Trust(TrustLevel.TRUSTED, None, distance, limit)
    shown = is_ranked and auc_low is not None and auc_low >= LEAST_AUC
    level = TrustLevel.UNCALIBRATED if shown else TrustLevel.WITHHELD
    return Trust(level, Doubt.OTHER_WOMEN, distance, limit)


def settle_picture(distance: float | None, limit: float | None, metrics: Mapping[str, Any]) -> Trust:
    """Settle how far may be believed what a model of single images says of one: it is trusted, or withheld.

    Parameters
    ----------
    distance, limit
        How unlike the image is to what the model learned from, and the model's limit; None without a domain.
    metrics
        Of its card. Where they state how classes are told on pictures that it had never seen, one must be told well enough
        (`core.rules.contrasts`); where they state an AUC alone, its lower limit decides.
    """
    if distance is None or limit is None:
        return Trust(TrustLevel.WITHHELD, Doubt.NO_PICTURE_DOMAIN)
    # Not "beyond": a distance that is no number is not within.
    if not distance <= limit:
        return Trust(TrustLevel.WITHHELD, Doubt.UNLIKE_PICTURE, distance, limit)
    told, stated = classes_told(metrics), metrics.get("auc_ci")
    if not told if told is not None else stated and stated[0] < LEAST_AUC:
        return Trust(TrustLevel.WITHHELD, Doubt.TOO_WEAK, distance, limit)
    return Trust(TrustLevel.TRUSTED, None, distance, limit)


def is_after_diagnosis(on: date, diagnosed_on: date | None) -> bool:
    """Say whether a study of that day is not of a woman before her (first) diagnosis any more."""
    return _has_come(diagnosed_on, on)


def _has_come(day: date | None, on: date) -> bool:
    return day is not None and on >= day


def trust_by(
    model: LongitudinalModel, *, distance: float | None, age_years: float | None, simulated: bool
) -> Trust:
    """Settle how far a score by a model may be believed.

    Parameters
    ----------
    model
        Who said it; its domain and its card tell whom it knows.
    distance
        Of the least familiar picture of the visit; None where the model does not know distances.
    age_years, simulated
        The woman's age then, if it is known, and whether she is simulated.
    """
    domain, card = model.domain, model.card
    return settle_trust(
        distance=distance,
        limit=domain.limit if domain is not None else None,
        age_years=age_years,
        ages=domain.ages if domain is not None else None,
        women_alike=simulated == card.calibrated_on_simulated,
        auc_low=None if simulated else card.settings.get("real_auc_low"),
        # A score that was never calibrated on such women is shown as a rank, or not at all.
        is_ranked=rank_among_reference(card.settings, 0.0) is not None,
    )


def as_read(trust: Trust, on: date, ends: RiskEnds) -> Trust:
    """Return how far a stored score of a study of that day may be believed, given what ends risk of the woman.

    One that was not trusted before keeps its own reason, and is no rank from then on either.
    """
    doubt = _ended_by(on, ends)
    if doubt is None:
        return trust
    return replace(trust, level=TrustLevel.WITHHELD, doubt=doubt if trust.is_trusted else trust.doubt)


def _ended_by(on: date, ends: RiskEnds) -> Doubt | None:
    """Return by what risk is not told of a study of that day; of several what leaves least to tell."""
    if _has_come(ends.died_on, on):
        return Doubt.AFTER_DEATH
    if _has_come(ends.both_gone_on, on):
        return Doubt.NO_BREAST_LEFT
    return Doubt.AFTER_DIAGNOSIS if is_after_diagnosis(on, ends.diagnosed_on) else None


@dataclass(frozen=True)
class Rank:
    """Of a hundred reference women, how many have a lower 5-year risk by the same model; and who they are, in words."""

    higher_than: int
    women: str

    @property
    def words(self) -> str:
        """Say it."""
        return f"higher than {self.higher_than} of 100 reference women"

    def to_json(self) -> dict[str, object]:
        """Return the shape of ``rank`` in ``score --json``."""
        return {"higher_than": self.higher_than, "of": 100, "women": self.women}


def rank_among_reference(settings: Mapping[str, Any], risk_5y: float) -> Rank | None:
    """Return where a 5-year risk (0..1) stands among the reference women of a model.

    None where the settings of its card name none: ``reference`` with ``women``, in words, and ``risk_5``, the quantiles
    0, 1 … 100 % of their risks.
    """
    reference = settings.get("reference")
    if not isinstance(reference, Mapping):
        return None
    quantiles, women = reference.get("risk_5"), reference.get("women")
    if not (isinstance(quantiles, list) and len(quantiles) == 101 and isinstance(women, str) and women):
        return None
    return Rank(max(0, bisect_left(quantiles, risk_5y) - 1), women)
