"""An image that is read, once or several times: the models that are asked of it and of boxes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.desk.answers import DEFAULT_TASKS, DENSITY, FINDING, ITS_ENCODER, Classified, Shares, Spoke
from core.desk.believing import REGION_DOUBT, measured_of, trust_of, who_spoke
from core.refusals import Refusal
from core.rules import Doubt, Trust, TrustLevel, only_told, settle_picture
from core.rules.vocabulary import DENSITIES, FINDINGS
from models.classifier import Box, Region, check_box, prepare
from models.view import NETWORK_SHAPE, StandardView, ViewTransform, standardise

if TYPE_CHECKING:
    from core.desk.who_speaks import Speakers
    from models.classifier import ImageModel, ImageReading
    from models.longitudinal import ViewReading
    from models.store import ModelCard

__all__ = ["BoxError", "OpenImage"]

ENCODER_DOUBT = (
    "It was made to follow women over years: for one image by itself its figures are not calibrated."
)


class BoxError(ValueError):
    """The box is malformed or does not lie in the image; the message says what is wrong."""


@dataclass
class _Said:
    """What models say of an image, as one after the other is asked; by task its probabilities and what was measured of it."""

    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    measured: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    spoke: list[Spoke] = field(default_factory=list)
    heat: NDArray[np.float16] | None = None
    heat_shape: tuple[int, int] | None = None
    transform: ViewTransform | None = None
    marks: tuple[Box, ...] = ()
    beside: str | None = None

    @property
    def told(self) -> dict[str, Shares]:
        """Return by task what may be said: of models that are trusted, of the classes that they tell."""
        withheld = {one.task for one in self.spoke if not one.trust.is_trusted}
        return {
            task: only_told(shares, self.measured.get(task, {}))
            for task, shares in self.shares.items()
            if task not in withheld
        }


class OpenImage:
    """One image that is asked about several times: what does not depend on the box is computed once."""

    def __init__(self, classifier: Speakers, pixels: NDArray[Any], name: str, modality: str) -> None:
        self.classifier, self.pixels, self.name, self.modality = classifier, pixels, name, modality
        self.other: OpenImage | None = None
        """The same view of her other breast in the same study, if it is at hand."""
        self._whole: dict[str, ImageReading] = {}

    def classified(
        self, box: Box | None = None, *, tasks: tuple[str, ...] | None = None, finding_by: str | None = None
    ) -> Classified:
        """Say what is seen in the image or in a box of it.

        Parameters
        ----------
        box
            x0, y0, x1, y1 in pixels, origin top left.
        tasks
            Which to answer, such as ``("finding",)``; None: all.
        finding_by
            Name of the model that says what is benign or malignant, wherever it can; None: the first by name.

        Raises
        ------
        BoxError
            If the box does not lie in the image, or shows no breast.
        LookupError, ValueError
            If no model is installed, or it is damaged.
        """
        if box is not None:
            try:
                check_box(box, self.pixels.shape)
            except ValueError as error:
                raise BoxError(f"{self.name}: {error}") from error
        try:
            if box is not None and self.modality == "MG":
                self._check_over_breast(box)
            return self._say(box, tasks, finding_by)
        except NoBreast as error:
            return Classified(self.name, "not_a_mammogram", str(error))

    def _say(self, box: Box | None, tasks: tuple[str, ...] | None, finding_by: str | None) -> Classified:
        said = _Said()
        for task, card in self.classifier.chosen(self.modality, box is not None, finding_by).items():
            if tasks is None or task in tasks:
                self._by_classifier(said, task, card, box, finding_by)
        wanted = [task for task in DEFAULT_TASKS if tasks is None or task in tasks]
        left = [task for task in wanted if task not in said.shares]
        if left and self.classifier.needs_encoder(self.modality, set(DEFAULT_TASKS) - set(left)):
            self._by_encoder(said, left, box)
        if not said.shares:
            refusal = Refusal("no_model", "")
            return Classified(self.name, refusal.reason, refusal.text, modality=self.modality)
        may = said.told
        return Classified(
            self.name,
            tumour=may.get(FINDING),
            density=may.get(DENSITY),
            other={task: v for task, v in may.items() if task not in DEFAULT_TASKS} or None,
            untrusted={
                task: v for task, v in said.shares.items() if None in (may.get(task) or {task: None}).values()
            },
            model=", ".join(dict.fromkeys(one.model for one in said.spoke)),
            spoke=tuple(said.spoke),
            modality=self.modality,
            box=box,
            heat_map=said.heat,
            heat_shape=said.heat_shape,
            transform=said.transform,
            marks=said.marks,
            beside=said.beside,
        )

    def _by_classifier(
        self, said: _Said, task: str, card: ModelCard, box: Box | None, finding_by: str | None
    ) -> None:
        """Add what a classifier of single images says."""
        model = self.classifier.image_model(card)
        region = model.config.input.region
        shown_box = box if region is Region.BOX or (self.modality == "US" and task == "finding") else None
        reading, shown = self._read(model, shown_box)
        trust = trust_of(model, reading)
        if shown_box is not None and trust.is_trusted:
            trust = self._trust_of_whole(finding_by) or trust
        together = None if shown_box is not None else self._beside_the_other(model, reading)
        beside = together is not None
        said.shares[task] = together or reading.probabilities
        said.measured[task] = measured_of(model, reading, beside=beside)
        said.spoke.append(
            who_spoke(task, model, reading, trust, regional=shown_box is not None, beside=beside)
        )
        if beside and self.other is not None:
            said.beside = self.other.name
        if task != DENSITY:
            said.heat, said.heat_shape = reading.heat_map, model.config.input.shape
            said.transform = shown
            said.marks = _in_original(reading.marks, shown, self.pixels.shape)

    def _by_encoder(self, said: _Said, tasks: Sequence[str], box: Box | None) -> None:
        """Add what the longitudinal model's encoder says."""
        card = self.classifier.longitudinal.card
        for task in tasks:
            if task == FINDING:
                said.heat, said.transform, said.heat_shape = (
                    self._seen.heat_map,
                    self._view.transform,
                    self.classifier.longitudinal.shape,
                )
            said.shares[task] = self._encoder_says(task, box)
            regional = box is not None and task == FINDING
            reads = "region of the whole image" if regional else "image"
            doubt = REGION_DOUBT if regional else ENCODER_DOUBT
            name = card.name + ITS_ENCODER
            said.spoke.append(Spoke(task, name, card.title, reads, doubt, self._encoder_trust))

    def _read(self, model: ImageModel, box: Box | None = None) -> tuple[ImageReading, ViewTransform]:
        """Return what a model says of a box or, computed once, of the image, and whence what it saw came."""
        try:
            shown = prepare(self.pixels, model.config.input, box)
        except ValueError as error:
            raise NoBreast(str(error)) from error
        if box is not None:
            return model.read([shown])[0], shown.transform
        if model.card.name not in self._whole:
            (self._whole[model.card.name],) = model.read([shown])
        return self._whole[model.card.name], shown.transform

    def _beside_the_other(self, model: ImageModel, reading: ImageReading) -> dict[str, float] | None:
        """Return what a model says of the image beside the other breast; None where it does not know both pictures."""
        if self.other is None or model.both is None:
            return None
        try:
            other, _ = self.other._read(model)
        except NoBreast:
            return None
        if not all(trust_of(model, one).is_trusted for one in (reading, other)):
            return None
        return model.beside(reading.probabilities, other.probabilities)

    def _trust_of_whole(self, finding_by: str | None) -> Trust | None:
        """Return why the picture that a box lies in is not to be believed by the model that reads it whole; None if it is.

        A region looks much alike on any picture: it is believed no further than what is around it. A model that is asked
        alone answers for itself.
        """
        classifier = self.classifier
        if classifier.asked is not None:
            return None
        card = classifier.chosen(self.modality, False, finding_by).get(FINDING)
        if card is None:
            return None
        model = classifier.image_model(card)
        whole = trust_of(model, self._read(model)[0])
        # That it is weak on whole pictures says nothing of the region's model.
        return None if whole.is_trusted or whole.doubt is Doubt.TOO_WEAK else whole

    def _check_over_breast(self, box: Box) -> None:
        """Refuse a box of air, whichever model would read it."""
        from models.view import over_breast

        view = self._usual_view
        try:
            over_breast(view, box)
        except ValueError as error:
            raise BoxError(f"{self.name}: {error}") from error

    def _encoder_says(self, task: str, box: Box | None) -> dict[str, float]:
        from models.view import read_region

        if task == "density":
            return dict(zip(DENSITIES, self._seen.density.tolist(), strict=True))
        if box is None:
            return dict(zip(FINDINGS, self._seen.finding.tolist(), strict=True))
        try:
            return read_region(self._lesions, self._view, box)
        except ValueError as error:
            raise BoxError(f"{self.name}: {error}") from error

    @cached_property
    def _view(self) -> StandardView:
        """The view as the longitudinal model's encoder reads it."""
        shape = self.classifier.longitudinal.shape
        return self._usual_view if shape == NETWORK_SHAPE else self._laid_out(shape)

    @cached_property
    def _usual_view(self) -> StandardView:
        """The view, whoever reads the image: no model need be loaded."""
        return self._laid_out(NETWORK_SHAPE)

    def _laid_out(self, shape: tuple[int, int]) -> StandardView:
        try:
            return standardise(self.pixels, shape)
        except ValueError as error:
            raise NoBreast(str(error)) from error

    @cached_property
    def _seen(self) -> ViewReading:
        (seen,) = self.classifier.longitudinal.encode([self._view])
        return seen

    @cached_property
    def _encoder_trust(self) -> Trust:
        """Whether the encoder knows such a view; of a box in it it speaks as of the view."""
        model = self.classifier.longitudinal
        far = model.distances([self._seen])
        trust = settle_picture(far[0] if far else None, model.domain.limit if model.domain else None, {})
        if trust.is_trusted and model.card.calibrated_on_simulated and not model.card.simulated_training:
            # It knows real pictures, but what it says was held against lesions that were drawn into them.
            return replace(trust, level=TrustLevel.WITHHELD, doubt=Doubt.OTHER_WOMEN)
        return trust

    @cached_property
    def _lesions(self) -> NDArray[np.float32]:
        from models.view import lesion_map

        return lesion_map(self.classifier.longitudinal.encoder, self._view)


class NoBreast(ValueError):
    """The picture passed the gate, but no breast could be cut out of it."""


def _in_original(marks: Sequence[Box], transform: ViewTransform, shape: tuple[int, ...]) -> tuple[Box, ...]:
    """Return boxes of a prepared picture in whole pixels of the original, of (rows, columns), cut where it ends."""
    rows, columns = shape[:2]
    found = []
    for x0, y0, x1, y1 in marks:
        (ax, ay), (bx, by) = transform.to_original(x0, y0), transform.to_original(x1, y1)
        across, down = sorted((ax, bx)), sorted((ay, by))
        left, right = (float(np.clip(round(x), 0, columns)) for x in across)
        top, bottom = (float(np.clip(round(y), 0, rows)) for y in down)
        if right > left and bottom > top:
            found.append((left, top, right, bottom))
    return tuple(found)
