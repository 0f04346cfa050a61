"""Density of studies that the longitudinal model does not know, by a classifier of single views that does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from core.installation import Installation
from core.logs import log_of
from core.refusals import Refusal
from core.rules import only_told, settle_picture
from core.rules.vocabulary import DENSITIES
from db.tables import Image, Score

if TYPE_CHECKING:
    from models.classifier import ImageModel
    from models.store import ModelCard

__all__ = ["ViewDensity"]

log = log_of(__name__)
Pixels = Callable[[Image], NDArray[Any]]


class ViewDensity:
    """Says the density of a study by the installed classifier of single mammograms, of the views that it knows.

    Its networks are loaded for the first study that needs them. A classifier that cannot be loaded says nothing: a
    study never waits for it.

    Parameters
    ----------
    here
        Where scores are kept: what has been said of the same images by the same weights is not asked again.
    pixels
        Returns the pixels of an image; a view that it refuses is left out.
    """

    def __init__(self, here: Installation, pixels: Pixels) -> None:
        self._here, self._pixels = here, pixels

    def of(self, study_id: int, images: Sequence[Image]) -> dict[str, Any] | None:
        """Return ``{"model", "weights_sha256", "images", "shares": {"A".."D"}, "told"}``, the mean over the views that it knows.

        ``told`` are the shares as they may be said (`core.rules.contrasts`): where C was never told from D, both together.
        None where it knows none of them, or there is no such classifier.
        """
        card = self._card
        if card is None:
            return None
        keys = sorted(image.sha256 for image in images)
        said = self._said_before(study_id, card.weights_sha256, keys)
        if said is not None:
            return said | {"told": only_told(said["shares"], card.metrics)}
        model = self._model
        if model is None:
            return None
        known = [shares for image in images if (shares := self._shares(model, image)) is not None]
        if not known:
            return None
        mean = {letter: float(np.mean([shares[letter] for shares in known])) for letter in DENSITIES}
        facts = {"model": card.name, "weights_sha256": card.weights_sha256, "images": keys, "shares": mean}
        return facts | {"told": only_told(mean, card.metrics)}

    def _shares(self, model: ImageModel, image: Image) -> Mapping[str, float] | None:
        """Return the shares by class of one view; None where the classifier does not know such a picture."""
        from models.classifier import prepare

        try:
            shown = prepare(self._pixels(image), model.config.input)
        except (Refusal, ValueError):
            return None  # its file is gone since the model read it, or no breast is found in it
        (reading,) = model.read([shown])
        limit = model.domain.limit if model.domain is not None else None
        if not settle_picture(reading.distance, limit, model.card.metrics).is_trusted:
            return None
        return reading.probabilities

    def _said_before(self, study_id: int, weights: str, keys: Sequence[str]) -> dict[str, Any] | None:
        with self._here.database.read() as session:
            kept = session.scalars(
                select(Score.density_of_views)
                .where(Score.study_id == study_id, Score.density_of_views.is_not(None))
                .order_by(Score.id.desc())
            )
            for said in kept:
                if said and said["weights_sha256"] == weights and said["images"] == list(keys):
                    return dict(said)
        return None

    @cached_property
    def _card(self) -> ModelCard | None:
        from models.classifier import Region
        from models.store import cards

        fitting = (
            card
            for card in cards()
            if card.of_single_images
            and card.settings.get("task") == "density"
            and "MG" in card.settings.get("modalities", [])
            and card.settings.get("plan", {}).get("region") != Region.BOX.value
        )
        return next(fitting, None)

    @cached_property
    def _model(self) -> ImageModel | None:
        from models.classifier import ImageModel

        assert self._card is not None
        try:
            model = ImageModel.load(self._card.name)
        except (LookupError, ValueError) as error:
            log.warning("no density of single views", model=self._card.name, why=str(error))
            return None
        if set(model.config.classes) != set(DENSITIES):
            log.warning("no density of single views", model=self._card.name, why="other classes than A to D")
            return None
        return model
