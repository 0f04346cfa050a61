"""The LSTM of `models.sequence.network` on one vector a visit, for cohorts that have cancers enough to pay for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.measures import safe_logit
from models.sequence.embedded import EmbeddedWoman
from models.sequence.network import HORIZONS, SequenceConfig, build_ensemble, risk_from_hazards
from models.sequence.study import SLOTS
from models.sequence.training import History, SequenceRecipe, fit_sequence, index_weights, predict_histories
from models.vocabulary import DAYS_PER_YEAR

__all__ = ["lstm_logits"]

AXES = 24
"""Principal axes of the vectors that the LSTM reads."""


def lstm_logits(
    inside: Sequence[EmbeddedWoman], out: Sequence[EmbeddedWoman], seed: int
) -> NDArray[np.float64]:
    """Train on the women inside, an eighth of them kept to stop early, and return (n,) log-odds of the women out."""
    rows = np.concatenate([woman.vectors for woman in inside])
    mean = rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows - mean, full_matrices=False)
    axes = axes[:AXES]
    random = np.random.default_rng(seed)
    order = sorted(range(len(inside)), key=lambda i: (inside[i].label, random.random()))
    held = set(order[::8])
    shown = [_history(woman, mean, axes) for woman in inside]
    members, _ = fit_sequence(
        SequenceConfig(len(axes), fused=16, step=16, state=16, dropout=0.3),
        [one for i, one in enumerate(shown) if i not in held],
        [one for i, one in enumerate(shown) if i in held],
        SequenceRecipe(members=1, epochs=60, patience=10, batch=32, weight_decay=0.02, noise=0.1, seed=seed),
        lambda _stage, _done, _figures: None,
    )
    said = predict_histories(
        build_ensemble(members, len(axes)), [_history(woman, mean, axes) for woman in out]
    )
    return safe_logit([risk_from_hazards(one["hazard"])[0, -1, HORIZONS - 1] for one in said])


def _history(woman: EmbeddedWoman, mean: NDArray[np.float64], axes: NDArray[np.float64]) -> History:
    """Lay a woman's vectors into one place of one breast; the other breast stays empty."""
    n = len(woman.months)
    vectors = np.zeros((n, 2, len(SLOTS), len(axes)), np.float32)
    vectors[:, 0, -1] = (woman.vectors - mean) @ axes.T
    present = np.zeros(vectors.shape[:-1], bool)
    present[:, 0, -1] = True
    return History(
        patient_id=woman.patient_id,
        days=woman.months / 12 * DAYS_PER_YEAR,
        ages=np.full(n, np.nan),
        vectors=vectors,
        present=present,
        malignancy=np.full((n, 2), np.nan, np.float32),
        progression=np.full((n, 2), np.nan, np.float32),
        density=np.full((n, 2), -1),
        finding=np.full((n, 2), -1),
        years_to_cancer=woman.years_to_cancer,
        cancer_breast=0 if np.isfinite(woman.years_to_cancer).any() else -1,
        years_followed=woman.years_followed,
        weight=index_weights(n),
    )
