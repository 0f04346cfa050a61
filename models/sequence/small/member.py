"""A small LSTM beside the read-out: many copies, for seeds and for folds, trained at once as one batched network.

A single copy costs as much as all of them, since what a step costs here is its overhead. The copies share nothing but
the women; each has its own weights, and its own women to learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.sequence.embedded import EmbeddedWoman
from models.sequence.small.features import Prefixes, Projection
from models.store import built_for_training

__all__ = ["SEEDS", "Member", "train_members"]

UNITS = 8
SEEDS = 8
"""Copies whose log-odds are averaged: what one of so few women learns hangs on where it began."""
AXES = 8
"""The first of the projection's axes; the LSTM sees these and the years since the visit before."""
EPOCHS = 20
LEARNING_RATE = 0.01
WEIGHT_DECAY = 0.1


@dataclass(frozen=True)
class Member:
    """Copies of one small LSTM, trained on the same women from different beginnings.

    Parameters
    ----------
    kernel, recurrent, bias
        (copies, 9, 32), (copies, 8, 32) and (copies, 32): gates in, forget, candidate, out.
    out, out_bias
        (copies, 8) and (copies,) to the log-odds.
    """

    kernel: NDArray[np.float32]
    recurrent: NDArray[np.float32]
    bias: NDArray[np.float32]
    out: NDArray[np.float32]
    out_bias: NDArray[np.float32]

    def logit(self, women: Sequence[EmbeddedWoman], projection: Projection) -> NDArray[np.float64]:
        """Return (n,) log-odds of cancer within five years of each woman's last visit, averaged over the copies."""
        inputs, lengths = _inputs(women, projection)
        said = ops.convert_to_numpy(
            _run(inputs, self.kernel, self.recurrent, self.bias, self.out, self.out_bias)
        )
        return np.asarray(said[np.arange(len(women)), lengths - 1].mean(axis=-1), np.float64)


def train_members(
    women: Sequence[EmbeddedWoman],
    projection: Projection,
    prefixes: Prefixes,
    taught: Sequence[NDArray[np.bool_]],
    *,
    seed: int,
) -> list[Member]:
    """Train one member for every group of women, all of them at once.

    Parameters
    ----------
    women, projection, prefixes
        All women, how their vectors are seen, and what is known of each of their visits.
    taught
        For each member (n,) which women it learns from.
    seed
        The same gives the same beginnings.
    """
    inputs, _ = _inputs(women, projection)
    shape = (len(women), inputs.shape[1], len(taught) * SEEDS)
    weight = np.zeros(shape, np.float32)
    label = np.zeros(shape[:2], np.float32)
    label[prefixes.whose, prefixes.visit] = prefixes.label
    for number, group in enumerate(taught):
        known = prefixes.weight * group[prefixes.whose]
        copies = slice(number * SEEDS, (number + 1) * SEEDS)
        weight[prefixes.whose, prefixes.visit, copies] = (known / known.sum())[:, None]
    network, fresh = _network(shape[2], inputs.shape[1], inputs.shape[2])
    for variable, value in zip(network.optimizer.variables, fresh, strict=True):
        variable.assign(value)
    copies_of = network.get_layer("copies")
    copies_of.begin(seed)
    target = np.concatenate([np.broadcast_to(label[..., None], shape), weight], axis=-1)
    for _ in range(EPOCHS):
        network.train_on_batch(inputs, target)
    learned = [np.array(ops.convert_to_numpy(part)) for part in copies_of.parts]
    return [
        Member(*(part[number * SEEDS : (number + 1) * SEEDS] for part in learned))
        for number in range(len(taught))
    ]


def _inputs(
    women: Sequence[EmbeddedWoman], projection: Projection
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return (n, longest, axes + 1) first axes and years since the visit before, then zeros; and (n,) visits."""
    lengths = np.array([len(woman.months) for woman in women])
    axes = min(AXES, projection.width)
    inputs = np.zeros((len(women), lengths.max(), axes + 1), np.float32)
    for place, woman in enumerate(women):
        years = woman.months / 12
        inputs[place, : len(years), :axes] = projection.visits(woman)[:, :axes] * np.sqrt(projection.width)
        inputs[place, : len(years), axes] = np.diff(years, prepend=years[0])
    return inputs, lengths


def _run(inputs: Any, kernel: Any, recurrent: Any, bias: Any, out: Any, out_bias: Any) -> Any:
    """Return (n, visits, copies) log-odds after each visit (Hochreiter and Schmidhuber 1997, with forget gates)."""
    hidden = cell = ops.zeros((ops.shape(inputs)[0], kernel.shape[0], UNITS), "float32")
    said = []
    for visit in range(inputs.shape[1]):
        seen = ops.einsum("nf,mfu->nmu", inputs[:, visit], kernel)
        gates = seen + ops.einsum("nmh,mhu->nmu", hidden, recurrent) + bias
        let_in, keep, candidate, show = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(keep) * cell + ops.sigmoid(let_in) * ops.tanh(candidate)
        hidden = ops.sigmoid(show) * ops.tanh(cell)
        said.append(ops.sum(hidden * out, axis=-1) + out_bias)
    return ops.stack(said, axis=1)


class _Copies(layers.Layer):
    """The copies as one layer: (n, visits, features) to (n, visits, copies)."""

    def __init__(self, copies: int, **options: Any) -> None:
        super().__init__(**options)
        self.copies = copies

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make room for every copy's weights."""
        sizes = ((shape[-1], 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (UNITS,), ())
        self.parts = [
            self.add_weight(shape=(self.copies, *size), initializer="zeros", name=name)
            for name, size in zip(("kernel", "recurrent", "bias", "out", "out_bias"), sizes, strict=True)
        ]

    def begin(self, seed: int) -> None:
        """Give every member the same beginnings, one a seed: small weights, and gates that forget nothing yet."""
        random = np.random.default_rng(seed)
        for part in self.parts:
            size = tuple(part.shape[1:])
            first = random.normal(0, 1 / np.sqrt(max(size[0], 1)) if len(size) == 2 else 0.3, (SEEDS, *size))
            if len(size) == 1 and size[0] == 4 * UNITS:
                first[:] = 0
                first[:, UNITS : 2 * UNITS] = 1
            elif not size:
                first[:] = 0
            part.assign(np.tile(first, (self.copies // SEEDS, *(1,) * len(size))))

    def call(self, inputs: Any) -> Any:
        """Read the visits one after the other."""
        return _run(inputs, *self.parts)


def _loss(target: Any, said: Any) -> Any:
    """Return the weighted log loss, every copy's summed: their gradients do not meet."""
    label, weight = ops.split(target, 2, axis=-1)
    return ops.sum(weight * (ops.softplus(said) - label * said))


@lru_cache(maxsize=4)
def _network(copies: int, visits: int, features: int) -> tuple[keras.Model, list[NDArray[Any]]]:
    """Return a network of so many copies and its optimiser's beginnings: built once, since building takes longest."""
    inputs = keras.Input((visits, features))
    network = keras.Model(inputs, _Copies(copies, name="copies")(inputs))
    optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    network.compile(optimizer, _loss)
    built_for_training(network)
    return network, [np.array(ops.convert_to_numpy(one)) for one in optimizer.variables]
