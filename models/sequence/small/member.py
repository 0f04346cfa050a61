"""An LSTM beside the read-out: many copies, for seeds and for folds, trained at once as one batched network.

A single copy costs as much as all of them, since what a step costs here is its overhead. The copies share nothing but
the women; each has its own weights, and its own women to learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.sequence.embedded import EmbeddedWoman
from models.sequence.small.features import Prefixes, Projection, trend
from models.store import built_for_training

__all__ = ["FEW", "MANY", "Member", "Size", "train_members"]


@dataclass(frozen=True)
class Size:
    """How large a copy is, and how it learns.

    Parameters
    ----------
    seeds
        Copies whose log-odds are averaged: what one of few women learns hangs on where it began.
    axes
        The first of the projection's axes. The LSTM sees these and the years since the visit before.
    units
        Of the LSTM.
    step
        Units of a layer before the LSTM, which sees each axis' change since the visit before, its distance from the mean
        of all before and its slope so far too, and of one after it, which sees both; without, the LSTM sees the visit
        itself, and what it holds is the answer.
    batch
        Rows a step; None: all.
    epochs, rate, decay, dropout
        How often, how fast, how much weights shrink, and the share of units left out while it learns.
    """

    seeds: int
    axes: int
    units: int
    step: int | None
    batch: int | None
    epochs: int
    rate: float
    decay: float
    dropout: float


FEW = Size(seeds=8, axes=8, units=8, step=None, batch=None, epochs=20, rate=0.01, decay=0.1, dropout=0.0)
MANY = Size(seeds=3, axes=24, units=32, step=48, batch=64, epochs=8, rate=0.003, decay=0.1, dropout=0.3)
BOUND = 6.0
"""Beyond this a value, or its change since the visit before, counts as this much: a marker must not drown all else."""


@dataclass(frozen=True)
class Member:
    """Copies of one LSTM, trained on the same women from different beginnings.

    Parameters
    ----------
    size
        How large each is.
    parts
        Weights by name, copies first: ``kernel``, ``recurrent``, ``bias`` (gates in, forget, candidate, out), ``out``
        and ``out_bias`` to the log-odds; with a step ``step``, ``step_bias``, ``mix`` and ``mix_bias`` too.
    """

    size: Size
    parts: Mapping[str, NDArray[np.float32]]

    def logit(self, women: Sequence[EmbeddedWoman], projection: Projection) -> NDArray[np.float64]:
        """Return (n,) log-odds of cancer within five years of each woman's last visit, averaged over the copies."""
        shown = _shown(women, projection, self.size)
        last = shown.starts[1:] - 1
        said = [
            ops.convert_to_numpy(_run(rows, self.parts, 0.0, None))
            for rows in np.array_split(shown.rows, max(1, len(shown.rows) // 1000))
        ]
        return np.asarray(np.concatenate(said)[shown.row[last], shown.visit[last]].mean(axis=-1), np.float64)


def train_members(
    women: Sequence[EmbeddedWoman],
    projection: Projection,
    prefixes: Prefixes,
    taught: Sequence[NDArray[np.bool_]],
    *,
    size: Size,
    seed: int,
) -> list[Member]:
    """Train one member for every group of women, all of them at once.

    Parameters
    ----------
    women, projection, prefixes
        All women, how their vectors are seen, and what is known of each of their visits.
    taught
        For each member (n,) which women it learns from.
    size
        How large.
    seed
        The same gives the same beginnings, and the same order of women.
    """
    shown = _shown(women, projection, size)
    known = shown.starts[prefixes.whose] + prefixes.visit
    row, visit = shown.row[known], shown.visit[known]
    shape = (*shown.rows.shape[:2], len(taught) * size.seeds)
    weight = np.zeros(shape, np.float32)
    label = np.zeros(shape[:2], np.float32)
    label[row, visit] = prefixes.label
    batch = min(size.batch or len(shown.rows), len(shown.rows))
    for number, group in enumerate(taught):
        share = prefixes.weight * group[prefixes.whose]
        copies = slice(number * size.seeds, (number + 1) * size.seeds)
        # A step's weights sum to one on average, however many rows it has.
        weight[row, visit, copies] = (share / share.sum() * len(shown.rows) / batch)[:, None]
    steps = len(shown.rows) // batch * size.epochs
    network, fresh = _network(size, shape[2], shown.rows.shape[1], shown.rows.shape[2], steps)
    for variable, value in zip(network.optimizer.variables, fresh, strict=True):
        variable.assign(value)
    copies_of = network.get_layer("copies")
    copies_of.begin(seed)
    random = np.random.default_rng(seed)
    for _ in range(size.epochs):
        order = random.permutation(len(shown.rows)) if batch < len(shown.rows) else np.arange(batch)
        for start in range(0, len(order) - batch + 1, batch):
            some = order[start : start + batch]
            target = np.concatenate(
                [np.broadcast_to(label[some, :, None], weight[some].shape), weight[some]], axis=-1
            )
            network.train_on_batch(shown.rows[some], target)
    learned = {name: np.array(ops.convert_to_numpy(part)) for name, part in copies_of.parts.items()}
    return [
        Member(
            size,
            {name: part[number * size.seeds : (number + 1) * size.seeds] for name, part in learned.items()},
        )
        for number in range(len(taught))
    ]


@dataclass(frozen=True)
class _Shown:
    """What the LSTM is shown: `rows` (r, longest, features), and in which row and place each visit stands.

    A woman's visits are one row, or, where only the last is to be seen, one row each. `starts` (n + 1,) is where each
    woman's visits begin in `row` and `visit`.
    """

    rows: NDArray[np.float32]
    starts: NDArray[np.intp]
    row: NDArray[np.intp]
    visit: NDArray[np.intp]


def _shown(women: Sequence[EmbeddedWoman], projection: Projection, size: Size) -> _Shown:
    """Lay out the first axes, with a step how they moved until each visit, and years since the visit before."""
    lengths = np.array([len(woman.months) for woman in women])
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
    place = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    alone = projection.mode == "last"
    row = np.arange(starts[-1]) if alone else np.repeat(np.arange(len(women)), lengths)
    visit = np.zeros_like(place) if alone else place
    seen = np.concatenate([projection.visits(woman) for woman in women]) * np.sqrt(projection.width)
    years = np.concatenate([woman.months for woman in women]) / 12
    shape = (int(row.max()) + 1, int(visit.max()) + 1)
    rows, when = np.zeros((*shape, min(size.axes, seen.shape[1]))), np.zeros(shape)
    rows[row, visit], when[row, visit] = seen[:, : size.axes], years
    follows = np.zeros((*shape, 1))
    follows[row, visit, 0] = visit > 0
    since = np.diff(when, axis=1, prepend=when[:, :1])[..., None] * follows
    parts = [rows, since]
    if size.step is not None:
        change = np.diff(rows, axis=1, prepend=rows[:, :1]) * follows
        moved = [part * follows for part in trend(rows, when)]
        parts = [*(np.clip(part, -BOUND, BOUND) for part in (rows, change, *moved)), since, follows]
    laid_out = np.concatenate(parts, axis=-1, dtype=np.float32)
    return _Shown(laid_out, starts, row.astype(np.intp), visit.astype(np.intp))


def _run(inputs: Any, parts: Mapping[str, Any], dropout: float, seeds: Any) -> Any:
    """Return (n, visits, copies) log-odds after each visit (Hochreiter and Schmidhuber 1997, with forget gates)."""

    def thinned(values: Any) -> Any:
        return keras.random.dropout(values, dropout, seed=seeds) if dropout else values

    copies, units = parts["recurrent"].shape[:2]
    seen = ops.convert_to_tensor(inputs, "float32")
    if "step" in parts:
        seen = thinned(ops.relu(ops.einsum("ntf,mfs->ntms", seen, parts["step"]) + parts["step_bias"]))
        gates_of = ops.einsum("ntms,msu->ntmu", seen, parts["kernel"])
    else:
        gates_of = ops.einsum("ntf,mfu->ntmu", seen, parts["kernel"])
    hidden = cell = ops.zeros((ops.shape(seen)[0], copies, units), "float32")
    held = []
    for visit in range(gates_of.shape[1]):
        gates = gates_of[:, visit] + ops.einsum("nmh,mhu->nmu", hidden, parts["recurrent"]) + parts["bias"]
        let_in, keep, candidate, show = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(keep) * cell + ops.sigmoid(let_in) * ops.tanh(candidate)
        hidden = ops.sigmoid(show) * ops.tanh(cell)
        held.append(hidden)
    answer = ops.stack(held, axis=1)
    if "step" in parts:
        both = thinned(ops.concatenate([answer, seen], axis=-1))
        answer = ops.relu(ops.einsum("ntmb,mbs->ntms", both, parts["mix"]) + parts["mix_bias"])
    return ops.sum(answer * parts["out"], axis=-1) + parts["out_bias"]


class _Copies(layers.Layer):
    """The copies as one layer: (n, visits, features) to (n, visits, copies)."""

    def __init__(self, size: Size, copies: int, **options: Any) -> None:
        super().__init__(**options)
        self.size, self.copies = size, copies
        self.seeds = keras.random.SeedGenerator(0)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make room for every copy's weights."""
        units, step = self.size.units, self.size.step
        sizes: dict[str, tuple[Any, ...]] = {
            "kernel": (step or shape[-1], 4 * units),
            "recurrent": (units, 4 * units),
            "bias": (4 * units,),
            "out": (step or units,),
            "out_bias": (),
        }
        if step is not None:
            sizes |= {"step": (shape[-1], step), "step_bias": (step,)}
            sizes |= {"mix": (units + step, step), "mix_bias": (step,)}
        self.parts = {
            name: self.add_weight(shape=(self.copies, *size), initializer="zeros", name=name)
            for name, size in sizes.items()
        }

    def begin(self, seed: int) -> None:
        """Give every member the same beginnings, one a seed: small weights, and gates that forget nothing yet."""
        random = np.random.default_rng(seed)
        many = self.size.seeds
        for name, part in self.parts.items():
            shape = tuple(part.shape[1:])
            first = random.normal(0, 1 / np.sqrt(shape[0]) if len(shape) == 2 else 0.3, (many, *shape))
            if name.endswith("bias"):
                first[:] = 0
            if name == "bias":
                first[:, self.size.units : 2 * self.size.units] = 1
            part.assign(np.tile(first, (self.copies // many, *(1,) * len(shape))))
        self.seeds.state.assign(random.integers(2**32, size=2, dtype=np.uint32))

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Read the visits one after the other."""
        return _run(inputs, self.parts, self.size.dropout if training else 0.0, self.seeds)


def _loss(target: Any, said: Any) -> Any:
    """Return the weighted log loss, every copy's summed: their gradients do not meet."""
    label, weight = ops.split(target, 2, axis=-1)
    return ops.sum(weight * (ops.softplus(said) - label * said))


@lru_cache(maxsize=4)
def _network(
    size: Size, copies: int, visits: int, features: int, steps: int
) -> tuple[keras.Model, list[NDArray[Any]]]:
    """Return a network of so many copies and its optimiser's beginnings: built once, since building takes longest."""
    inputs = keras.Input((visits, features))
    network = keras.Model(inputs, _Copies(size, copies, name="copies")(inputs))
    rate: Any = size.rate
    if size.batch is not None:
        rate = keras.optimizers.schedules.CosineDecay(size.rate, steps)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=size.decay), _loss)
    built_for_training(network)
    return network, [np.array(ops.convert_to_numpy(one)) for one in network.optimizer.variables]
