"""One image, read: tumour and density probabilities, for a script or a page, after a gate that turns others away.

What speaks is the classifier of single images that is installed for the task; while there is none for mammograms,
the findings and density of the longitudinal model's encoder, and `model` says so. Each model speaks only of pictures
that lie in its own domain; what it would have said of others is kept apart, for research.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.desk.answers import Classified
from core.desk.open_image import BoxError, OpenImage
from core.desk.who_speaks import Speakers
from core.images import GuardedReader, ReadImage, lend_reader, recognise
from core.refusals import Refusal
from core.rules.vocabulary import UNLEARNED_KINDS, flag_words
from models.classifier import Box

__all__ = ["Classifier", "parse_box"]


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


class Classifier(Speakers):
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
        card = self.asked_card
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
