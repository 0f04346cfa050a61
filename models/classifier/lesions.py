"""Lesion maps for classifiers of single images: of whole mammograms, which they read by it, and around boxes.

On a few hundred films a classifier that pools the whole breast learns nothing of lesions that fill a hundredth of it.
An encoder that says of each place whether a lesion lies there learns from the boxes, and may start from one that has
learned on simulated women (`models.view.training`). Of a box, such a map says what a few numbers hold (`lesion_facts`).
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from models.classifier.preprocess import AROUND
from models.store import rounded, weights_folder
from models.view import EncoderConfig, build_encoder

__all__ = [
    "LESION_FACTS",
    "build_lesion_reader",
    "lesion_facts",
    "load_encoder",
]

ENCODER = "encoder.keras"
LESION_FACTS = 7
"""How many numbers `lesion_facts` gives."""


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
