"""A classifier of single images: a backbone chosen by name, a head, calibrated probabilities and a heat map.

There are three heads: `models.classifier.dense_head` is a layer of the network that is trained with it,
`models.classifier.kernel_head` reads features of a backbone that stays as it is, `models.classifier.detector_head` finds
lesions in whole films.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.classifier.both_breasts import BothBreasts
from models.classifier.dense_head import DenseHead
from models.classifier.detector_head import DetectorHead
from models.classifier.head import Head
from models.classifier.kernel_head import KernelHead
from models.classifier.network import BATCH, ImageConfig
from models.classifier.options import HeadName
from models.classifier.preprocess import Box, PreparedImage
from models.classifier.scaling import Scaling
from models.measures import DOMAIN, Domain
from models.store import CARD, IMAGE_KIND, ModelCard, check_files, folder_of, read_card, sha256_of

__all__ = ["HEADS", "ImageModel", "ImageReading"]

FACTS = "image.json"
HEADS: dict[HeadName, type[Head]] = {head.name: head for head in (DenseHead, KernelHead, DetectorHead)}


@dataclass(frozen=True)
class ImageReading:
    """What a classifier says of one image.

    Parameters
    ----------
    probabilities
        By class; they sum to 1.
    heat_map
        float16 (h, w) in 0..1, coordinates of the prepared image: where what speaks for the positive class lies
        (class activation map, Zhou et al. 2016, arXiv:1512.04150).
    distance
        How unlike the image is to what the model learned from (`models.measures.Domain`); None if it does not know that.
    marks
        Boxes x0, y0, x1, y1 around what speaks for a lesion, the strongest first, coordinates as the heat map's; none of a
        model that points nowhere.
    """

    probabilities: dict[str, float]
    heat_map: NDArray[np.float16]
    distance: float | None = None
    marks: tuple[Box, ...] = ()


class ImageModel:
    """A trained classifier of single images.

    >>> model = ImageModel.load("tumour-us")
    >>> (reading,) = model.read([prepare(pixels, model.config.input)])
    """

    def __init__(
        self,
        card: ModelCard,
        head: Head,
        scaling: Scaling | None = None,
        domain: Domain | None = None,
        both: BothBreasts | None = None,
    ) -> None:
        self.card, self.head, self.scaling, self.domain = card, head, scaling or Scaling(), domain
        self.both = both

    @property
    def config(self) -> ImageConfig:
        """How it was built."""
        return self.head.config

    @property
    def network(self) -> keras.Model:
        """What sees the images."""
        return self.head.network

    @classmethod
    def load(cls, name_or_folder: str | Path) -> ImageModel:
        """Load a shipped model by name, or one from a folder.

        Raises
        ------
        LookupError
            If no model has that name.
        ValueError
            If it is no image model, a file is missing or is not the one the card vouches for.
        """
        folder = folder_of(name_or_folder)
        card = read_card(folder)
        if not card.of_single_images:
            raise ValueError(f"{card.name} is not a model of single images.")
        check_files(folder, card)
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        config = ImageConfig.from_json(facts["config"])
        head = HEADS[config.head].load(folder, config)
        scaling = Scaling(float(facts["scaling"]["slope"]), tuple(facts["scaling"]["bias"]))
        domain = Domain.load(folder / DOMAIN) if DOMAIN in card.files else None
        both = BothBreasts.from_json(facts["both"]) if facts.get("both") else None
        return cls(card, head, scaling, domain, both)

    def save(self, folder: Path) -> ModelCard:
        """Write the model's files and its card, with their sha256, to `folder`; return the card as written."""
        folder.mkdir(0o700, parents=True, exist_ok=True)
        names = [*self.head.save(folder), FACTS]
        facts = {"config": self.config.to_json(), "scaling": asdict(self.scaling)}
        if self.both is not None:
            facts["both"] = self.both.to_json()
        (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        files = self._files(folder, [*names, *self.card.files])
        self.card = replace(
            self.card,
            files=files,
            weights_sha256=files[names[0]],
            encoder_sha256=files[self.head.encoder_file],
            settings=self.card.settings | {"kind": IMAGE_KIND},
        )
        return self._save_card(folder)

    def save_domain(self, folder: Path) -> ModelCard:
        """Write domain and card to a folder that holds all else; return the card as written."""
        self.card = replace(self.card, files=self._files(folder, list(self.card.files)))
        return self._save_card(folder)

    def _files(self, folder: Path, names: list[str]) -> dict[str, str]:
        """Write the domain, if there is one, and return the sha256 of each file."""
        named = [name for name in dict.fromkeys(names) if name != DOMAIN]
        if self.domain is not None:
            self.domain.save(folder / DOMAIN)
            named.append(DOMAIN)
        return {name: sha256_of(folder / name) for name in named}

    def _save_card(self, folder: Path) -> ModelCard:
        text = json.dumps(self.card.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / CARD).write_text(text + "\n", "utf-8")
        return self.card

    def logits(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
        """Return logits (n, classes), before scaling, of prepared images, as `Head.logits` takes them."""
        return self.head.logits(pixels, around)

    def beside(self, own: dict[str, float], other: dict[str, float]) -> dict[str, float] | None:
        """Return probabilities by class of a view beside the same view of the other breast, of what is said of each.

        None if the model does not put breasts together.
        """
        if self.both is None:
            return None
        shares = self.both(*(np.array([said[name] for name in self.config.classes]) for said in (own, other)))
        return dict(zip(self.config.classes, shares.tolist(), strict=True))

    def distances(
        self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float64] | None:
        """Return (n,) how unlike prepared images are to what was learned; None if the model does not know that."""
        return None if self.domain is None else self.domain.distances(self.head.vectors(pixels, around))

    def read(self, images: Sequence[PreparedImage]) -> list[ImageReading]:
        """Read images, each by itself: the same image gives the same reading in any company."""
        readings = []
        for start in range(0, len(images), BATCH):
            some = images[start : start + BATCH]
            around = [one.around for one in some if one.around is not None]
            seen = self.head.seen(
                np.stack([one.pixels for one in some]), np.stack(around) if around else None
            )
            for place, shares in enumerate(self.scaling(seen.logits)):
                by_class = dict(zip(self.config.classes, shares.tolist(), strict=True))
                vector = seen.vectors[place : place + 1]
                distance = None if self.domain is None else float(self.domain.distances(vector)[0])
                marks = seen.marks[place] if seen.marks else ()
                readings.append(ImageReading(by_class, seen.heat[place], distance, marks))
        return readings
