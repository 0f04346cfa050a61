"""How far a classifier of single images may be believed of one image, and what has to be said beside its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.desk.answers import Spoke
from core.rules import Trust, settle_picture, what_is_not_told
from core.rules.vocabulary import FindingClass
from models.classifier import Region

if TYPE_CHECKING:
    from models.classifier import ImageModel, ImageReading

__all__ = ["REGION_DOUBT", "measured_of", "trust_of", "who_spoke"]

ELSEWHERE_DOUBT = "This picture is of another scanner than those that it learned from: on such it was measured on fewer pictures."
REGION_DOUBT = "Its figures for a region are not calibrated."


def trust_of(model: ImageModel, reading: ImageReading) -> Trust:
    """Say whether a model knows such a picture and tells enough of such."""
    domain = model.domain
    if domain is None:
        return settle_picture(reading.distance, None, model.card.metrics)
    if not _is_from_elsewhere(model, reading):
        return settle_picture(reading.distance, domain.limit, model.card.metrics)
    # How it does on such pictures decides; where that was not measured, it knows its own kind only.
    measured = _measured_elsewhere(model)
    return settle_picture(
        reading.distance, domain.limit if measured.get("auc_ci") else domain.usual, measured
    )


def measured_of(model: ImageModel, reading: ImageReading, *, beside: bool = False) -> Mapping[str, Any]:
    """Return what the card says of how classes are told in such a picture, by itself or beside the other breast."""
    elsewhere = _measured_elsewhere(model) if _is_from_elsewhere(model, reading) else {}
    if elsewhere.get("by_class"):
        return elsewhere
    own = model.card.metrics
    both: Mapping[str, Any] = own.get("both_breasts", {}) if beside else {}
    return both if both.get("by_class") else own


def who_spoke(
    task: str, model: ImageModel, reading: ImageReading, trust: Trust, *, regional: bool, beside: bool
) -> Spoke:
    """Say who spoke, and what has to be said beside its figures."""
    of_regions = model.config.input.region is Region.BOX
    measured = measured_of(model, reading, beside=beside)
    doubts: list[str | None] = []
    if _is_from_elsewhere(model, reading):
        doubts.append(ELSEWHERE_DOUBT)
    if regional and not of_regions:
        doubts.append(f"It learned from whole images. {REGION_DOUBT}")
    elif model.scaling == type(model.scaling)():
        doubts.append("Its probabilities are not calibrated.")
    elif model.head.may_miss_lesions:
        doubts.append(_reach(measured))
    doubts.append(what_is_not_told(model.config.classes, measured))
    reads = "image" if not regional else "region" if of_regions else "region of the whole image"
    if beside:
        reads = "image beside the other breast"
    doubt = " ".join(one for one in doubts if one) or None
    return Spoke(task, model.card.name, model.card.title, reads, doubt, trust)


def _is_from_elsewhere(model: ImageModel, reading: ImageReading) -> bool:
    """Say whether a picture is like those of other collections, not of the one that was learned from."""
    if model.domain is None or reading.distance is None:
        return False
    return model.domain.is_from_elsewhere(reading.distance)


def _measured_elsewhere(model: ImageModel) -> Mapping[str, Any]:
    return model.card.settings.get("domain", {}).get("elsewhere") or {}


def _reach(metrics: Mapping[str, Any]) -> str | None:
    """Say how far a model that looks for lesions in whole images is to be believed, by what was measured."""
    normal = metrics.get("by_class", {}).get(FindingClass.NORMAL)
    if normal is None:
        return None
    low, high = normal["auc_ci"]
    return (
        f"A film with a lesion scored above a normal one in {normal['auc']:.0%} of pairs it had never seen "
        f"({low:.0%} to {high:.0%}; chance is 50%): it misses many lesions."
    )
