"""How far a score may be believed: in domain and calibrated on women like her, or not to be shown as a number.

Three levels. `trusted`: pictures as the model learned them, calibrated on women like this one. `uncalibrated`: pictures
as learned, but the probabilities were never held against such women. `withheld`: unlike what was learned, or not known.
Only a trusted score is a number on a page, in an order, an alert or a group; what a model would have said of the others
stays reachable for research, under its own name.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

__all__ = ["Doubt", "Trust", "TrustLevel", "settle_picture", "settle_trust"]

LEAST_AUC = 0.65
"""Lower limit of AUC, measured on such pictures, from which an uncalibrated score may be shown as a rank."""


class TrustLevel(enum.StrEnum):
    """What may be shown of a score."""

    TRUSTED = "trusted"
    UNCALIBRATED = "uncalibrated"
    WITHHELD = "withheld"


class Doubt(enum.StrEnum):
    """Why a score is not trusted; the values are stored."""

    UNLIKE_PICTURES = "unlike_pictures"
    UNLIKE_PICTURE = "unlike_picture"
    UNLIKE_AGE = "unlike_age"
    OTHER_WOMEN = "other_women"
    NO_DOMAIN = "no_domain"
    NO_PICTURE_DOMAIN = "no_picture_domain"
    NOT_KNOWN = "not_known"

    @property
    def words(self) -> str:
        """Say it to who looks at the woman."""
        return _WORDS[self]

    @property
    def needed(self) -> str:
        """Say what would be needed for a number."""
        return _NEEDED[self]


_TRAIN = "Train or calibrate a model on your own women: python -m core train longitudinal, train calibration."
_WORDS = {
    Doubt.UNLIKE_PICTURES: "These pictures are unlike those that the model learned from.",
    Doubt.UNLIKE_PICTURE: "This picture is unlike those that the model learned from.",
    Doubt.UNLIKE_AGE: "The model has not learned from women of this age.",
    Doubt.OTHER_WOMEN: "The model's probabilities were never held against real women: it learned from, and was "
    "calibrated on, simulated ones.",
    Doubt.NO_DOMAIN: "It is not recorded which pictures this model learned from.",
    Doubt.NO_PICTURE_DOMAIN: "It is not recorded which pictures this model learned from.",
    Doubt.NOT_KNOWN: "This score was made before it was checked whether the model knows such pictures. It is made anew "
    "when the worker comes to it.",
}
_NEEDED = {
    Doubt.UNLIKE_PICTURES: _TRAIN,
    Doubt.UNLIKE_PICTURE: "Train a model on such pictures of your own: python -m core train image.",
    Doubt.UNLIKE_AGE: _TRAIN,
    Doubt.OTHER_WOMEN: "Calibrate it on your own women: python -m core train calibration.",
    Doubt.NO_DOMAIN: _TRAIN,
    Doubt.NO_PICTURE_DOMAIN: "Say which, from the pictures it was trained on: python -m core train domain MODEL --data "
    "MANIFEST --out FOLDER.",
    Doubt.NOT_KNOWN: "Wait for the worker, or run: python -m core score --all",
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
    """
    if distance is None or limit is None:
        return Trust(TrustLevel.WITHHELD, Doubt.NO_DOMAIN)
    if distance > limit:
        return Trust(TrustLevel.WITHHELD, Doubt.UNLIKE_PICTURES, distance, limit)
    if age_years is not None and ages is not None and not ages[0] <= age_years <= ages[1]:
        return Trust(TrustLevel.WITHHELD, Doubt.UNLIKE_AGE, distance, limit)
    if women_alike:
        return Trust(TrustLevel.TRUSTED, None, distance, limit)
    shown = auc_low is not None and auc_low >= LEAST_AUC
    level = TrustLevel.UNCALIBRATED if shown else TrustLevel.WITHHELD
    return Trust(level, Doubt.OTHER_WOMEN, distance, limit)


def settle_picture(distance: float | None, limit: float | None) -> Trust:
    """Settle how far may be believed what a model of single images says of one: it is trusted, or withheld.

    `distance` is how unlike the image is to what the model learned from, `limit` the model's; None without a domain.
    """
    if distance is None or limit is None:
        return Trust(TrustLevel.WITHHELD, Doubt.NO_PICTURE_DOMAIN)
    # Not "beyond": a distance that is no number is not within.
    if not distance <= limit:
        return Trust(TrustLevel.WITHHELD, Doubt.UNLIKE_PICTURE, distance, limit)
    return Trust(TrustLevel.TRUSTED, None, distance, limit)
