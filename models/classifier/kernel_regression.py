"""A regression on frozen features: logistic, linear and with a radial kernel, its strength chosen on inner folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

__all__ = ["STRENGTHS", "FittedRegression", "KernelRegression", "fit_regression"]

COMPONENTS = 128
"""Principal components that the radial kernel compares."""
STRENGTHS = tuple(float(one) for one in np.logspace(-4, -0.5, 8))
"""Penalties tried, as shares of a training image; the weakest first."""
TINY = 1e-6


@dataclass(frozen=True)
class KernelRegression:
    """Turns features into logits, the mean of a linear and a radial part.

    Parameters
    ----------
    centre, spread
        (size,) Features are taken as ``(x - centre) / spread``, in which blocks of features weigh the same.
    linear, bias
        (size, classes) and (classes,): the linear part.
    axes
        (size, k) principal axes of the evened features.
    landmarks
        (n, k) training features on these axes.
    pull, radial_bias
        (n, classes) and (classes,): the radial part is ``exp(-|z - landmark|^2) @ pull + radial_bias``.
    """

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    linear: NDArray[np.float32]
    bias: NDArray[np.float32]
    axes: NDArray[np.float16]
    landmarks: NDArray[np.float16]
    pull: NDArray[np.float32]
    radial_bias: NDArray[np.float32]

    def logits(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return logits (n, classes) of features (n, looks, size): the mean over an image's looks."""
        n, looks, size = features.shape
        even = self._even(features.reshape(n * looks, size))
        linear = even @ self.linear + self.bias
        radial = self._nearness(even) @ self.pull + self.radial_bias
        return np.asarray((linear + radial) / 2, np.float64).reshape(n, looks, -1).mean(axis=1)

    def slope(self, features: NDArray[Any], towards: NDArray[Any]) -> NDArray[np.float64]:
        """Return how ``logits @ towards`` of one look's features (size,) rises with each of them, (size,)."""
        even = self._even(features[None])
        near = self._nearness(even)[0]
        apart = even @ self.axes.astype(np.float32) - self.landmarks.astype(np.float32)
        radial = self.axes.astype(np.float32) @ (-2 * apart.T @ (near * (self.pull @ towards)))
        return np.asarray((self.linear @ towards + radial) / 2 / self.spread, np.float64)

    def save(self, path: Path) -> None:
        """Write the regression as .npz."""
        arrays = {one.name: getattr(self, one.name) for one in fields(self)}
        np.savez_compressed(path, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> KernelRegression:
        """Read what `save` wrote; ValueError if the file lacks something."""
        with np.load(path, allow_pickle=False) as file:
            missing = [one.name for one in fields(cls) if one.name not in file]
            if missing:
                raise ValueError(f"{path.name} lacks {', '.join(missing)}.")
            return cls(**{one.name: file[one.name] for one in fields(cls)})

    def _even(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray((rows - self.centre) / self.spread, np.float32)

    def _nearness(self, even: NDArray[np.float32]) -> NDArray[np.float32]:
        return _nearness(even @ self.axes.astype(np.float32), self.landmarks.astype(np.float32))


@dataclass(frozen=True)
class FittedRegression:
    """A regression, the logits (n, classes) that inner folds gave its own training images, and a record for each strength.

    Logits of images that were never held out are 0.
    """

    regression: KernelRegression
    inner_logits: NDArray[np.float64]
    curve: list[dict[str, float | str]]


def fit_regression(
    features: NDArray[Any],
    label: NDArray[np.int64] | NDArray[np.bool_],
    fold: NDArray[np.int64],
    blocks: Sequence[int],
    classes: int,
    among: NDArray[np.bool_] | None = None,
) -> FittedRegression:
    """Fit a regression.

    Parameters
    ----------
    features
        (n, looks, size): each look at an image is a training row; an image's looks stay together.
    label
        (n,) from 0; or (n, classes) of truth values, where an image's label leaves open which of several it is.
    fold
        (n,) inner folds of whole women, from 0; images below 0 are learned from and never held out. The strength of
        each part is the one whose log-loss over the folds is lowest.
    blocks
        Sizes of the blocks of features, one after another; each block weighs the same.
    classes
        How many there are.
    among
        (n, classes) truth values: an image teaches only to tell these classes apart, and nothing of the others. None:
        all of them.

    Raises
    ------
    ValueError
        If an inner fold's training images lack a class, or the blocks do not fit.
    """
    n, looks, size = features.shape
    if sum(blocks) != size:
        raise ValueError(f"Blocks of {sum(blocks)} features do not fit {size} features.")
    truth = np.asarray(label if label.ndim == 2 else np.eye(classes, dtype=bool)[label], bool)
    for k in np.unique(fold[fold >= 0]):
        if not truth[fold != k].any(axis=0).all():
            raise ValueError("There are too few images of a class to choose a strength on inner folds.")
    rows = features.reshape(n * looks, size).astype(np.float32)
    open_to = np.ones_like(truth) if among is None else among
    answer = np.repeat(truth, looks, axis=0), np.repeat(open_to, looks, axis=0)
    where = np.repeat(fold, looks)
    centre = rows.mean(axis=0)
    weigh = np.sqrt(np.repeat(np.asarray(blocks, np.float32) * len(blocks), blocks))
    # A feature that hardly ever differs says nothing, and must not be blown up by its own smallness.
    own = rows.std(axis=0)
    spread = (np.maximum(own, 0.05 * np.median(own[own > 0])) if (own > 0).any() else np.ones(size)) * weigh
    even = (rows - centre) / spread.astype(np.float32)
    squared, turned = np.linalg.eigh(np.asarray(even @ even.T, np.float64))
    kept = np.flatnonzero(squared > TINY * squared[-1])[::-1]
    axes = (even.T @ (turned[:, kept] / np.sqrt(squared[kept])).astype(np.float32)).astype(np.float32)
    scores = even @ axes
    short = axes[:, :COMPONENTS].astype(np.float16)
    landmarks = (even @ short.astype(np.float32)).astype(np.float16)
    near = _nearness(landmarks.astype(np.float32), landmarks.astype(np.float32))
    strength, rotated = np.linalg.eigh(np.asarray(near, np.float64))
    good = strength > TINY * strength[-1]
    spanned = rotated[:, good] * np.sqrt(strength[good])
    curve: list[dict[str, float | str]] = []
    held, weights, biases = [], [], []
    for name, inputs in (("linear", scores), ("radial", spanned)):
        said, weight, bias = _fit_part(name, np.asarray(inputs, np.float64), answer, where, curve)
        held.append(said)
        weights.append(weight)
        biases.append(bias)
    regression = KernelRegression(
        centre=centre,
        spread=spread.astype(np.float32),
        linear=(axes @ weights[0]).astype(np.float32),
        bias=biases[0].astype(np.float32),
        axes=short,
        landmarks=landmarks,
        pull=(rotated[:, good] @ (weights[1] / np.sqrt(strength[good])[:, None])).astype(np.float32),
        radial_bias=biases[1].astype(np.float32),
    )
    inner = ((held[0] + held[1]) / 2).reshape(n, looks, classes).mean(axis=1)
    return FittedRegression(regression, inner, curve)


def _nearness(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``exp(-|a - b|^2)`` of rows: evened features have a mean square of 1, so this is the usual width."""
    apart = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.exp(-np.maximum(apart, 0)), np.float32)


def _fit_part(
    name: str,
    inputs: NDArray[np.float64],
    answer: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    fold: NDArray[np.int64],
    curve: list[dict[str, float | str]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Choose a part's strength on inner folds and fit it on all rows; return held-out logits, weights and bias."""
    truth, among = answer
    said = np.zeros((len(STRENGTHS), *truth.shape))
    held_out = fold >= 0
    for k in np.unique(fold[held_out]):
        mine = fold != k
        start: NDArray[np.float64] | None = None
        for place in range(len(STRENGTHS) - 1, -1, -1):
            start = _logistic(inputs[mine], truth[mine], among[mine], STRENGTHS[place], start)
            said[place, ~mine] = inputs[~mine] @ start[:-1] + start[-1]
    losses = [_log_loss(one[held_out], truth[held_out]) for one in said]
    curve += [
        {"stage": name, "epoch": place + 1, "strength": strength, "validation_loss": loss}
        for place, (strength, loss) in enumerate(zip(STRENGTHS, losses, strict=True))
    ]
    best = int(np.argmin(losses))
    found = _logistic(inputs, truth, among, STRENGTHS[best], None)
    return said[best], found[:-1], found[-1]


def _log_loss(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    share = (softmax(logits, axis=1) * truth).sum(axis=1)
    return float(-np.log(np.maximum(share, 1e-12)).mean())


def _logistic(
    inputs: NDArray[np.float64],
    truth: NDArray[np.bool_],
    among: NDArray[np.bool_],
    strength: float,
    start: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Return weights and, as last row, bias of multinomial logistic regression with an L2 penalty on the weights.

    Where several classes may be true, what is maximised is the probability of them together, given that it is one of
    those in `among`.
    """
    n, size = inputs.shape
    classes = truth.shape[1]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = flat.reshape(size + 1, classes)
        share = softmax(inputs @ at[:-1] + at[-1], axis=1)
        true, all_ = share * truth, share * among
        held = np.maximum(true.sum(axis=1, keepdims=True), 1e-300)
        whole = np.maximum(all_.sum(axis=1, keepdims=True), 1e-300)
        value = float((np.log(whole) - np.log(held)).mean()) + 0.5 * strength * float((at[:-1] ** 2).sum())
        wrong = (all_ / whole - true / held) / n
        slope = np.concatenate([inputs.T @ wrong + strength * at[:-1], wrong.sum(axis=0, keepdims=True)])
        return value, slope.ravel()

    begin = np.zeros((size + 1, classes)) if start is None else start
    settings: Any = {"jac": True, "method": "L-BFGS-B", "options": {"maxiter": 100}}
    found = minimize(loss, begin.ravel(), **settings)
    return np.asarray(found.x.reshape(size + 1, classes))
