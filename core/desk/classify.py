"""One image, read: tumour and density probabilities, for a script or a page, after a gate that turns others away.

What speaks is the classifier of single images that is installed for the task; while there is none for mammograms,
the findings and density of the longitudinal model's encoder, and `model` says so. Each model speaks only of pictures
that lie in its own domain; what it would have said of others is kept apart, for research.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.images import GuardedReader, ReadImage, lend_reader, recognise
from core.refusals import Refusal
from core.rules import Doubt, Trust, TrustLevel, settle_picture
from core.rules.vocabulary import DENSITIES, FINDINGS, UNLEARNED_KINDS, FindingClass, flag_words
from core.settings import Settings
from models.classifier import Box, Region, check_box, prepare
from models.store import ModelCard, backend, cards, folder_of, read_card
from models.view import NETWORK_SHAPE, StandardView, ViewTransform, standardise

if TYPE_CHECKING:
    from models.classifier import ImageModel, ImageReading
    from models.longitudinal import LongitudinalModel, ViewReading

__all__ = [
    "BoxError",
    "Classified",
    "Classifier",
    "OpenImage",
    "Spoke",
    "finding_models",
    "parse_box",
    "speakers",
]

FINDING, DENSITY = DEFAULT_TASKS = ("finding", "density")
ENCODER_DOUBT = (
    "It was made to follow women over years: for one image by itself its figures are not calibrated."
)
ITS_ENCODER = " (its encoder)"
ELSEWHERE_DOUBT = "This picture is of another scanner than those that it learned from: on such it was measured on fewer pictures."
REGION_DOUBT = "Its figures for a region are not calibrated."


class BoxError(ValueError):
    """The box is malformed or does not lie in the image; the message says what is wrong."""


@dataclass(frozen=True)
class Spoke:
    """Which model said what, and how far its figures go.

    `reads` is what it was shown: ``image``, ``image beside the other breast``, ``region``, or ``region of the whole image``
    for a box in what a model of whole images saw. `doubt` says why its probabilities are not calibrated for that, or how weak the model is;
    None where there is nothing to warn of. `trust` says whether it knows such pictures.
    """

    task: str
    model: str
    title: str
    reads: str
    doubt: str | None
    trust: Trust

    def to_json(self) -> dict[str, Any]:
        """Return plain values; beside the trust what would be needed, None where nothing is."""
        name = self.model.removesuffix(ITS_ENCODER)
        needed = self.trust.doubt.needed.replace("MODEL", name) if self.trust.doubt else None
        return asdict(self) | {"trust": self.trust.to_json(), "needed": needed}


@dataclass(frozen=True)
class Classified:
    """What is said of one image.

    `refused` is a reason code and `detail` its sentence; then nothing else is said. `tumour` and `density` hold
    probabilities by class, `other` those of a task that is neither, by its name; None where nothing may be said, and
    then `untrusted` holds by task what the model would have said. `heat_map` is (h, w) in 0..1, over a picture of
    `heat_shape` (rows, columns), whose coordinates `transform` maps to the original's; it is the tumour's, trusted or
    not. `marks` are boxes in the original around what speaks for a lesion, the strongest first, of a model that finds such.
    `beside` names the view of the other breast that it was read together with, if it was.
    """

    path: str
    refused: str | None = None
    detail: str | None = None
    tumour: dict[str, float] | None = None
    density: dict[str, float] | None = None
    other: dict[str, dict[str, float]] | None = None
    untrusted: dict[str, dict[str, float]] = field(default_factory=dict)
    model: str | None = None
    spoke: tuple[Spoke, ...] = ()
    modality: str | None = None
    box: Box | None = None
    heat_map: NDArray[np.float16] | None = None
    heat_shape: tuple[int, int] | None = None
    transform: ViewTransform | None = None
    marks: tuple[Box, ...] = ()
    beside: str | None = None

    @property
    def trust(self) -> Trust | None:
        """How far may be believed what is said of the tumour, or of what the only model says; None if it was refused."""
        others = [one.trust for one in self.spoke if one.task != DENSITY]
        return others[0] if others else self.density_trust

    @property
    def density_trust(self) -> Trust | None:
        """The same of density, which another model may say; None where none was asked."""
        return next((one.trust for one in self.spoke if one.task == DENSITY), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain values in DESIGN.md's shape.

        Two models may speak, each in its own domain: ``trust`` is that of the model that says what is benign or
        malignant (of a model of another task, if that was asked alone), ``density_trust`` that of the one that says
        density. What may not be said is null, and stands in the same shape under ``untrusted``, which is there only then.
        A refused picture is withheld for the reason that it was refused for.
        """
        trust, density_trust = self.trust, self.density_trust
        refused = {"level": TrustLevel.WITHHELD.value, "reason": self.detail, "distance": None, "limit": None}
        other = {
            one.task: (self.other or {}).get(one.task) for one in self.spoke if one.task not in DEFAULT_TASKS
        }
        held = {task: said for task, said in self.untrusted.items() if task not in DEFAULT_TASKS}
        untrusted = {
            "tumour": self.untrusted.get(FINDING),
            "density": self.untrusted.get(DENSITY),
            **({"other": held} if held else {}),
        }
        return {
            "path": self.path,
            "refused": self.refused,
            "detail": self.detail,
            "tumour": self.tumour,
            "density": self.density,
            **({"other": other} if other else {}),
            "trust": trust.to_json() if trust else refused,
            "density_trust": density_trust.to_json() if density_trust else None,
            **({"untrusted": untrusted} if self.untrusted else {}),
            "roi": list(self.box) if self.box else None,
            "marks": [list(mark) for mark in self.marks] if trust and trust.is_trusted else [],
            "beside": self.beside,
            "model": self.model,
            "modality": self.modality,
            "spoke": [one.to_json() for one in self.spoke],
        }


def parse_box(text: str) -> Box:
    """Read ``x0,y0,x1,y1`` in pixels, origin top left; `BoxError` says what is wrong with it."""
    parts = text.split(",")
    try:
        x0, y0, x1, y1 = (float(part) for part in parts)
    except ValueError as error:
        raise BoxError(f"The box {text!r} is not x0,y0,x1,y1: four numbers of pixels.") from error
    if not np.isfinite((x0, y0, x1, y1)).all() or x1 <= x0 or y1 <= y0:
        raise BoxError(f"The box {text!r} is empty: x1 must exceed x0, and y1 y0.")
    return x0, y0, x1, y1


class Classifier:
    """Reads images one after another; networks are loaded when the first image has passed the gate.

    >>> for item in Classifier(Settings()).classify([Path("view.png")]):
    ...     print(item.tumour)

    Parameters
    ----------
    settings
        Limits of the reader, and the longitudinal model that speaks where no image model is installed.
    model
        Name or folder of one model to be asked alone; None: those that are installed.

    Raises
    ------
    LookupError, ValueError
        When the first image is read, if no model is installed, or it is damaged.
    """

    def __init__(self, settings: Settings, model: str | None = None) -> None:
        self.settings, self.asked = settings, model
        self._image_models: dict[str, ImageModel] = {}

    def classify(self, paths: Sequence[Path], box: Box | None = None) -> Iterator[Classified]:
        """Read files; a box in pixels is looked at in each. `BoxError` if it does not lie in one of them."""
        with lend_reader(self.settings) as reader:
            for path in paths:
                yield self._file(reader, path, box)

    def classify_pixels(
        self, pixels: NDArray[Any], name: str, box: Box | None = None, *, modality: str = "MG"
    ) -> Classified:
        """Say what is seen in pixels (rows, columns) that have passed the gate; `BoxError` as for `classify`."""
        return OpenImage(self, pixels, name, modality).classified(box)

    def admit(self, image: ReadImage) -> str:
        """Be the gate: return the modality, MG or US, of an image that may be read, or raise `Refusal`.

        A model of other pictures (brain slices, say) that is asked for by name has no gate.
        """
        card = self._asked_card
        wanted: list[str] = []
        if card is not None:
            wanted = list(card.settings["modalities"]) if card.of_single_images else ["MG"]
        if wanted and not {"MG", "US"} & set(wanted):
            return str(wanted[0])
        seen = recognise(image.pixels, image.doubt, image.header.modality)
        if seen.modality is None:
            raise Refusal("not_a_breast_image", seen.why)
        if unlearned := UNLEARNED_KINDS & set(image.quality_flags):
            words = ", ".join(sorted(map(flag_words, unlearned)))
            raise Refusal(
                "no_model", f"By what the file says it is {words}, which no model here has learned."
            )
        if wanted and seen.modality not in wanted:
            assert card is not None
            kinds = {"MG": "a mammogram", "US": "an ultrasound image"}
            raise Refusal("no_model", f"This is {kinds[seen.modality]}, which {card.name} does not read.")
        return seen.modality

    def _file(self, reader: GuardedReader, path: Path, box: Box | None) -> Classified:
        try:
            image = reader.read(path.read_bytes(), path.name)
            modality = self.admit(image)
        except Refusal as refusal:
            return Classified(str(path), refusal.reason, refusal.text)
        except OSError as error:
            unopened = Refusal("unreadable_path", f"{error.strerror or error}.")
            return Classified(str(path), unopened.reason, unopened.text)
        return self.classify_pixels(image.pixels, str(path), box, modality=modality)

    def chosen(self, modality: str, regional: bool, finding_by: str | None = None) -> dict[str, ModelCard]:
        """Return the classifier for each task: of regions where a box is given, else of whole images.

        A box of an ultrasound image is shown to the model of whole images where there is none of regions.
        `finding_by` names the model that says what is benign or malignant, wherever it can; None: the first by name.
        """
        if self._asked_card is not None:
            only = self._asked_card
            if not only.of_single_images:
                return {}
            if _region(only) is Region.BOX and not regional:
                raise ValueError(f"{only.name} reads regions: give one with --roi x0,y0,x1,y1.")
            return {only.settings["task"]: only}
        fitting: dict[str, list[ModelCard]] = {"finding": [], "density": []}
        second_best: list[ModelCard] = []
        for card in _image_cards(modality):
            task, of_regions = str(card.settings.get("task")), _region(card) is Region.BOX
            if task == "density" and not of_regions:
                fitting["density"].append(card)
            elif task == "finding" and of_regions == regional:
                fitting["finding"].append(card)
            elif task == "finding" and regional and modality == "US":
                second_best.append(card)
        candidates = fitting["finding"] + second_best
        asked_for = [card for card in candidates if card.name == finding_by]
        by_encoder = finding_by is not None and finding_by not in {
            card.name for card in _image_cards(modality)
        }
        fitting["finding"] = [] if by_encoder else asked_for or candidates
        return {task: found[0] for task, found in fitting.items() if found}

    def needs_encoder(self, modality: str, said: dict[str, Any]) -> bool:
        """Whether the longitudinal model's encoder has to say what no classifier said; it knows mammograms only."""
        if self._asked_card is not None:
            return not self._asked_card.of_single_images
        return modality == "MG" and not {"finding", "density"} <= set(said)

    @cached_property
    def _asked_card(self) -> ModelCard | None:
        if self.asked is None:
            return None
        return read_card(folder_of(self.asked))

    @cached_property
    def longitudinal(self) -> LongitudinalModel:
        """The longitudinal model whose encoder speaks where no classifier does."""
        backend.load()
        from models.longitudinal import LongitudinalModel

        return LongitudinalModel.load(self.asked or self.settings.model)

    def image_model(self, card: ModelCard) -> ImageModel:
        """Return the classifier with this card, loaded once."""
        backend.load()
        from models.classifier import ImageModel

        if card.name not in self._image_models:
            place = self.asked if self.asked is not None else card.name
            self._image_models[card.name] = ImageModel.load(place)
        return self._image_models[card.name]


class OpenImage:
    """One image that is asked about several times: what does not depend on the box is computed once."""

    def __init__(self, classifier: Classifier, pixels: NDArray[Any], name: str, modality: str) -> None:
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
        classifier = self.classifier
        said: dict[str, dict[str, float]] = {}
        spoke: list[Spoke] = []
        heat: NDArray[np.float16] | None = None
        heat_shape: tuple[int, int] | None = None
        transform: ViewTransform | None = None
        marks: tuple[Box, ...] = ()
        beside: str | None = None
        for task, card in classifier.chosen(self.modality, box is not None, finding_by).items():
            if tasks is not None and task not in tasks:
                continue
            model = classifier.image_model(card)
            region = model.config.input.region
            shown_box = box if region is Region.BOX or (self.modality == "US" and task == "finding") else None
            reading, shown = self._read(model, shown_box)
            trust = _trust(model, reading)
            if shown_box is not None and trust.is_trusted:
                trust = self._trust_of_whole(finding_by) or trust
            together = None if shown_box is not None else self._beside_the_other(model, reading)
            said[task] = together or reading.probabilities
            how = _spoke(task, model, shown_box is not None, trust, beside=together is not None)
            spoke.append(_from_elsewhere(how, model, reading))
            if together is not None and self.other is not None:
                beside = self.other.name
            if task != "density":
                heat, heat_shape, transform = reading.heat_map, model.config.input.shape, shown
                marks = _in_original(reading.marks, shown, self.pixels.shape)
        wanted = said if tasks is None else said | {task: {} for task in DEFAULT_TASKS if task not in tasks}
        if classifier.needs_encoder(self.modality, wanted):
            card = classifier.longitudinal.card
            for task in DEFAULT_TASKS:
                if task not in said and (tasks is None or task in tasks):
                    if task == "finding":
                        heat, transform = self._seen.heat_map, self._view.transform
                        heat_shape = NETWORK_SHAPE
                    said[task] = self._encoder_says(task, box)
                    regional = box is not None and task == "finding"
                    reads = "region of the whole image" if regional else "image"
                    doubt = REGION_DOUBT if regional else ENCODER_DOUBT
                    name = card.name + ITS_ENCODER
                    spoke.append(Spoke(task, name, card.title, reads, doubt, self._encoder_trust))
        if not said:
            refusal = Refusal("no_model", "")
            return Classified(self.name, refusal.reason, refusal.text, modality=self.modality)
        withheld = {one.task for one in spoke if not one.trust.is_trusted}
        may = {task: shares for task, shares in said.items() if task not in withheld}
        return Classified(
            self.name,
            tumour=may.get(FINDING),
            density=may.get(DENSITY),
            other={task: v for task, v in may.items() if task not in DEFAULT_TASKS} or None,
            untrusted={task: v for task, v in said.items() if task in withheld},
            model=", ".join(dict.fromkeys(one.model for one in spoke)),
            spoke=tuple(spoke),
            modality=self.modality,
            box=box,
            heat_map=heat,
            heat_shape=heat_shape,
            transform=transform,
            marks=marks,
            beside=beside,
        )

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
        if not all(_trust(model, one).is_trusted for one in (reading, other)):
            return None
        return model.beside(reading.probabilities, other.probabilities)

    def _trust_of_whole(self, finding_by: str | None) -> Trust | None:
        """Return why the picture that a box lies in is not to be believed by the model that reads it whole; None if it is.

        A region looks much alike on any picture: it is believed no further than what is around it. A model that is asked
        alone answers for itself.
        """
        classifier = self.classifier
        card = classifier.chosen(self.modality, False, finding_by).get(FINDING)
        if classifier.asked is not None or card is None:
            return None
        model = classifier.image_model(card)
        whole = _trust(model, self._read(model)[0])
        # That it is weak on whole pictures says nothing of the region's model.
        return None if whole.is_trusted or whole.doubt is Doubt.TOO_WEAK else whole

    def _check_over_breast(self, box: Box) -> None:
        """Refuse a box of air, whichever model would read it."""
        from models.view import over_breast

        view = self._view
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
        try:
            return standardise(self.pixels)
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


def _trust(model: ImageModel, reading: ImageReading) -> Trust:
    domain = model.domain
    if domain is None:
        return settle_picture(reading.distance, None, model.card.metrics)
    if reading.distance is None or not domain.is_from_elsewhere(reading.distance):
        return settle_picture(reading.distance, domain.limit, model.card.metrics)
    # How it does on such pictures decides; where that was not measured, it knows its own kind only.
    measured = model.card.settings.get("domain", {}).get("elsewhere") or {}
    return settle_picture(
        reading.distance, domain.limit if measured.get("auc_ci") else domain.usual, measured
    )


def _spoke(task: str, model: ImageModel, regional: bool, trust: Trust, *, beside: bool = False) -> Spoke:
    """Say who spoke, and why its figures are not calibrated where they are not."""
    of_regions = model.config.input.region is Region.BOX
    doubt = None
    if regional and not of_regions:
        doubt = f"It learned from whole images. {REGION_DOUBT}"
    elif model.scaling == type(model.scaling)():
        doubt = "Its probabilities are not calibrated."
    elif model.head.may_miss_lesions:
        doubt = _reach(model.card, beside=beside)
    reads = "image" if not regional else "region" if of_regions else "region of the whole image"
    if beside:
        reads = "image beside the other breast"
    return Spoke(task, model.card.name, model.card.title, reads, doubt, trust)


def _from_elsewhere(spoke: Spoke, model: ImageModel, reading: ImageReading) -> Spoke:
    """Add to the doubt that the picture is like those of other collections, not of the one that was learned from."""
    if (
        model.domain is None
        or reading.distance is None
        or not model.domain.is_from_elsewhere(reading.distance)
    ):
        return spoke
    return replace(spoke, doubt=" ".join(part for part in (ELSEWHERE_DOUBT, spoke.doubt) if part))


def _reach(card: ModelCard, *, beside: bool = False) -> str | None:
    """Say how far a model that looks for lesions in whole images is to be believed, from its card."""
    metrics = card.metrics.get("both_breasts", {}) if beside else card.metrics
    normal = metrics.get("by_class", {}).get(FindingClass.NORMAL)
    if normal is None:
        return None
    low, high = normal["auc_ci"]
    return (
        f"A film with a lesion scored above a normal one in {normal['auc']:.0%} of pairs it had never seen "
        f"({low:.0%} to {high:.0%}; chance is 50%): it misses many lesions."
    )


def _image_cards(modality: str) -> list[ModelCard]:
    return [
        card for card in cards() if card.of_single_images and modality in card.settings.get("modalities", [])
    ]


def finding_models(settings: Settings, modality: str) -> list[str]:
    """Return the names of the models that can say what is benign or malignant in such an image, classifiers first.

    A model of regions and one of whole images answer together; they are listed once, by the one that comes first.
    """
    asked = Classifier(settings)
    by_answer: dict[tuple[str | None, ...], str] = {}
    for card in _image_cards(modality):
        if card.settings.get("task") == "finding":
            answers = [asked.chosen(modality, regional, card.name) for regional in (False, True)]
            speak = tuple(said["finding"].name if "finding" in said else None for said in answers)
            by_answer.setdefault(speak, card.name)
    names = list(by_answer.values())
    if modality == "MG":
        try:
            names.append(read_card(folder_of(settings.model)).name)
        except (LookupError, ValueError):
            return names
    return names


def speakers(settings: Settings, modality: str, finding_by: str | None = None) -> list[str]:
    """Return the names of the models that answer for such an image and its regions, without loading them."""
    asked = Classifier(settings)
    whole, regions = (asked.chosen(modality, regional, finding_by) for regional in (False, True))
    names = [card.name for card in (*whole.values(), *regions.values())]
    if asked.needs_encoder(modality, whole) or asked.needs_encoder(modality, regions):
        names += finding_models(settings, modality)[-1:]
    return list(dict.fromkeys(names))


def _region(card: ModelCard) -> Region:
    return Region(card.settings.get("plan", {}).get("region", Region.IMAGE))
