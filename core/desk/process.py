"""``python -m core.desk.process SETTINGS``: the child that holds the networks for the page "Read an image".

Asked and answering as `core.images.child` says. It keeps the last few images that it was handed, so that a box drawn on one
of them is answered without sending the image again; one that it has let go of is answered with ``unknown``.
"""

from __future__ import annotations

import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.desk.classify import Classifier
from core.desk.open_image import BoxError, OpenImage
from core.images import Answer, GuardedReader, ReadImage, answer_questions, confined, image_to_json
from core.refusals import Refusal
from core.settings import Settings
from models.store import backend

if TYPE_CHECKING:
    from core.desk.answers import Classified

KEPT_PIXELS = 150_000_000
"""Images are let go of, the longest unused first, when together they have more pixels than this."""

MOST_ALONE = 4
"""Models that are asked alone and stay loaded."""


@dataclass
class _Kept:
    """An image at hand, and what was computed of it."""

    image: ReadImage
    opened: OpenImage


class Desk:
    """Opens images and answers what is asked about them, one question after another."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._reader = GuardedReader(settings)
        self._classifier = Classifier(settings)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asked_alone: dict[str, Classifier] = {}

    def answer(self, question: dict[str, Any], data: bytes) -> Answer:
        """Answer one question; what cannot be done is an answer too, with a sentence."""
        try:
            return self._answer(question, data)
        except Refusal as refusal:
            return {"refusal": refusal.reason, "detail": refusal.detail}, []
        except BoxError as error:
            return {"box_error": str(error).partition(": ")[2] or str(error)}, []
        except (LookupError, ValueError) as error:
            return {"refusal": "no_model", "detail": str(error)}, []

    def forget(self) -> None:
        """Let go of all images and of the process that decodes them."""
        self._kept.clear()
        self._reader.close()

    def warm_up(self) -> None:
        """Load what is installed and run it once, so that the first person does not wait for it."""
        rows, columns = np.mgrid[0:640, 0:480]
        breast = (((columns / 300) ** 2 + ((rows - 320) / 260) ** 2) < 1) * (2000 + 7 * (rows % 50))
        for modality in ("MG", "US"):
            opened = OpenImage(self._classifier, breast.astype(np.uint16), "image", modality)
            for box in (None, (60.0, 250.0, 160.0, 350.0)):
                try:
                    opened.classified(box)
                except (LookupError, ValueError):
                    continue  # said to the person who asks; a desk without a model still opens images

    def _answer(self, question: dict[str, Any], data: bytes) -> Answer:
        from core.images import make_rendition

        if question["wanted"] == "classify":
            return self._classified(question, data)
        token = question["token"]
        if question["wanted"] == "open":
            image = self._reader.read(data, question["name"])
            modality = self._classifier.admit(image)
            name = question.get("shows") or "image"
            self._keep(token, _Kept(image, OpenImage(self._classifier, image.pixels, name, modality)))
            return {"image": image_to_json(image), "modality": modality}, []
        if token not in self._kept:
            return {"unknown": True}, []
        self._kept.move_to_end(token)
        kept = self._kept[token]
        if question["wanted"] == "picture":
            return {}, [make_rendition(stepped(kept.image, question["steps"]))]
        if question["wanted"] == "region":
            x0, y0, x1, y1 = (float(value) for value in question["box"])
            return _said(
                kept.opened.classified((x0, y0, x1, y1), tasks=("finding",), finding_by=question["model"])
            )
        other = question.get("other")
        if other is not None and other not in self._kept:
            return {"other_unknown": True}, []
        alone = question.get("alone")
        opened = self._opened(token, alone)
        opened.other = self._opened(other, alone) if other is not None else None
        return _said(opened.classified(finding_by=question.get("model")))

    def _opened(self, token: str, alone: str | None) -> OpenImage:
        """Return an image that is at hand as all models read it, or as one reads it that is asked alone."""
        kept = self._kept[token]
        if alone is None:
            return kept.opened
        return OpenImage(self._alone(alone), kept.image.pixels, kept.opened.name, kept.opened.modality)

    def _classified(self, question: dict[str, Any], data: bytes) -> Answer:
        """Say what is seen in a file that is not kept, by all models, or by the one that is asked alone."""
        name, model, box = question["name"], question["model"], question["box"]
        asked = self._alone(model) if model is not None else self._classifier
        image = self._reader.read(data, name)
        modality = asked.admit(image)
        region = tuple(map(float, box)) if box else None
        return _said(OpenImage(asked, image.pixels, name, modality).classified(region))  # type: ignore[arg-type]

    def _alone(self, model: str) -> Classifier:
        """Return the classifier that asks one model alone, loaded once; of few at a time."""
        if model not in self._asked_alone:
            while len(self._asked_alone) >= MOST_ALONE:
                self._asked_alone.pop(next(iter(self._asked_alone)))
            self._asked_alone[model] = Classifier(self.settings, model)
        return self._asked_alone[model]

    def _keep(self, token: str, kept: _Kept) -> None:
        self._kept[token] = kept
        self._kept.move_to_end(token)
        while len(self._kept) > 1 and sum(k.image.pixels.size for k in self._kept.values()) > KEPT_PIXELS:
            self._kept.popitem(last=False)


def stepped(image: ReadImage, steps: list[str]) -> ReadImage:
    """Return the image as its window shows it, after the named steps of `models.classifier.preprocess`.

    It is made as small as the viewer wants it first. Without steps it is returned as it is.
    """
    from core.images import LONGEST_SIDE, reduced, shown_window
    from models.classifier import Step, apply_step

    if not steps:
        return image
    pixels = reduced(image.pixels, LONGEST_SIDE)
    center, width = shown_window(image)
    shades = np.clip((pixels.astype(np.float32) - (center - width / 2)) / width, 0, 1)
    for step in Step:
        if step in steps:
            shades = apply_step(shades, step)
    return ReadImage(
        rows=image.rows,
        columns=image.columns,
        bits_stored=16,
        media_type=image.media_type,
        pixels=np.round(np.where(pixels > 0, shades, 0) * 65535).astype(np.uint16),
        pixel_spacing_mm=image.pixel_spacing_mm,
        window_center=32767.5,
        window_width=65535.0,
    )


def _said(classified: Classified) -> Answer:
    if classified.refused:
        return {"refusal": classified.refused, "detail": ""}, []
    facts: dict[str, Any] = {"said": classified.to_json()}
    if classified.heat_map is None or classified.transform is None or classified.heat_shape is None:
        return facts, []
    rows, columns = classified.heat_shape
    corners = [*classified.transform.to_original(0.0, 0.0), *classified.transform.to_original(columns, rows)]
    heat = np.round(np.clip(np.asarray(classified.heat_map, np.float32), 0, 1) * 255).astype(np.uint8)
    facts["heat"] = {"shape": list(heat.shape), "corners": corners}
    return facts, [heat.tobytes()]


def _prepare() -> Callable[[dict[str, Any], bytes], Answer]:
    backend.load()
    warnings.simplefilter("ignore")
    desk = Desk(Settings.model_validate_json(sys.argv[1]))
    desk.warm_up()
    # It sees what a decoder of strangers' files has answered, and has nobody to talk to but who asks it.
    confined.stay_offline()
    return desk.answer


def main() -> None:
    """Answer one question after another until stdin ends."""
    answer_questions(_prepare)


if __name__ == "__main__":
    main()
