"""Training the sequence heads: an ensemble on shared embeddings, and the simpler models it is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.special import softmax

from models.sequence.network import HORIZONS, SequenceConfig, build_sequence
from models.sequence.study import SLOTS, Arrays, stack_arrays, visit_arrays
from models.store import OnProgress, built_for_training

__all__ = [
    "MODES",
    "History",
    "Mode",
    "SequenceRecipe",
    "as_mode",
    "fit_sequence",
    "hazard_target",
    "index_weights",
    "predict_histories",
    "vector_statistics",
]

Mode = Literal["history", "last", "no_pixels", "dates"]
MODES: tuple[Mode, ...] = ("history", "last", "no_pixels", "dates")
"""What a model is shown: all visits; the last visit alone; age, density and dates without pictures; dates alone."""


@dataclass(frozen=True)
class History:
    """One woman's n visits, oldest first, and what became of her.

    Parameters
    ----------
    patient_id
        Whose.
    days
        (n,) day of each visit.
    ages
        (n,) age in years, NaN if unknown.
    vectors, present
        (n, 2, 3, D) and (n, 2, 3), as `models.sequence.study.visit_arrays` takes them.
    malignancy, progression
        (n, 2) 1, 0 or NaN by breast.
    density
        (n, 2) 0..3 for A..D by breast, -1 if unknown.
    finding
        (n, 2) what the pictures show by breast: 0 normal, 1 benign, 2 malignant, -1 if unknown.
    years_to_cancer
        (n,) NaN if none was seen.
    cancer_breast
        0 for left, 1 for right, -1 if no cancer was seen or the breast is unknown.
    years_followed
        (n,) from each visit to the end of follow-up, negative or 0 if nothing is known of the time after it.
    weight
        (n,) what each visit's cancer labels count. See `index_weights`.
    stands_for
        How many women she stands for, where women were drawn by their outcome; a calibration counts her so often.
    """

    patient_id: str
    days: NDArray[np.float64]
    ages: NDArray[np.float64]
    vectors: NDArray[np.float32]
    present: NDArray[np.bool_]
    malignancy: NDArray[np.float32]
    progression: NDArray[np.float32]
    density: NDArray[np.int64]
    finding: NDArray[np.int64]
    years_to_cancer: NDArray[np.float64]
    cancer_breast: int
    years_followed: NDArray[np.float64]
    weight: NDArray[np.float64]
    stands_for: float = 1.0

    def __len__(self) -> int:
        """Return the number of visits."""
        return len(self.days)

    def only(self, visits: NDArray[np.intp]) -> History:
        """Return the history as if there had been these visits alone."""
        return replace(
            self,
            **{
                name: getattr(self, name)[visits]
                for name in (
                    "days",
                    "ages",
                    "vectors",
                    "present",
                    "malignancy",
                    "progression",
                    "density",
                    "finding",
                    "years_to_cancer",
                    "years_followed",
                    "weight",
                )
            },
        )


@dataclass(frozen=True)
class SequenceRecipe:
    """How sequence heads are trained; `patience` counts epochs without gain on the validation women."""

    members: int = 5
    epochs: int = 120
    patience: int = 14
    batch: int = 64
    rate: float = 2e-3
    weight_decay: float = 2e-3
    noise: float = 0.05
    drop_visits: float = 0.15
    drop_views: float = 0.1
    seed: int = 0


def index_weights(count: int, earlier: float = 0.15) -> NDArray[np.float64]:
    """Return what each of a woman's visits counts: the last 1, each before it `earlier`.

    A woman with a visit after this one had no cancer found in between: an earlier visit's outcome is looked at
    through her having stayed free of cancer so long, and would teach too low a risk. So the last visit is the
    index visit, for training, calibration and evaluation alike; earlier ones help a little with the pictures.
    """
    return np.append(np.full(count - 1, earlier), 1.0)


def as_mode(history: History, mode: Mode) -> list[History]:
    """Return what a model of that mode is shown of a woman: one history, or one a visit for `last`."""
    if mode == "last":
        return [history.only(np.array([k])) for k in range(len(history))]
    if mode == "no_pixels":
        vectors = np.zeros((len(history), 2, len(SLOTS), 4), np.float32)
        present = np.zeros(vectors.shape[:-1], bool)
        vectors[:, :, -1] = np.eye(4, dtype=np.float32)[history.density]
        present[:, :, -1] = history.density >= 0
        return [replace(history, vectors=vectors, present=present)]
    if mode == "dates":
        nothing = np.zeros((len(history), 2, len(SLOTS), 1), np.float32)
        return [
            replace(
                history,
                ages=np.full(len(history), np.nan),
                vectors=nothing,
                present=np.zeros(nothing.shape[:-1], bool),
            )
        ]
    return [history]


def vector_statistics(histories: Sequence[History]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and variance (D,) of the vectors of the views there are."""
    seen = [history.vectors[history.present] for history in histories]
    every = np.concatenate(seen) if seen else np.zeros((0, 1), np.float32)
    if len(every) == 0:
        size = histories[0].vectors.shape[-1]
        return np.zeros(size, np.float32), np.ones(size, np.float32)
    return every.mean(axis=0), np.maximum(every.var(axis=0), 1e-4)


@keras.saving.register_keras_serializable("longview")
def hazard_loss(target: Any, hazard: Any) -> Any:
    """Negative log-likelihood of yearly hazards by breast, censored women included.

    target (batch, visits, 2, 5, 2): 1 in the year and breast of the cancer; share of the year lived at risk; both
    times the visit's weight.
    A year survived at share s counts ``s h``; the year of the cancer ``-log(1 - exp(-h))``.
    """
    event, at_risk = target[..., 0], target[..., 1]
    loss = at_risk * hazard - event * ops.log(-ops.expm1(-hazard) + 1e-7)
    return ops.sum(loss) / (ops.sum(ops.max(at_risk + event, axis=(2, 3))) + 1e-3)


@keras.saving.register_keras_serializable("longview")
def binary_loss(target: Any, logits: Any) -> Any:
    """Cross entropy by breast; target (batch, visits, 2, 2): label, its weight (0: unknown)."""
    label, known = target[..., 0], target[..., 1]
    loss = known * (ops.softplus(logits) - label * logits)
    return ops.sum(loss) / (ops.sum(known) + 1e-3)


@keras.saving.register_keras_serializable("longview")
def density_loss(target: Any, logits: Any) -> Any:
    """Cross entropy of A..D by breast; rows of zeros are unknown."""
    return -ops.sum(target * ops.log_softmax(logits)) / (ops.sum(target) + 1e-3)


LOSSES = {
    "hazard": hazard_loss,
    "malignancy": binary_loss,
    "progression": binary_loss,
    "density": density_loss,
    "shown": binary_loss,
}
LOSS_WEIGHTS = {"hazard": 1.0, "malignancy": 1.0, "progression": 0.5, "density": 0.1, "shown": 0.5}
WATCHED = ("hazard", "malignancy", "progression")
"""Early stopping looks at these; density must not keep a training going that has learned all of cancer."""


def hazard_target(history: History) -> NDArray[np.float32]:
    """Return (n, 2, 5, 2): event by breast and year, share of the year at risk; see `hazard_loss`."""
    target = np.zeros((len(history), 2, HORIZONS, 2), np.float32)
    for k in range(len(history)):
        to_cancer, followed = history.years_to_cancer[k], history.years_followed[k]
        if np.isfinite(to_cancer):
            if to_cancer < 0:
                continue
            followed = max(followed, to_cancer)
        end = min(followed, HORIZONS) if not np.isfinite(to_cancer) else min(to_cancer, HORIZONS)
        target[k, :, :, 1] = np.clip(end - np.arange(HORIZONS), 0, 1)
        if np.isfinite(to_cancer) and to_cancer < HORIZONS:
            year = int(to_cancer)
            breasts = [history.cancer_breast] if history.cancer_breast >= 0 else [0, 1]
            for breast in breasts:
                target[k, breast, year, 0] = 1 / len(breasts)
                target[k, breast, year, 1] *= 1 - 1 / len(breasts)
    return target


def _targets(history: History, length: int) -> dict[str, NDArray[np.float32]]:
    n = len(history)
    density = np.where(history.density[..., None] >= 0, np.eye(4, dtype=np.float32)[history.density], 0)
    # A breast of which the visit has no view cannot show what it holds: no loss there.
    seen = np.asarray(history.present.any(axis=2), bool)
    targets: dict[str, NDArray[Any]] = {
        "hazard": hazard_target(history) * history.weight[:, None, None, None],
        "malignancy": _known(history.malignancy, seen, history.weight),
        "progression": _known(history.progression, seen, np.ones(n)),
        "density": density,
        # What shows teaches at every visit and without bias; outcomes teach little before the last one.
        "shown": _known(
            np.where(history.finding >= 0, history.finding == 2, np.nan).astype(np.float32), seen, np.ones(n)
        ),
    }
    padded: dict[str, NDArray[np.float32]] = {}
    for key, value in targets.items():
        padded[key] = np.zeros((length, *value.shape[1:]), np.float32)
        padded[key][:n] = value
    return padded


def _known(
    labels: NDArray[np.float32], seen: NDArray[np.bool_], weight: NDArray[np.float64]
) -> NDArray[np.float32]:
    known = (np.isfinite(labels) & (seen | ~seen.any())) * weight[:, None]
    return np.stack([np.nan_to_num(labels), known], axis=-1).astype(np.float32)


def _inputs(history: History, length: int) -> Arrays:
    return visit_arrays(history.days, history.ages, history.vectors, history.present, length)


Batch = tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]
"""What a model takes of some women, and what it should say of them."""


def _batch(histories: Sequence[History], length: int) -> Batch:
    inputs = stack_arrays([_inputs(history, length) for history in histories])
    inputs.pop("visited")
    return inputs, stack_arrays([_targets(history, length) for history in histories])


def _varied(history: History, recipe: SequenceRecipe, random: np.random.Generator) -> History:
    """Return a history as it might have been: visits missed, views missing, vectors a little off."""
    n = len(history)
    if n > 1:
        kept = random.random(n) >= recipe.drop_visits * (random.random() < 0.7)
        if random.random() < 0.15:
            kept[: random.integers(1, n)] = False
        kept[-1] = True  # the index visit
        if not kept.all():
            # Progression speaks of the visit before; where that was dropped the label holds no longer.
            follows = np.append(False, kept[:-1])
            changed = np.where(follows[:, None], history.progression, np.nan).astype(np.float32)
            history = replace(history, progression=changed).only(np.flatnonzero(kept))
    present = history.present & (random.random(history.present.shape) >= recipe.drop_views)
    spread = recipe.noise * history.vectors.std(axis=(0, 1, 2), keepdims=True)
    vectors = history.vectors + random.normal(size=history.vectors.shape).astype(np.float32) * spread
    ages = history.ages if random.random() > 0.1 else np.full_like(history.ages, np.nan)
    return replace(history, present=present, vectors=vectors.astype(np.float32), ages=ages)


def fit_sequence(
    config: SequenceConfig,
    training: Sequence[History],
    validation: Sequence[History],
    recipe: SequenceRecipe,
    report: OnProgress,
    *,
    deadline: float | None = None,
    name: str = "sequence",
) -> tuple[list[keras.Model], list[dict[str, float | str]]]:
    """Train the members of an ensemble, each with its own seed: its own first weights and order of women.

    Parameters
    ----------
    config
        What to build.
    training, validation
        Different women; validation women stop the training early.
    recipe
        How.
    report
        Told of progress.
    deadline
        `time.monotonic()` at which training stops whatever it has reached.
    name
        Prefix of the members' names.

    Returns
    -------
    members, curve
        Trained models and a record for each epoch.

    Raises
    ------
    ValueError
        If there is no woman to train on or to validate with.
    """
    if not training or not validation:
        raise ValueError("Training needs women to learn from and others to validate with: add women.")
    statistics = vector_statistics(training)
    held = _batch(validation, max(len(history) for history in (*training, *validation)))
    members: list[keras.Model] = []
    curve: list[dict[str, float | str]] = []
    for number in range(recipe.members):
        called, seed = f"{name}{number}", recipe.seed * 1000 + number
        keras.utils.set_random_seed(seed)

        def on_epoch(done: float, figures: dict[str, float], number: int = number) -> None:
            report(name, (number + done) / recipe.members, figures)

        model = build_sequence(config, *statistics, name=called)
        random = np.random.default_rng(seed)
        best_weights, epochs = _fit_member(model, training, held, recipe, random, on_epoch, deadline)
        curve += [{"stage": called, **epoch} for epoch in epochs]
        # A model of its own, without the optimiser's state: that would triple the file.
        plain = build_sequence(config, *statistics, name=called)
        plain.set_weights(best_weights)
        members.append(plain)
    return members, curve


def _fit_member(
    model: keras.Model,
    training: Sequence[History],
    held: Batch,
    recipe: SequenceRecipe,
    random: np.random.Generator,
    on_epoch: Callable[[float, dict[str, float]], None],
    deadline: float | None,
) -> tuple[list[NDArray[np.float32]], list[dict[str, float]]]:
    """Train one member until it gains no more on the women `held`; return its best weights, and a record an epoch."""
    batches = max(1, len(training) // recipe.batch)
    length = held[1]["hazard"].shape[1]
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(recipe.rate, batches * recipe.epochs, alpha=0.02),
            weight_decay=recipe.weight_decay,
            global_clipnorm=1.0,
        ),
        loss=LOSSES,
        loss_weights=LOSS_WEIGHTS,
    )
    built_for_training(model, *held)
    best, best_weights, waited = np.inf, model.get_weights(), 0
    curve: list[dict[str, float]] = []
    for epoch in range(recipe.epochs):
        # Batches are full: a woman more or less in the last would only make a new graph.
        order = np.resize(random.permutation(len(training)), batches * recipe.batch)
        for start in range(0, len(order), recipe.batch):
            some = [_varied(training[i], recipe, random) for i in order[start : start + recipe.batch]]
            model.train_on_batch(*_batch(some, length))
        figures = _figures(model.predict_on_batch(held[0]), held[1])
        watched = sum(LOSS_WEIGHTS[key] * figures[key] for key in WATCHED)
        curve.append({"epoch": float(epoch), "validation": watched, **figures})
        on_epoch((epoch + 1) / recipe.epochs, figures)
        if watched < best - 1e-4:
            best, best_weights, waited = watched, model.get_weights(), 0
        else:
            waited += 1
        late = deadline is not None and time.monotonic() > deadline
        if waited >= recipe.patience or late:
            break
    return best_weights, curve


def _figures(outputs: dict[str, Any], targets: dict[str, NDArray[np.float32]]) -> dict[str, float]:
    return {key: float(loss(targets[key], outputs[key])) for key, loss in LOSSES.items()}


def predict_histories(
    model: keras.Model, histories: Sequence[History], batch: int = 64
) -> list[dict[str, NDArray[np.float64]]]:
    """Run an ensemble on histories.

    Parameters
    ----------
    model
        What `models.sequence.network.build_ensemble` gave.
    histories
        Women.
    batch
        Women at a time.

    Returns
    -------
    list of dict
        For each woman: ``malignancy`` and ``progression`` (members, n, 2) logits, ``hazard``
        (members, n, 2, 5), ``density`` (n, 2, 4) probabilities averaged over members.
    """
    longest = max(len(history) for history in histories)
    answers: list[dict[str, NDArray[np.float64]]] = []
    for start in range(0, len(histories), batch):
        some = list(histories[start : start + batch])
        inputs = stack_arrays(
            [_inputs(history, longest) for history in some + some[:1] * (batch - len(some))]
        )
        inputs.pop("visited")
        out = {key: np.asarray(value, np.float64) for key, value in model.predict_on_batch(inputs).items()}
        for place, history in enumerate(some):
            one = {key: value[:, place, : len(history)] for key, value in out.items()}
            one["density"] = softmax(one["density"], axis=-1).mean(axis=0)
            answers.append(one)
    return answers
