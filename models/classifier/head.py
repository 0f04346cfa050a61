"""What every head of a classifier of single images can do; `models.classifier.model.HEADS` lists them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from numpy.typing import NDArray

from models.classifier.network import ImageConfig
from models.classifier.options import HeadName

__all__ = ["NETWORK", "Head", "NetworkHead"]

NETWORK = "network.keras"


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
    def seen(
        self, pixels: NDArray[np.float32], around: NDArray[np.uint8] | None
    ) -> tuple[NDArray[Any], NDArray[np.float16]]:
        """Return logits (n, classes) and heat maps (n, h, w) of images; each image by itself, whatever stands beside it."""


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
