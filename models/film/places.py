"""Where the cells of a film lie: which show breast, and numbers of place that heads read beside the networks' answers."""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.film.maps import CELL, cells_of

__all__ = ["PLACES", "Places", "inside_breast", "places", "shows_breast"]

PLACES = 5
"""How many numbers `places` gives of each cell."""
IN_BREAST = 0.5
FAR = 1e4
"""Cells: farther than any film is wide."""


def inside_breast(film: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which cells (h, w) of a standard film (rows, columns), zero outside, show breast for the most part."""
    high, wide = cells_of(film.shape[:2])
    cover = (film[: high * CELL, : wide * CELL] > 0).reshape(high, CELL, wide, CELL).mean(axis=(1, 3))
    return np.asarray(cover > IN_BREAST)


def places(film: NDArray[Any]) -> NDArray[np.float32]:
    """Return where each cell lies, (h, w, PLACES).

    Share of the breast's height and of its width, share of the width in its row, depth below the skin in cells, as a
    logarithm, and as a share of the greatest depth. Where the film cuts the breast is no skin.
    """
    inside = inside_breast(film)
    high, wide = inside.shape
    depth = cv2.distanceTransform(np.pad(inside, CELL, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)
    depth = depth[CELL:-CELL, CELL:-CELL]
    rows, columns = np.mgrid[:high, :wide].astype(np.float32)
    down, across = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    tall = max(1, down[-1] + 1) if down.size else 1
    broad = max(1, across[-1] + 1) if across.size else 1
    own = np.maximum(1, inside.sum(axis=1))[:, None]
    return np.stack(
        [
            rows / tall,
            columns / broad,
            np.minimum(columns / own, 2),
            np.log1p(depth),
            depth / max(1.0, float(depth.max())),
        ],
        axis=-1,
    ).astype(np.float32)


def shows_breast(view: Any) -> Any:
    """Tell of views (batch, rows, columns, 1) within a network what `inside_breast` tells: 1 or 0, (batch, h, w, 1)."""
    cover = ops.average_pool(ops.cast(view > 0, "float32"), CELL, strides=CELL)
    return ops.cast(cover > IN_BREAST, "float32")


@keras.saving.register_keras_serializable("longview")
class Places(layers.Layer):
    """Says of views (batch, rows, columns, 1) what `places` says, (batch, h, w, PLACES), within a network.

    Depth is exact here, and within a fiftieth of it there.
    """

    def build(self, shape: tuple[Any, ...]) -> None:
        """Lay out where cells lie and how far apart."""
        high, wide = cells_of(shape[1:3])
        self.rows, self.columns = np.mgrid[:high, :wide].astype(np.float32)
        flat = np.stack([self.rows.ravel(), self.columns.ravel()], axis=1)
        self.apart = np.linalg.norm(flat[:, None] - flat[None], axis=-1).astype(np.float32)

    def call(self, view: Any) -> Any:
        """Measure."""
        inside = shows_breast(view)[..., 0]
        high, wide = self.rows.shape
        rows, columns, apart = (ops.convert_to_tensor(one) for one in (self.rows, self.columns, self.apart))

        def most(values: Any) -> Any:
            return ops.maximum(1.0, ops.max(values, axis=(1, 2), keepdims=True))

        tall, broad = (most((line + 1) * inside) for line in (rows, columns))
        own = ops.maximum(1.0, ops.sum(inside, axis=2, keepdims=True))
        beyond = ops.reshape(inside, (-1, 1, high * wide)) * FAR
        depth = ops.reshape(ops.min(apart[None] + beyond, axis=-1), (-1, high, wide))
        said = [
            rows / tall,
            columns / broad,
            ops.minimum(columns / own, 2.0),
            ops.log1p(depth),
            depth / most(depth),
        ]
        return ops.stack(said, axis=-1)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the output's shape."""
        return (shape[0], *cells_of(shape[1:3]), PLACES)
