"""A head that finds lesions in whole films: heads on the maps of several frozen networks (`models.film`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from models.classifier.familiar import roots, shades
from models.classifier.head import Head, Seen
from models.classifier.network import ImageConfig
from models.classifier.options import HeadName
from models.classifier.preprocess import Box
from models.film import (
    CELL,
    Detector,
    FilmReading,
    Net,
    build_backbones,
    build_maps,
    extent_of,
    inside_breast,
    peaks_of,
    served_maps,
)
from models.store import backend, load_weights, save_weights
from models.view import FINDINGS

__all__ = ["SHOWN_BY", "DetectorHead", "film_vector", "parts_of"]

HEADS = "heads.npz"
SHOWN_BY = Net.LITE0
"""Whose answers tell how unlike a film is: the fastest."""


class DetectorHead(Head):
    """A detector and the networks on whose answers it stands.

    Parameters
    ----------
    backbones
        As `models.film.build_backbones` builds them.
    config
        How it was built.
    detector
        What answers.
    """

    name = HeadName.DETECTOR
    encoder_file = "vgg16.npz"
    may_miss_lesions = True

    def __init__(self, backbones: dict[str, keras.Model], config: ImageConfig, detector: Detector) -> None:
        super().__init__(build_maps(backbones, config.input.shape), config)
        self.backbones, self.detector = backbones, detector

    @classmethod
    def load(cls, folder: Path, config: ImageConfig) -> Self:
        """Read networks and heads."""
        backbones = build_backbones()
        for name, network in backbones.items():
            network.set_weights(load_weights(folder / f"{name}.npz"))
        return cls(backbones, config, Detector.load(folder / HEADS))

    def save(self, folder: Path) -> list[str]:
        """Write heads and networks."""
        self.detector.save(folder / HEADS)
        for name, network in self.backbones.items():
            save_weights(folder / f"{name}.npz", network.get_weights())
        return [HEADS, *(f"{name}.npz" for name in self.backbones)]

    def logits(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
        """Return logits (n, classes) of prepared films."""
        return self.joined([self._look(film)[0].logits for film in pixels])

    def vectors(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """Return vectors (n, D) of prepared films."""
        found = []
        for film in pixels:
            shown = _shades_of(film)
            answers = np.asarray(self._shown_by.predict_on_batch(_as_input(shown)))[0]
            found.append(film_vector(shown, _of_breast(shown, answers)))
        return np.concatenate(found)

    @cached_property
    def _shown_by(self) -> keras.Model:
        return keras.Model(self.network.input, self.network.output[SHOWN_BY.value])

    def seen(self, pixels: NDArray[np.float32], around: NDArray[np.uint8] | None) -> Seen:
        """Return logits, where a lesion is seen, and vectors."""
        looks = [self._look(film) for film in pixels]
        heat = np.stack([heat_of(reading) for reading, _ in looks])
        vectors = np.concatenate([vector for _, vector in looks])
        marks = tuple(marks_of(reading) for reading, _ in looks)
        return Seen(self.joined([reading.logits for reading, _ in looks]), heat, vectors, marks)

    def joined(self, logits: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return logits (n, classes) of n films' logits of `models.view.FINDINGS`."""
        each = np.stack(logits)
        return np.stack(
            [logsumexp(each[:, several], axis=1) for several in parts_of(self.config.classes)], axis=1
        )

    @cached_property
    def _answers(self) -> Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
        return backend.as_function(served_maps(self.backbones, self.config.input.shape))

    def _look(self, film: NDArray[Any]) -> tuple[FilmReading, NDArray[np.float32]]:
        """Return what is said of a film (rows, columns), and its vector (1, D)."""
        shown = _shades_of(film)
        out = self._answers(_as_input(shown))
        answers = {net: out[net.value][0] for net in Net}
        vector = film_vector(shown, _of_breast(shown, answers[SHOWN_BY]))
        return self.detector.of_answers(shown, answers), vector


def _shades_of(film: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a film in 256 shades: from such the heads learned."""
    return film if film.dtype == np.uint8 else np.round(np.asarray(film) * 255).astype(np.uint8)


def _as_input(film: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(film[None, ..., None] / 255, np.float32)


def _of_breast(film: NDArray[np.uint8], answers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the answers (k, channels) in cells that show breast; in all, where none does."""
    inside = inside_breast(film)
    return np.asarray(answers[inside if inside.any() else ~inside])


def film_vector(film: NDArray[np.uint8], answers: NDArray[Any]) -> NDArray[np.float32]:
    """Return in what it is measured how unlike a film is, (1, D).

    Means of what `SHOWN_BY` answers in its cells (k, channels), and shades and detail of the film (rows, columns).
    """
    means = np.asarray(answers, np.float32).mean(axis=0, keepdims=True)
    return np.concatenate([roots(means), shades(film[None])], axis=1)


def heat_of(reading: FilmReading) -> NDArray[np.float16]:
    """Return a heat map (h, w), 1 at its highest: where anything is seen."""
    heat = expit(np.asarray(reading.lesion, np.float64))
    return np.asarray(heat / max(float(heat.max()), 1e-9), np.float16)


def marks_of(reading: FilmReading) -> tuple[Box, ...]:
    """Return boxes around the highest peak of a film, and around others (three in all) of at least half its odds."""
    peaks = peaks_of(reading.lesion)
    strong = [peak for peak in peaks if peak.value >= peaks[0].value - np.log(2)]
    boxes = []
    for peak in strong:
        top, left, bottom, right = (CELL * edge for edge in extent_of(reading.lesion, peak))
        boxes.append((float(left), float(top), float(right), float(bottom)))
    return tuple(boxes)


def parts_of(classes: Sequence[str]) -> list[list[int]]:
    """Return which of `models.view.FINDINGS` each class joins, by place; a class may be such as benign+malignant.

    Raises
    ------
    ValueError
        If the classes are not made of the findings, each once.
    """
    parts = [name.split("+") for name in classes]
    if sorted(part for several in parts for part in several) != sorted(FINDINGS):
        raise ValueError(
            f"A detector tells {', '.join(FINDINGS)} apart, or joins some of them, not {', '.join(classes)}."
        )
    return [[FINDINGS.index(part) for part in several] for several in parts]
