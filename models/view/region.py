"""What a longitudinal model's encoder says of a box in a view, for where no classifier of regions is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.view.preprocess import StandardView

if TYPE_CHECKING:
    import keras

__all__ = ["lesion_map", "over_breast", "read_region"]


def lesion_map(encoder: keras.Model, view: StandardView) -> NDArray[np.float32]:
    """Return the encoder's lesion map of a view: (h, w, 2) log-odds that a cell holds something benign, malignant.

    `encoder` is as `models.view.encoder.build_encoder` makes it.
    """
    return np.asarray(encoder.predict_on_batch(view.pixels[None])["lesion"])[0]


def over_breast(
    view: StandardView, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Return a box (pixels of the original image) in pixels of the standard view.

    Raises
    ------
    ValueError
        If the box touches no part of the breast.
    """
    x0, y0, x1, y1 = view.transform.box_to_network(*box)
    inside = view.pixels[
        max(0, int(y0)) : max(0, int(np.ceil(y1))), max(0, int(x0)) : max(0, int(np.ceil(x1)))
    ]
    if not (inside > 0).any():
        raise ValueError("The box shows no breast: draw it over tissue.")
    return x0, y0, x1, y1


def read_region(
    lesion: NDArray[np.float32], view: StandardView, box: tuple[float, float, float, float]
) -> dict[str, float]:
    """Return probabilities of normal, benign and malignant for a box.

    Parameters
    ----------
    lesion
        The view's `lesion_map`.
    view
        The standardised view.
    box
        x0, y0, x1, y1 in pixels of the original image.

    Raises
    ------
    ValueError
        If the box touches no part of the breast.

    Notes
    -----
    The lesion map is read in the cells that the box covers. With m and b the highest malignant and benign
    probability of a cell: malignant m, benign b (1 - m), normal (1 - m)(1 - b). They are not calibrated.
    """
    x0, y0, x1, y1 = over_breast(view, box)
    rows, columns = view.pixels.shape[:2]
    high, wide = lesion.shape[:2]
    top, bottom = (int(np.clip(y * high / rows, 0, high - 1)) for y in (y0, y1))
    left, right = (int(np.clip(x * wide / columns, 0, wide - 1)) for x in (x0, x1))
    cells = expit(lesion[top : bottom + 1, left : right + 1].astype(np.float64))
    benign, malignant = float(cells[..., 0].max()), float(cells[..., 1].max())
    return {
        "normal": (1 - malignant) * (1 - benign),
        "benign": benign * (1 - malignant),
        "malignant": malignant,
    }
