"""One image, read: tumour and density probabilities, for a script or a page, after a gate that turns others away.

What speaks is the classifier of single images that is installed for the task; while there is none, the findings
and density of the longitudinal model's encoder, and `model` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.reading import GuardedReader, lend_reader
from core.refusals import Refusal
from core.settings import Settings
from models.image_preprocess import Box, check_box, prepare
from models.preprocess import ViewTransform, standardise
from models.registry import IMAGE_KIND, ModelCard, cards, read_card, weights_folder

if TYPE_CHECKING:
    from models.image_model import ImageModel
    from models.longitudinal import LongitudinalModel

__all__ = ["BoxError", "Classified", "Classifier", "parse_box"]

DENSITIES = ("A", "B", "C", "D")


class BoxError(ValueError):
    """The box is malformed or does not lie in the image; the message says what is wrong."""


@dataclass(frozen=True)
class Classified:
    """What is said of one image.

    `refused` is a reason code and `detail` its sentence; then nothing else is said. `tumour` and `density` hold
    probabilities by class, `other` those of a task that is neither, by its name. `heat_map` is (h, w) in 0..1,
    in the coordinates that `transform` maps to the original's.
    """

    path: str
    refused: str | None = None
    detail: str | None = None
    tumour: dict[str, float] | None = None
    density: dict[str, float] | None = None
    other: dict[str, dict[str, float]] | None = None
    model: str | None = None
    box: Box | None = None
    heat_map: NDArray[np.float16] | None = None
    transform: ViewTransform | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values in DESIGN.md's shape."""
        return {
            "path": self.path,
            "refused": self.refused,
            "detail": self.detail,
            "tumour": self.tumour,
            "density": self.density,
            **({"other": self.other} if self.other else {}),
            "roi": list(self.box) if self.box else None,
            "model": self.model,
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

    def classify_pixels(self, pixels: NDArray[Any], name: str, box: Box | None = None) -> Classified:
        """Say what is seen in pixels (rows, columns) that have passed the gate; `BoxError` as for `classify`."""
        if box is not None:
            try:
                check_box(box, pixels.shape)
            except ValueError as error:
                raise BoxError(f"{name}: {error}") from error
        try:
            return self._say(pixels, name, box)
        except NoBreast as error:
            return Classified(name, "not_a_mammogram", str(error))

    def _file(self, reader: GuardedReader, path: Path, box: Box | None) -> Classified:
        try:
            image = reader.read(path.read_bytes(), path.name)
            if image.doubt and self._reads_mammograms:
                raise Refusal("not_a_mammogram", image.doubt)
        except Refusal as refusal:
            return Classified(str(path), refusal.reason, refusal.text)
        except OSError as error:
            unopened = Refusal("unreadable_path", f"{error.strerror or error}.")
            return Classified(str(path), unopened.reason, unopened.text)
        return self.classify_pixels(image.pixels, str(path), box)

    def _say(self, pixels: NDArray[Any], name: str, box: Box | None) -> Classified:
        spoke: list[str] = []
        said: dict[str, dict[str, float]] = {}
        heat: NDArray[np.float16] | None = None
        transform: ViewTransform | None = None
        for task, card in self._chosen(box is not None).items():
            model = self._image_model(card)
            regional = box is not None and model.config.input.region == "box"
            try:
                shown = prepare(pixels, model.config.input, box if regional else None)
            except ValueError as error:
                raise NoBreast(str(error)) from error
            (reading,) = model.read([shown])
            said[task] = reading.probabilities
            spoke.append(card.name)
            if task != "density":
                heat, transform = reading.heat_map, shown.transform
        if self._needs_encoder(said):
            from models.image_region import read_region

            try:
                view = standardise(pixels)
            except ValueError as error:
                raise NoBreast(str(error)) from error
            (seen,) = self._longitudinal.encode([view])
            if "finding" not in said:
                findings = dict(zip(("normal", "benign", "malignant"), seen.finding.tolist(), strict=True))
                try:
                    said["finding"] = read_region(self._longitudinal.encoder, view, box) if box else findings
                except ValueError as error:
                    raise BoxError(f"{name}: {error}") from error
                heat, transform = seen.heat_map, view.transform
            said.setdefault("density", dict(zip(DENSITIES, seen.density.tolist(), strict=True)))
            spoke.append(f"{self._longitudinal.card.name} (its encoder)")
        other = {task: values for task, values in said.items() if task not in ("finding", "density")}
        return Classified(
            name,
            tumour=said.get("finding"),
            density=said.get("density"),
            other=other or None,
            model=", ".join(spoke),
            box=box,
            heat_map=heat,
            transform=transform,
        )

    def _chosen(self, regional: bool) -> dict[str, ModelCard]:
        """Return the classifier for each task: of regions where a box is given, else of whole images."""
        if self._asked_card is not None:
            only = self._asked_card
            if only.settings.get("kind") != IMAGE_KIND:
                return {}
            if _region(only) == "box" and not regional:
                raise ValueError(f"{only.name} reads regions: give one with --roi x0,y0,x1,y1.")
            return {only.settings["task"]: only}
        chosen: dict[str, ModelCard] = {}
        for card in cards():
            task = card.settings.get("task")
            if card.settings.get("kind") != IMAGE_KIND or "MG" not in card.settings.get("modalities", []):
                continue
            if (task == "finding" and (_region(card) == "box") == regional) or (
                task == "density" and _region(card) != "box"
            ):
                chosen.setdefault(str(task), card)
        return chosen

    def _needs_encoder(self, said: dict[str, Any]) -> bool:
        if self._asked_card is not None:
            return self._asked_card.settings.get("kind") != IMAGE_KIND
        return not {"finding", "density"} <= set(said)

    @property
    def _reads_mammograms(self) -> bool:
        """Whether the gate applies; a model of other pictures that is asked for by name has no gate yet."""
        card = self._asked_card
        return card is None or card.settings.get("kind") != IMAGE_KIND or "MG" in card.settings["modalities"]

    @cached_property
    def _asked_card(self) -> ModelCard | None:
        if self.asked is None:
            return None
        folder = Path(self.asked)
        return read_card(folder if folder.is_dir() else weights_folder(self.asked))

    @cached_property
    def _longitudinal(self) -> LongitudinalModel:
        from models.longitudinal import LongitudinalModel

        return LongitudinalModel.load(self.asked or self.settings.model)

    def _image_model(self, card: ModelCard) -> ImageModel:
        from models.image_model import ImageModel

        if card.name not in self._image_models:
            place = self.asked if self.asked is not None else card.name
            self._image_models[card.name] = ImageModel.load(place)
        return self._image_models[card.name]


class NoBreast(ValueError):
    """The picture passed the gate, but no breast could be cut out of it."""


def _region(card: ModelCard) -> str:
    return str(card.settings.get("plan", {}).get("region", "image"))
