"""Lesion maps for classifiers of single images: of whole mammograms, which they read by it, and around boxes.

On a few hundred films a classifier that pools the whole breast learns nothing of lesions that fill a hundredth of it.
An encoder that says of each place whether a lesion lies there learns from the boxes, and may start from one that has
learned on simulated women (`models.view.training`). Of a box, such a map says what a few numbers hold (`lesion_facts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from models.classifier.preprocess import AROUND
from models.store import OnProgress, rounded, weights_folder
from models.view import FINDINGS, EncoderConfig, EncoderRecipe, LabelledViews, build_encoder, train_encoder

__all__ = [
    "LESION_FACTS",
    "LesionRecipe",
    "build_lesion_reader",
    "lesion_facts",
    "lesion_heat",
    "lesion_logits",
    "load_encoder",
    "parts_of",
    "train_lesion_network",
]

ENCODER = "encoder.keras"
LESION_FACTS = 7
"""How many numbers `lesion_facts` gives."""


@dataclass(frozen=True)
class LesionRecipe:
    """How an encoder is trained on films: steps of each of the two stages, if `seconds` last, and the first rate."""

    seconds: float = 1800.0
    steps: int = 150
    rate: float = 5e-4
    batch: int = 12
    crop_batch: int = 24
    seed: int = 0


def load_encoder(name_or_file: str) -> keras.Model:
    """Return the encoder of a shipped longitudinal model, or of a ``.keras`` file.

    Raises
    ------
    LookupError
        If it is neither a file nor the name of a shipped model.
    ValueError
        If it is no encoder.
    """
    path = Path(name_or_file)
    if not path.is_file():
        path = weights_folder(name_or_file) / ENCODER
    try:
        encoder = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError) as error:
        raise ValueError(f"{path} is not the .keras file of an encoder: {error}") from error
    if not {"lesion", "size", "finding"} <= set(getattr(encoder, "output_names", ())):
        raise ValueError(f"{path} has no lesion map: it is not the .keras file of an encoder.")
    return encoder


def build_lesion_reader(start: str | None = None) -> keras.Model:
    """Build what reads the lesion map around a box.

    Parameters
    ----------
    start
        Whose weights it takes, as `load_encoder` takes it, rounded as `models.store.stored_weights` keeps them; None: none.

    Returns
    -------
    keras.Model
        Input (batch, *AROUND, 1) in 0..1; outputs ``lesion`` and ``size`` as `models.view.encoder.build_encoder` gives them.

    Raises
    ------
    LookupError, ValueError
        As `load_encoder` does, or if it is of another build.
    """
    encoder = build_encoder(EncoderConfig(shape=AROUND))
    reader = keras.Model(encoder.input, {key: encoder.output[key] for key in ("lesion", "size")})
    reader.trainable = False
    if start is not None:
        theirs = {layer.name: layer for layer in load_encoder(start).layers}
        for layer in reader.layers:
            if layer.weights:
                if layer.name not in theirs:
                    raise ValueError(f"{start} is an encoder of another build.")
                layer.set_weights(rounded(theirs[layer.name].get_weights()))
    return reader


def lesion_facts(reader: keras.Model, around: NDArray[np.uint8], batch: int = 1) -> NDArray[np.float32]:
    """Return what a lesion map says of boxes, (n, LESION_FACTS).

    Parameters
    ----------
    reader
        As `build_lesion_reader` builds it.
    around
        (n, *AROUND, 2) as `models.classifier.preprocess.prepare` gives it.

    Notes
    -----
    Of the cells that a box touches: the highest log-odds of a benign lesion, of a malignant one and of either; how
    much more malignant than benign the hottest cell is; the mean log-odds of both; the log size at the hottest cell.
    """
    facts = np.zeros((len(around), LESION_FACTS), np.float32)
    for start in range(0, len(around), batch):
        some = around[start : start + batch]
        out = reader.predict_on_batch(some[..., :1].astype(np.float32) / 255)
        for place, (lesion, size) in enumerate(
            zip(*(np.asarray(out[k]) for k in ("lesion", "size")), strict=True)
        ):
            high, wide = lesion.shape[:2]
            cells = some[place, ..., 1].reshape(high, AROUND[0] // high, wide, AROUND[1] // wide)
            inside = cells.max(axis=(1, 3)) > 0
            logits = lesion[inside].astype(np.float64)
            hottest = logits.max(axis=1).argmax()
            facts[start + place] = [
                *logits.max(axis=0),
                logsumexp(logits, axis=1).max(),
                logits[hottest, 1] - logits[hottest, 0],
                *logits.mean(axis=0),
                size[inside][hottest, 0],
            ]
    return facts


def parts_of(classes: Sequence[str]) -> list[list[int]]:
    """Return which of `models.view.encoder.FINDINGS` each class joins, by place; a class may be such as benign+malignant.

    Raises
    ------
    ValueError
        If the classes are not made of the findings, each once.
    """
    parts = [name.split("+") for name in classes]
    if sorted(part for several in parts for part in several) != sorted(FINDINGS):
        raise ValueError(
            f"A head on lesions tells {', '.join(FINDINGS)} apart, or joins some of them, not {', '.join(classes)}."
        )
    return [[FINDINGS.index(part) for part in several] for several in parts]


def lesion_logits(finding: NDArray[Any], lesion: NDArray[Any], classes: Sequence[str]) -> NDArray[np.float64]:
    """Return logits (n, classes) of views, the first finding's being the point of reference.

    Parameters
    ----------
    finding
        (n, 3) logits of `models.view.encoder.FINDINGS`, for the view as a whole.
    lesion
        (n, h, w, 2) logits of a benign and a malignant lesion by place.
    classes
        As `parts_of` takes them.

    Notes
    -----
    Of benign and malignant each: the mean of what the view as a whole says against normal, and of the highest place.
    """
    whole = np.asarray(finding, np.float64)
    highest = np.asarray(lesion, np.float64).max(axis=(1, 2))
    each = np.zeros((len(whole), len(FINDINGS)))
    each[:, 1:] = (whole[:, 1:] - whole[:, :1] + highest) / 2
    return np.stack([logsumexp(each[:, several], axis=1) for several in parts_of(classes)], axis=1)


def lesion_heat(lesion: NDArray[Any]) -> NDArray[np.float16]:
    """Return heat maps (n, h, w), 1 at their highest, of lesion logits (n, h, w, 2): where anything is seen."""
    heat = expit(logsumexp(np.asarray(lesion, np.float64), axis=-1))
    return np.asarray(heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-9), np.float16)


def train_lesion_network(
    start: str | None,
    shape: tuple[int, int],
    training: LabelledViews,
    recipe: LesionRecipe,
    folder: Path,
    report: OnProgress,
) -> tuple[keras.Model, list[dict[str, float | str]]]:
    """Train an encoder on films with boxes, going on where `folder` says that a killed run stopped.

    Parameters
    ----------
    start
        What it starts from, as `load_encoder` takes it; None to start from nothing.
    shape
        Rows and columns of the views.
    training
        Views, their boxes and findings.
    recipe
        Steps, rate, seed.
    folder
        Where the state is kept while training.
    report
        Told of progress.

    Returns
    -------
    network
        Input (batch, rows, columns, 1) in 0..1; outputs ``finding`` and ``lesion`` as `models.view.encoder` gives them.
    curve
        A record for each report.
    """
    none = np.zeros(0, np.int64)
    nobody = LabelledViews(training.pixels[:0], [], none, none, none.astype(bool))
    trained = train_encoder(
        EncoderConfig(shape=shape),
        training,
        nobody,
        EncoderRecipe(
            seconds=recipe.seconds,
            steps=recipe.steps,
            rate=recipe.rate,
            batch=recipe.batch,
            crop_batch=recipe.crop_batch,
            seed=recipe.seed,
        ),
        folder,
        report,
        start=None if start is None else load_encoder(start),
    )
    encoder = trained.model
    network = keras.Model(
        encoder.input, {"finding": encoder.output["finding"], "lesion": encoder.output["lesion"]}
    )
    return network, trained.curve
