"""Which of the installed models speaks of an image or of a region of it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

from core.settings import Settings
from models.classifier import Region
from models.store import ModelCard, backend, cards, folder_of, read_card

if TYPE_CHECKING:
    from models.classifier import ImageModel
    from models.longitudinal import LongitudinalModel

__all__ = ["Speakers", "finding_models", "speakers"]


class Speakers:
    """The models that are installed, or one that is asked alone; each is loaded when it first speaks.

    Parameters
    ----------
    settings
        Limits of the reader, and the longitudinal model that speaks where no image model is installed.
    model
        Name or folder of one model to be asked alone; None: those that are installed.
    """

    def __init__(self, settings: Settings, model: str | None = None) -> None:
        self.settings, self.asked = settings, model
        self._image_models: dict[str, ImageModel] = {}

    def chosen(self, modality: str, regional: bool, finding_by: str | None = None) -> dict[str, ModelCard]:
        """Return the classifier for each task: of regions where a box is given, else of whole images.

        A box of an ultrasound image is shown to the model of whole images where there is none of regions.
        `finding_by` names the model that says what is benign or malignant, wherever it can; None: the first by name.
        """
        if self.asked_card is not None:
            only = self.asked_card
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

    def needs_encoder(self, modality: str, said: Collection[str]) -> bool:
        """Whether the longitudinal model's encoder has to say what no classifier said; it knows mammograms only."""
        if self.asked_card is not None:
            return not self.asked_card.of_single_images
        return modality == "MG" and not {"finding", "density"} <= set(said)

    @cached_property
    def asked_card(self) -> ModelCard | None:
        """The card of the model that is asked alone; None where those that are installed are asked."""
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


def _image_cards(modality: str) -> list[ModelCard]:
    return [
        card for card in cards() if card.of_single_images and modality in card.settings.get("modalities", [])
    ]


def finding_models(settings: Settings, modality: str) -> list[str]:
    """Return the names of the models that can say what is benign or malignant in such an image, classifiers first.

    A model of regions and one of whole images answer together; they are listed once, by the one that comes first.
    """
    asked = Speakers(settings)
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
    asked = Speakers(settings)
    whole, regions = (asked.chosen(modality, regional, finding_by) for regional in (False, True))
    names = [card.name for card in (*whole.values(), *regions.values())]
    if asked.needs_encoder(modality, whole) or asked.needs_encoder(modality, regions):
        names += finding_models(settings, modality)[-1:]
    return list(dict.fromkeys(names))


def _region(card: ModelCard) -> Region:
    return Region(card.settings.get("plan", {}).get("region", Region.IMAGE))
