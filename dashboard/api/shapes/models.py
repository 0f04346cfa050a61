"""Models, and what they say of one image."""

from __future__ import annotations

from typing import Any

from dashboard.api.shapes.base import Shape, Share
from dashboard.api.shapes.studies import Trust

__all__ = ["Classified", "ClassifiedFilm", "ClassifiedStudy", "Model", "ModelCard", "Models"]


class Model(Shape):
    """A model's card: what it learned from, what it is for, how well it did."""

    name: str
    title: str
    speaks: bool
    of_single_images: bool
    simulated_training: bool
    learned_from: str
    intended_use: str
    limits: str
    licence: str
    weights_sha256: str
    calibration: str
    created: str
    knows: str


class ModelCard(Model):
    """A model's card with its measures and domain."""

    metrics: dict[str, Any]
    domain: dict[str, Any]


class Models(Shape):
    """The models that are installed, the one that speaks first."""

    items: list[Model]


class Classified(Shape):
    """What is seen in one image, as ``core classify --json`` shows it.

    A class that the model was not measured to tell is null; in `told` such classes stand together too, as ``benign+malignant``.
    """

    path: str
    refused: str | None
    detail: str | None
    tumour: dict[str, Share | None] | None
    density: dict[str, Share | None] | None
    other: dict[str, dict[str, Share | None] | None] | None = None
    told: dict[str, dict[str, Share | None] | None] | None = None
    trust: Trust | None
    density_trust: Trust | None = None
    untrusted: dict[str, Any] | None = None
    roi: list[float] | None
    beside: str | None = None
    model: str | None
    modality: str | None
    spoke: list[dict[str, Any]]


class ClassifiedFilm(Classified):
    """What is seen in a film of a study; `sop_uid` of one that is stored, `beside` the film that it was read together with."""

    sop_uid: str | None


class ClassifiedStudy(Shape):
    """What is seen in the films of one study, in the order in which they came, as ``core classify --study --json`` shows it."""

    study_uid: str | None
    items: list[ClassifiedFilm]
