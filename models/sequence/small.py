"""Sequence models for few women: any encoder's vectors, cross-validated, with regularisation chosen inside the folds.

A hundred women with a dozen cancers cannot pay for an LSTM's freedom, so what may be learned grows with what there
is to learn from. The base is a ridge-penalised logistic read-out of the sequence (last visit, mean of the visits,
change since the earlier ones), whose penalty and whose parts are chosen by an inner cross-validation. The LSTM of
`models.sequence.network` is added as a member only where there are at least `EVENTS_FOR_LSTM` cancers to train on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.measures import metrics
from models.sequence.embedded import HORIZON_YEARS, EmbeddedWoman, label_of
from models.store import OnProgress

__all__ = ["SmallMode", "SmallModel", "cross_validate", "fit_small"]

SmallMode = Literal["history", "last", "dates"]
SMALL_MODES: tuple[SmallMode, ...] = ("history", "last", "dates")
EVENTS_FOR_LSTM = 60
PENALTIES = tuple(float(value) for value in np.geomspace(0.3, 1000, 8))
PARTS: dict[SmallMode, tuple[tuple[float, float, float], ...]] = {
    # Weights of last visit, mean of all visits, change since the earlier visits; the simplest first.
    "last": ((1.0, 0.0, 0.0),),
    "history": (
        (0.7, 0.7, 0.0),
        (0.0, 1.0, 0.0),
        (1.0, 0.0, 0.0),
        (0.7, 0.0, 0.7),
        (0.5, 0.5, 0.7),
        (0.2, 0.2, 1.0),
    ),
    "dates": ((1.0, 0.0, 0.0),),
}
EARLIER_WEIGHT = 0.3
MOST_AXES = 120


@dataclass(frozen=True)
class SmallModel:
    """A fitted read-out: standardisation, parts, coefficients. `logit` scores a woman's last visit."""

    mode: SmallMode
    parts: tuple[float, float, float]
    penalty: float
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    change_scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float

    def logit(self, women: Sequence[EmbeddedWoman]) -> NDArray[np.float64]:
        """Return (n,) log-odds of cancer within five years of each woman's last visit."""
        rows = np.stack([_raw(woman, len(woman.months), self.mode) for woman in women])
        return np.asarray(self._design(rows) @ self.coefficients + self.intercept)

    def _design(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return _weighted(rows, self.mean, self.scale, self.change_scale, self.parts)


# Matrices this small are slower on several threads, much slower on a busy machine.
@threadpool_limits.wrap(limits=1)
def fit_small(women: Sequence[EmbeddedWoman], mode: SmallMode, *, seed: int = 0) -> SmallModel:
    """Fit one read-out, its penalty and parts chosen by cross-validation inside `women`.

    Raises
    ------
    ValueError
        If there are fewer than three cancers or three women without.
    """
    sample = _sample(women, mode)
    positive = sum(woman.label == 1 for woman in women)
    negative = sum(woman.label == 0 for woman in women)
    if min(positive, negative) < 3:
        raise ValueError(
            f"{positive} women with cancer and {negative} without are too few: three of each are the least."
        )
    prepared = _prepare(sample.rows)
    candidates = [(parts, penalty) for parts in PARTS[mode] for penalty in PENALTIES]
    designs = [_turned(_weighted(sample.rows, *prepared, parts)) for parts in PARTS[mode]]
    losses = np.zeros((len(candidates), 0))
    for repeat in range(2):
        folds = _folds(women, min(5, positive), seed + 100 * repeat)
        for held_women in folds:
            held = np.isin(sample.whose, held_women)
            losses = np.column_stack([losses, _losses(sample, [design for design, _ in designs], held)])
    mean = losses.mean(axis=1)
    best = int(mean.argmin())
    # One standard error: among those as good, the strongest penalty; the first parts where still tied.
    spread = (losses - losses[best]).std(axis=1) / np.sqrt(losses.shape[1])
    good = [i for i in range(len(candidates)) if mean[i] <= mean[best] + 0.5 * spread[i]]
    chosen = max(good, key=lambda i: (candidates[i][1], -i))
    parts, penalty = candidates[chosen]
    design, axes = designs[PARTS[mode].index(parts)]
    coefficients, intercept = _logistic(design, sample.label, sample.weight, penalty)
    return SmallModel(mode, parts, penalty, *prepared, axes.T @ coefficients, intercept)


def cross_validate(
    women: Sequence[EmbeddedWoman],
    mode: SmallMode,
    *,
    folds: int = 5,
    repeats: int = 5,
    seed: int = 0,
    report: OnProgress | None = None,
) -> dict[str, Any]:
    """Score every woman by models that never saw her.

    Returns
    -------
    dict
        ``auc`` and ``ci`` (95 %, DeLong) of the out-of-fold log-odds averaged over repeats; ``auc_by_repeat``;
        ``n``, ``events``; ``scores`` by woman; ``folds_with_lstm``: the share of folds with enough cancers for an LSTM,
        whose log-odds are averaged there with those of the read-out.
    """
    usable = [woman for woman in women if np.isfinite(woman.label)]
    label = np.array([woman.label for woman in usable])
    scores = np.full((repeats, len(usable)), np.nan)
    total = repeats * folds
    with_lstm = 0
    for repeat in range(repeats):
        for number, held in enumerate(_folds(usable, folds, seed + repeat)):
            inside = [woman for i, woman in enumerate(usable) if i not in set(held.tolist())]
            out = [usable[i] for i in held]
            scores[repeat, held] = _scores(inside, out, mode, seed)
            with_lstm += _with_lstm(inside, mode)
            if report is not None:
                report(mode, (repeat * folds + number + 1) / total, {})
    average = scores.mean(axis=0)
    value, low, high = metrics.auc_delong(label, average)
    return {
        "auc": value,
        "ci": [low, high],
        "auc_by_repeat": [metrics.auc(label, row) for row in scores],
        "n": len(usable),
        "events": int(label.sum()),
        "folds_with_lstm": with_lstm / total,
        "scores": {woman.patient_id: float(score) for woman, score in zip(usable, average, strict=True)},
    }


def _with_lstm(inside: Sequence[EmbeddedWoman], mode: SmallMode) -> bool:
    return mode == "history" and sum(woman.label == 1 for woman in inside) >= EVENTS_FOR_LSTM


def _scores(
    inside: Sequence[EmbeddedWoman], out: Sequence[EmbeddedWoman], mode: SmallMode, seed: int
) -> NDArray[np.float64]:
    """Fit on the women inside and score those left out; centred, so that folds can be laid side by side."""
    model = fit_small(inside, mode, seed=seed)
    own = model.logit(inside)
    score = model.logit(out)
    if _with_lstm(inside, mode):
        from models.sequence.small_lstm import lstm_logits

        score = (score + lstm_logits(inside, out, seed)) / 2
    return score - own.mean()


@dataclass(frozen=True)
class _Sample:
    rows: NDArray[np.float64]
    label: NDArray[np.float64]
    weight: NDArray[np.float64]
    whose: NDArray[np.intp]
    last: NDArray[np.bool_]


def _raw(woman: EmbeddedWoman, upto: int, mode: SmallMode) -> NDArray[np.float64]:
    """Return (3, D): last visit, mean of visits, change since the earlier visits, seen from visit `upto`."""
    if mode == "dates":
        months = woman.months[:upto]
        gaps = np.diff(months) / 12 if upto > 1 else np.zeros(1)
        dates = np.array([upto, months[-1] / 12, gaps.mean(), gaps[-1]])
        return np.stack([dates, np.zeros(4), np.zeros(4)])
    seen = woman.vectors[:upto]
    change = seen[-1] - seen[:-1].mean(axis=0) if upto > 1 else np.zeros(seen.shape[1])
    return np.stack([seen[-1], seen.mean(axis=0), change])


def _sample(women: Sequence[EmbeddedWoman], mode: SmallMode) -> _Sample:
    """Lay out every visit of which the outcome is known; earlier visits count less than the last."""
    rows, label, weight, whose, last = [], [], [], [], []
    for number, woman in enumerate(women):
        n = len(woman.months)
        for upto in range(1, n + 1):
            outcome = label_of(woman.years_to_cancer[upto - 1])
            if np.isnan(outcome):
                continue
            is_last = upto == n
            if not is_last and mode == "dates":
                # An early visit is a short history by construction; it would teach that short means healthy.
                continue
            certain = 1.0 if outcome else min(1.0, max(woman.years_followed[upto - 1], 0.5) / HORIZON_YEARS)
            rows.append(_raw(woman, upto, mode))
            label.append(outcome)
            weight.append(certain * (1.0 if is_last else EARLIER_WEIGHT / (n - 1)))
            whose.append(number)
            last.append(is_last)
    return _Sample(np.stack(rows), np.array(label), np.array(weight), np.array(whose), np.array(last))


def _prepare(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return mean, scale, scale of change (D,), shrunk towards their average so that no quiet number is blown up."""
    scale, change = rows[:, 0].std(axis=0), rows[:, 2].std(axis=0)
    return (
        rows[:, 0].mean(axis=0),
        0.5 * (scale + scale.mean()) + 1e-9,
        0.5 * (change + change.mean()) + 1e-9,
    )


def _weighted(
    rows: NDArray[np.float64],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    change_scale: NDArray[np.float64],
    parts: tuple[float, float, float],
) -> NDArray[np.float64]:
    """Return the design: standardised parts side by side, each with its weight, of mean square about 1 a row."""
    size = np.sqrt(rows.shape[-1])
    blocks = (
        (rows[:, 0] - mean) / scale,
        (rows[:, 1] - mean) / scale,
        rows[:, 2] / change_scale,
    )
    return np.concatenate([w * block / size for w, block in zip(parts, blocks, strict=True) if w > 0], axis=1)


def _turned(design: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the design in its own principal axes, (rows, r) and (r, width), r at most `MOST_AXES`.

    A ridge penalty all but switches the axes beyond off, and what is left costs a fraction to fit.
    """
    _, values, axes = np.linalg.svd(design, full_matrices=False)
    # One axis at least: where all women are alike, it carries nothing, and the read-out is its intercept.
    count = max(1, int((values[:MOST_AXES] > 1e-9 * max(values[0], 1e-12)).sum()))
    kept = axes[:count]
    return design @ kept.T, kept


def _logistic(
    design: NDArray[np.float64], label: NDArray[np.float64], weight: NDArray[np.float64], penalty: float
) -> tuple[NDArray[np.float64], float]:
    """Fit a ridge-penalised logistic regression; the intercept is free."""
    # Newton's steps: a few of them suffice, where a gradient method needs a hundred.
    fit = LogisticRegression(C=100 / penalty, solver="newton-cholesky", tol=1e-6)
    fit.fit(design, label, sample_weight=weight)
    return fit.coef_[0], float(fit.intercept_[0])


def _losses(
    sample: _Sample, designs: Sequence[NDArray[np.float64]], held: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (candidates,) the log loss of the women held back at their last visits."""
    judged = held & sample.last
    reached = []
    for design in designs:
        for penalty in PENALTIES:
            coefficients, intercept = _logistic(
                design[~held], sample.label[~held], sample.weight[~held], penalty
            )
            z = design[judged] @ coefficients + intercept
            reached.append(float((np.logaddexp(0, z) - sample.label[judged] * z).mean()))
    return np.array(reached)


def _folds(women: Sequence[EmbeddedWoman], count: int, seed: int) -> list[NDArray[np.intp]]:
    """Part women into folds with the cancers spread evenly."""
    random = np.random.default_rng(seed)
    place = np.zeros(len(women), np.int64)
    for outcome in (0.0, 1.0, np.nan):
        group = [
            i
            for i, woman in enumerate(women)
            if woman.label == outcome or (np.isnan(woman.label) and np.isnan(outcome))
        ]
        place[random.permutation(group).astype(np.int64)] = (
            np.arange(len(group)) + random.integers(count)
        ) % count
    return [np.flatnonzero(place == number) for number in range(count)]
