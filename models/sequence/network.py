"""The sequence model (LSTM): a woman's visits in, for each visit malignancy, progression, hazard and density out.

Causal: an LSTM runs from the first visit to the last, so an output depends on its own visit and earlier ones
only. Both breasts pass the same weights, each seeing the other and the difference. Time is real: months since
the previous visit are an input, and nothing assumes that visits are regular.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.sequence.change import PlaceChange
from models.sequence.small.features import SLOPE_PRIOR_YEARS2
from models.sequence.study import FACTS, SLOTS, YEARS_OF_FACT, ViewFusion
from models.view import KINDS

__all__ = [
    "HORIZONS",
    "BreastSteps",
    "FromBreasts",
    "SequenceConfig",
    "build_ensemble",
    "build_sequence",
    "risk_from_hazards",
]

HORIZONS = 5
"""Years ahead for which risk is given."""


@dataclass(frozen=True)
class SequenceConfig:
    """How a sequence model is built.

    Parameters
    ----------
    vector_size
        Length D of a view's vector.
    map_grid
        Rows and columns of the coarse lesion map with which vectors end (`models.sequence.change`), or None without one.
    skip
        How many numbers at the head of a vector are left out: features that the encoder has learned by heart on its
        own women say less of others.
    fused, step, state
        Units of view fusion, of the step before and after the LSTM, and of the LSTM.
    dropout
        Share of units dropped in training.
    trend
        Whether the LSTM is shown how each breast moved over all visits until now, not only since the one before.
    """

    vector_size: int
    map_grid: tuple[int, int] | None = None
    skip: int = 0
    fused: int = 48
    step: int = 64
    state: int = 48
    dropout: float = 0.2
    trend: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def build_sequence(
    config: SequenceConfig,
    mean: NDArray[np.float32] | None = None,
    variance: NDArray[np.float32] | None = None,
    name: str = "sequence",
) -> keras.Model:
    """Build one sequence model for any number of visits.

    Parameters
    ----------
    config
        Sizes.
    mean, variance
        (D,) of the vectors of the training women, by which vectors are made standard.
    name
        Prefix of the model's layers.

    Returns
    -------
    keras.Model
        Inputs as `models.sequence.study.visit_arrays` lays them out, batched: ``vectors`` (batch, visits, 2, 3, D),
        ``present`` (batch, visits, 2, 3), ``facts`` (batch, visits, 6). Outputs by name, for every visit:
        ``hazard`` (…, 2, 5) yearly hazards by breast, ``malignancy`` (…, 2) the first of them as logits of cancer
        within the year, ``progression`` (…, 2) logits by breast, ``density`` (…, 2, 4) logits by breast, ``shown`` (…, 2) logits by breast of a
        malignant lesion that the pictures show, which helps training.
    """
    vectors = keras.Input((None, 2, len(SLOTS), config.vector_size), name="vectors")
    present = keras.Input((None, 2, len(SLOTS)), name="present")
    facts = keras.Input((None, FACTS), name="facts")
    maps = 0 if config.map_grid is None else config.map_grid[0] * config.map_grid[1] * KINDS
    plain = config.vector_size - maps
    span = plain - config.skip
    standard = layers.Normalization(
        axis=-1,
        mean=np.zeros(span, np.float32) if mean is None else mean[config.skip : plain],
        variance=np.ones(span, np.float32) if variance is None else variance[config.skip : plain],
        name=f"{name}_standard",
    )(Span(config.skip, plain, name=f"{name}_plain")(vectors))
    # A vector far outside what was trained on (another machine, a marker) must not drown all else.
    standard = Bounded(5.0, name=f"{name}_bounded")(standard)
    if config.map_grid is not None:
        coarse = Span(plain, config.vector_size, name=f"{name}_maps")(vectors)
        change = PlaceChange(config.map_grid, name=f"{name}_change")([coarse, present])
        standard = layers.Concatenate(name=f"{name}_with_change")([standard, change])
    fused = ViewFusion(config.fused, name=f"{name}_views")([standard, present])
    fused = layers.Dropout(config.dropout, name=f"{name}_views_drop")(fused)
    steps = BreastSteps(config.trend, name=f"{name}_steps")([fused, present, facts])
    x = layers.Dense(config.step, activation="relu", name=f"{name}_step")(steps)
    x = layers.Dropout(config.dropout, name=f"{name}_step_drop")(x)
    state = layers.LSTM(config.state, return_sequences=True, name=f"{name}_lstm")(x)
    x = layers.Concatenate(name=f"{name}_with_now")([state, x])
    x = layers.Dense(config.step, activation="relu", name=f"{name}_mix")(x)
    x = layers.Dropout(config.dropout, name=f"{name}_mix_drop")(x)
    start = keras.initializers.Constant
    outputs = {
        "progression": layers.Dense(1, bias_initializer=start(-3.0), name=f"{name}_progression_head")(x),
        # Softplus of -5 is 0.7 % a year and breast: about the incidence the field reports, times two.
        "hazard": layers.Dense(
            HORIZONS, activation="softplus", bias_initializer=start(-5.0), name=f"{name}_hazard_head"
        )(x),
        "density": layers.Dense(4, name=f"{name}_density_head")(x),
        "shown": layers.Dense(1, bias_initializer=start(-3.0), name=f"{name}_shown_head")(x),
    }
    split = {key: FromBreasts(name=f"{name}_{key}")([value, facts]) for key, value in outputs.items()}
    for key in ("progression", "shown"):
        split[key] = layers.Reshape((-1, 2), name=f"{name}_{key}_flat")(split[key])
    split["malignancy"] = FirstYear(name=f"{name}_malignancy")(split["hazard"])
    return keras.Model({"vectors": vectors, "present": present, "facts": facts}, split, name=name)


def build_ensemble(members: Sequence[keras.Model], vector_size: int) -> keras.Model:
    """Join trained members to one model whose outputs have a member axis in front: (members, batch, visits, …)."""
    inputs = {
        "vectors": keras.Input((None, 2, len(SLOTS), vector_size), name="vectors"),
        "present": keras.Input((None, 2, len(SLOTS)), name="present"),
        "facts": keras.Input((None, FACTS), name="facts"),
    }
    answers = [member(inputs) for member in members]
    joined = {key: Stacked(name=f"all_{key}")([answer[key] for answer in answers]) for key in answers[0]}
    return keras.Model(inputs, joined, name="ensemble")


def risk_from_hazards(hazard: NDArray[Any]) -> NDArray[np.float64]:
    """Return the risk of cancer within 1..5 years from yearly hazards by breast.

    Parameters
    ----------
    hazard
        (…, 2, 5), none negative.

    Returns
    -------
    ndarray
        (…, 5): ``1 - exp(-H_k)`` with H_k the hazards of both breasts summed over years 1..k. It never falls
        with the horizon. The additive hazard is that of Yala et al. 2021, 10.1126/scitranslmed.aba4373.
    """
    total = np.asarray(hazard, np.float64).sum(axis=-2)
    return -np.expm1(-np.cumsum(total, axis=-1))


@keras.saving.register_keras_serializable("longview")
class Bounded(layers.Layer):
    """Clips values to ±`limit`."""

    def __init__(self, limit: float, **options: Any) -> None:
        super().__init__(**options)
        self.limit = limit

    def call(self, inputs: Any) -> Any:
        """Clip."""
        return ops.clip(inputs, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return super().get_config() | {"limit": self.limit}


@keras.saving.register_keras_serializable("longview")
class Span(layers.Layer):
    """Takes the numbers from `start` to `stop` of the last axis."""

    def __init__(self, start: int, stop: int, **options: Any) -> None:
        super().__init__(**options)
        self.start, self.stop = start, stop

    def call(self, inputs: Any) -> Any:
        """Take."""
        return inputs[..., self.start : self.stop]

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return super().get_config() | {"start": self.start, "stop": self.stop}


@keras.saving.register_keras_serializable("longview")
class FirstYear(layers.Layer):
    """Log-odds of cancer within a year, (…,), from yearly hazards (…, 5): of ``1 - exp(-h)`` for the first year's h."""

    def call(self, inputs: Any) -> Any:
        """Take the first year; below a hazard of 1e-6 it makes no difference how small it is."""
        return ops.log(ops.expm1(ops.maximum(inputs[..., 0], 1e-6)))


@keras.saving.register_keras_serializable("longview")
class Stacked(layers.Layer):
    """Stacks the members' outputs along a new first axis."""

    def call(self, inputs: list[Any]) -> Any:
        """Stack."""
        return ops.stack(inputs, axis=0)


@keras.saving.register_keras_serializable("longview")
class BreastSteps(layers.Layer):
    """Lays out what the LSTM reads at each visit, once for each breast.

    Inputs: fused (batch, visits, 2, F), present (batch, visits, 2, 3), facts (batch, visits, 6). Output:
    (2 * batch, visits, 4 F + 4 + 6), left breasts first: the breast's own vector, the other's, own minus other
    (zero unless both are there), own minus own at the previous visit (zero unless both are there), whether own,
    other and previous are there, the side, and the facts. With `trend` it is 6 F + 4 + 6: what `_trend` gives comes
    after own minus previous.
    """

    def __init__(self, trend: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.trend = trend

    def call(self, inputs: list[Any]) -> Any:
        """Lay out."""
        fused, present, facts = inputs
        there = ops.max(present, axis=-1)[..., None]
        swapped, other_there = ops.flip(fused, axis=2), ops.flip(there, axis=2)
        before = ops.pad(fused[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
        before_there = ops.pad(there[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
        side = ops.zeros_like(there) + ops.reshape(
            ops.convert_to_tensor([1.0, -1.0], dtype="float32"), (1, 1, 2, 1)
        )
        shared = ops.zeros_like(there) + facts[:, :, None, :]
        steps = ops.concatenate(
            [
                fused,
                swapped,
                (fused - swapped) * there * other_there,
                (fused - before) * there * before_there,
                *(_trend(fused, there, facts) if self.trend else ()),
                there,
                other_there,
                before_there,
                side,
                shared,
            ],
            axis=-1,
        )
        return ops.concatenate([steps[:, :, 0], steps[:, :, 1]], axis=0)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return super().get_config() | {"trend": self.trend}


def _trend(fused: Any, there: Any, facts: Any) -> tuple[Any, Any]:
    """Return how each breast moved until each visit, two of (batch, visits, 2, F).

    Its vector less the mean of all its vectors before, zero where either is missing; and the slope a year over all
    until then, shrunk by `SLOPE_PRIOR_YEARS2`. An LSTM of thousands of women does not learn to take these itself.
    """
    years = (facts[:, :, 2] * YEARS_OF_FACT)[:, :, None, None] * there
    seen = fused * there
    count = ops.cumsum(there, axis=1)
    total, when = ops.cumsum(seen, axis=1), ops.cumsum(years, axis=1)
    before = ops.maximum(count - there, 0.0)
    beyond = (fused - (total - seen) / ops.maximum(before, 1.0)) * there * ops.minimum(before, 1.0)
    mean = when / ops.maximum(count, 1.0)
    together = ops.cumsum(years * seen, axis=1) - mean * total
    apart = ops.cumsum(years * years, axis=1) - mean * when
    return beyond, together / (apart + SLOPE_PRIOR_YEARS2)


@keras.saving.register_keras_serializable("longview")
class FromBreasts(layers.Layer):
    """Undoes the layout of `BreastSteps`: (2 * batch, visits, n) to (batch, visits, 2, n)."""

    def call(self, inputs: list[Any]) -> Any:
        """Part left from right; `facts` gives the batch."""
        values, facts = inputs
        batch = ops.shape(facts)[0]
        return ops.stack([values[:batch], values[batch:]], axis=2)
