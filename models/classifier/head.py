"""What every head of a classifier of single images can do; `models.classifier.model.HEADS` lists them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import keras
import numpy as np
from numpy.typing import NDArray

from models.classifier.familiar import MEANS, roots, shades, with_means
from models.classifier.network import ImageConfig, predict
from models.classifier.options import HeadName
from models.classifier.preprocess import Box

__all__ = ["NETWORK", "Head", "NetworkHead", "Seen"]

NETWORK = "network.keras"


class Seen(NamedTuple):
    """Logits (n, classes), heat maps (n, h, w) and vectors (n, D), as `Head.vectors` gives them, of images.

    `marks` are, of each image, boxes x0, y0, x1, y1 in its pixels around what speaks for a lesion, the strongest first;
    nothing under a head that points nowhere.
    """

    logits: NDArray[Any]
    heat: NDArray[np.float16]
    vectors: NDArray[np.float32]
    marks: tuple[tuple[Box, ...], ...] = ()


class Head(ABC):
    """What a classifier ends in, with the network below it: kept in files, it makes logits and heat maps of images.

    Parameters
    ----------
    network
        What sees the images.
    config
        How it was built.
    """

    name: ClassVar[HeadName]
    encoder_file: ClassVar[str]
    """The file that holds what sees the images; the first of the files holds what answers."""
    may_miss_lesions: ClassVar[bool] = False
    """Whether it answers by the lesions that it finds in a whole image: where it finds none, there may be some."""

    def __init__(self, network: keras.Model, config: ImageConfig) -> None:
        self.network, self.config = network, config

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, config: ImageConfig) -> Self:
        """Read what `save` wrote to `folder`."""

    @abstractmethod
    def save(self, folder: Path) -> list[str]:
        """Write the head's files to `folder`; return their names, what answers first."""

    @abstractmethod
    def logits(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
        """Return logits (n, classes) of prepared images.

        Parameters
        ----------
        pixels
            (n, rows, columns), uint8 or in 0..1.
        around
            (n, *AROUND, 2), what lies around boxes, where the input wants it.
        """

    @abstractmethod
    def vectors(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """Return vectors (n, D) in which it is measured how unlike prepared images are to what was learned; as `logits`."""

    @abstractmethod
    def seen(self, pixels: NDArray[np.float32], around: NDArray[np.uint8] | None) -> Seen:
        """Return what is seen in images; each image by itself, whatever stands beside it."""


class NetworkHead(Head):
    """A head that is part of its network, and is kept with it in one file."""

    encoder_file = NETWORK

    @classmethod
    def load(cls, folder: Path, config: ImageConfig) -> Self:
        """Read the network."""
        return cls(keras.saving.load_model(folder / NETWORK, compile=False, safe_mode=True), config)

    def save(self, folder: Path) -> list[str]:
        """Write the network."""
        self.network.save(folder / NETWORK)
        return [NETWORK]

    @cached_property
    def with_means(self) -> keras.Model:
        """The network, with the means of its maps beside its outputs."""
        return with_means(self.network)

    def vectors(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """Return vectors (n, D) of prepared images."""
        return self.vectors_of(predict(self.with_means, pixels, batch=4), pixels)

    @staticmethod
    def vectors_of(out: dict[str, NDArray[np.float32]], pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Return vectors (n, D) of images whose outputs are known."""
        return np.concatenate([roots(out[MEANS]), shades(pixels)], axis=1)
