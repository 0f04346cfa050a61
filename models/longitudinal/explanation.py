"""Why a score is what it is: the heat map of a view, and what each visit brought to the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import spearmanr

from models.measures import safe_logit

__all__ = ["contributions", "heat_map", "heat_peak", "map_agreement", "randomised", "shuffled"]

BENIGN_SHARE = 0.4
"""What a benign-looking lesion adds to the heat map, so that the eye goes to the suspicious one first."""


def heat_map(lesion: NDArray[Any]) -> NDArray[np.float16]:
    """Return the heat map of views from the encoder's lesion map.

    Parameters
    ----------
    lesion
        (…, h, w, 2) logits of a benign and a malignant lesion in each cell.

    Returns
    -------
    ndarray
        (…, h, w) float16 in 0..1.
    """
    benign, malignant = expit(lesion[..., 0]), expit(lesion[..., 1])
    return np.clip(malignant + BENIGN_SHARE * benign * (1 - malignant), 0, 1).astype(np.float16)


def heat_peak(heat: NDArray[Any], shape: tuple[int, int]) -> tuple[float, float]:
    """Return column and row, in network pixels, of the centre of the hottest cell of an (h, w) map."""
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    return (
        (float(column) + 0.5) * shape[1] / heat.shape[1],
        (float(row) + 0.5) * shape[0] / heat.shape[0],
    )


def contributions(risk_5y_from: NDArray[np.float64], baseline_5y: float) -> NDArray[np.float64]:
    """Return what each visit brought to the score of the last, on the scale of log-odds.

    Parameters
    ----------
    risk_5y_from
        (n,) the last visit's 5-year risk when only the visits from the k-th on are seen; the first entry is
        the score itself, the last the score from the last visit alone.
    baseline_5y
        The 5-year risk said of a woman of whom nothing is seen.

    Returns
    -------
    ndarray
        (n,) by visit: what seeing that visit, besides those after it, adds to the log-odds of 5-year risk. They
        sum to ``logit(score) - logit(baseline)`` exactly (up to rounding).
    """
    known = np.append(safe_logit(risk_5y_from), safe_logit(baseline_5y))
    return known[:-1] - known[1:]


def randomised(encoder: Any, seed: int) -> Any:
    """Return the encoder with weights drawn anew: the same network, having learned nothing.

    For the test that heat maps come from what was learned (Adebayo et al. 2018, arXiv:1810.03292). Every weight is
    shuffled within its own array, so that each layer keeps the size of its weights and loses what they say.

    Parameters
    ----------
    encoder
        A Keras model; it is left as it is.
    seed
        Of the shuffling.
    """
    import keras

    copy = keras.models.clone_model(encoder)
    copy.set_weights(shuffled(encoder.get_weights(), seed))
    return copy


def shuffled(weights: Sequence[NDArray[Any]], seed: int) -> list[NDArray[Any]]:
    """Return weights, each shuffled within its own array."""
    random = np.random.default_rng(seed)
    return [random.permuted(weight) for weight in weights]


def map_agreement(one: NDArray[Any], other: NDArray[Any], breast: NDArray[np.bool_]) -> float:
    """Return Spearman's rank correlation of two heat maps of a view within the breast.

    Parameters
    ----------
    one, other
        (h, w) heat maps.
    breast
        (h, w) cells that lie in the breast: outside it any two maps agree.

    Raises
    ------
    ValueError
        If the breast has fewer than three cells, or a map says the same everywhere in it.
    """
    first, second = one[breast].astype(np.float64), other[breast].astype(np.float64)
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        raise ValueError("Two maps can be compared only where both vary over three cells or more.")
    return float(spearmanr(first, second).statistic)
