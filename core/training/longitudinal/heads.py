"""What stands on an encoder: the ensemble of sequence heads, the controls beside it, and its calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.sets import Exams, histories_of, observed_rates
from core.training.longitudinal.plan import SPLITS, Plan, Split
from core.training.reference import references
from models.store import OnProgress

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    import keras

    from models.longitudinal import Calibration, Outcomes
    from models.sequence import History, Mode, SequenceConfig

__all__ = ["EncodedWomen", "TrainedHeads", "calibrate", "moved_to", "train_heads", "with_spread"]

ENOUGH_WOMEN = 100
"""Fewer are not parted by a trial: all features of the first group are taken."""


@dataclass(frozen=True)
class EncodedWomen:
    """Women in their parts, with what an encoder says of their images.

    Parameters
    ----------
    exams
        Women and images.
    splits
        The part of each woman.
    rows
        m places of the images that were encoded.
    vectors
        (m, D) what the encoder says of them.
    map_grid
        Rows and columns of the coarse lesion map at a vector's end.
    """

    exams: Exams
    splits: list[Split]
    rows: list[int]
    vectors: NDArray[np.float32]
    map_grid: tuple[int, int]

    def histories(self) -> dict[Split, list[History]]:
        """Return the women's histories by part."""
        return {
            split: histories_of(
                self.exams, self.rows, self.vectors, [i for i, one in enumerate(self.splits) if one is split]
            )
            for split in SPLITS
        }


@dataclass(frozen=True)
class TrainedHeads:
    """An ensemble, its calibration where it is to be used, the controls, the curve and what was measured of them.

    `reference` is what cards keep of the validation women (`core.training.reference`).
    """

    ensemble: keras.Model
    calibration: Calibration
    controls: dict[Mode, keras.Model]
    curve: list[dict[str, Any]]
    measured: dict[str, Any]
    reference: dict[str, Any]


def train_heads(women: EncodedWomen, plan: Plan, report: OnProgress) -> TrainedHeads:
    """Train the ensemble and the controls on the embeddings, calibrate and measure them.

    Parameters
    ----------
    women
        Sequence women, and encoder women where there are some, teach; validation women stop and calibrate; test women,
        where there are some, are measured.
    plan
        Members, seed, base rates.
    report
        Told of progress.
    """
    from models.longitudinal import measure, prediction_table
    from models.sequence import SequenceConfig, SequenceRecipe, build_ensemble, fit_sequence

    grouped = women.histories()
    size = int(women.vectors.shape[1])
    config = SequenceConfig(size, map_grid=women.map_grid)
    config, training, chosen = _choose(config, _teachers(grouped), grouped, plan, report)
    recipe = SequenceRecipe(members=plan.members, seed=plan.seed)
    held = grouped[Split.VALIDATION]
    members, curve = fit_sequence(config, training, held, recipe, report, name="history")
    ensemble = build_ensemble(members, size)
    calibration = with_spread(ensemble, calibrate(ensemble, held), held)
    controls, more = _controls(config, training, held, plan, report)
    test = grouped[Split.TEST] or held
    measured = measure(prediction_table(ensemble, calibration, controls, test))
    tested = "test women" if grouped[Split.TEST] else "validation women (too few for a test)"
    measured |= {
        "measured_on": tested,
        "split": {split.value: women.splits.count(split) for split in Split},
        "sequence_trained_on": chosen,
    }
    if plan.base_rates is not None:
        everyone = [history for one in grouped.values() for history in one]
        calibration = moved_to(calibration, everyone, plan.base_rates, "the training set")
    reference = references(ensemble, calibration, held, "women who did not teach it")
    return TrainedHeads(ensemble, calibration, controls, [*curve, *more], measured, reference)


def _teachers(grouped: dict[Split, list[History]]) -> dict[str, list[History]]:
    """Return who may teach the heads, by what they are called."""
    teachers = {"sequence women": grouped[Split.SEQUENCE]}
    if grouped[Split.ENCODER]:
        both = grouped[Split.ENCODER] + grouped[Split.SEQUENCE]
        teachers = {"encoder and sequence women": both, **teachers}
    return teachers


def _controls(
    config: SequenceConfig, training: list[History], validation: list[History], plan: Plan, report: OnProgress
) -> tuple[dict[Mode, keras.Model], list[dict[str, Any]]]:
    """Train what is shown less than all visits, by what it is shown; return the models and their curve."""
    from models.sequence import MODES, SequenceConfig, SequenceRecipe, as_mode, build_ensemble, fit_sequence

    controls: dict[Mode, keras.Model] = {}
    curve: list[dict[str, Any]] = []
    for mode in MODES[1:]:
        shown = [one for history in training for one in as_mode(history, mode)]
        held = [one for history in validation for one in as_mode(history, mode)]
        width = shown[0].vectors.shape[-1]
        quick = SequenceRecipe(members=min(3, plan.members), seed=plan.seed)
        smaller = config if mode == "last" else SequenceConfig(width)
        members, records = fit_sequence(smaller, shown, held, quick, report, name=mode)
        curve += records
        controls[mode] = build_ensemble(members, width)
    return controls, curve


def _choose(
    config: SequenceConfig,
    women: dict[str, list[History]],
    grouped: dict[Split, list[History]],
    plan: Plan,
    report: OnProgress,
) -> tuple[SequenceConfig, list[History], str]:
    """Ask the validation women, with one member each, what the heads are to learn from.

    The encoder has seen the encoder women: their vectors are surer than a new woman's, its learned features most of
    all. More women or cleaner vectors, all features or only what was measured: neither is known beforehand.
    """
    from models.sequence import SequenceRecipe, fit_sequence
    from models.view import FEATURES

    configs = {
        "all features": config,
        "facts alone": replace(config, skip=FEATURES, fused=24, step=32, state=24, dropout=0.3),
    }
    trials = [(one, other) for one in women for other in configs if len(women[one]) >= ENOUGH_WOMEN]
    if not trials:
        first, hers = next(iter(women.items()))
        return config, hers, f"{first}, all features"
    trial = SequenceRecipe(members=1, epochs=60, patience=10, seed=plan.seed)
    reached = {}
    for one, other in trials:
        held = grouped[Split.VALIDATION]
        _, tried = fit_sequence(configs[other], women[one], held, trial, report, name="trial")
        reached[one, other] = min(float(record["validation"]) for record in tried)
    best = min(reached, key=lambda names: reached[names])
    return configs[best[1]], women[best[0]], ", ".join(best)


def calibrate(
    ensemble: Any,
    validation: Sequence[History],
    whose: str = "validation women",
    before: Calibration | None = None,
) -> Calibration:
    """Calibrate an ensemble on the index visits of women who did not teach it; `whose` tells who they are.

    `before` is as for `models.longitudinal.calibration.fit_calibration`.
    """
    from models.longitudinal import fit_calibration
    from models.sequence import predict_histories

    answers = predict_histories(ensemble, validation)
    hazards, outcomes = _at_the_last(answers, validation)

    def growth(*, after: bool) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        raw, label, counts = [], [], []
        for answer, history in zip(answers, validation, strict=True):
            seen = np.asarray(history.present.any(axis=2), bool)
            then = (history.years_to_cancer < 0) == after
            known = np.isfinite(history.progression) & seen & then[:, None]
            raw.append(answer["progression"].mean(axis=0)[known])
            label.append(history.progression[known])
            counts.append(np.full(known.sum(), history.stands_for))
        return np.concatenate(raw), np.concatenate(label).astype(np.float64), np.concatenate(counts)

    return fit_calibration(
        hazards,
        outcomes,
        growth(after=False),
        growth(after=True),
        f"logistic per horizon, fitted on the last visits of {len(outcomes.cancer_breast)} {whose}",
        before,
    )


def with_spread(
    ensemble: Any,
    calibration: Calibration,
    women: Sequence[History],
    whose: str = "validation women",
    again: Sequence[History] = (),
) -> Calibration:
    """Measure what widens the intervals; `again` as for `models.longitudinal.fit_spread`."""
    from models.longitudinal import fit_spread

    before = [woman for woman in women if not woman.years_to_cancer[-1] < 0]
    return replace(calibration, spread=fit_spread(ensemble, calibration, before, again, whose))


def moved_to(
    calibration: Calibration, women: Sequence[History], base_rates: tuple[float, ...], whose: str
) -> Calibration:
    """Move risks from the share of cancers among women to that of where the model is to be used; it says so."""
    said = ", ".join(f"{100 * rate:.2g}" for rate in base_rates)
    moved = f"{calibration.fitted_on}; moved from {whose}'s share of cancers to {said} % within 1..5 years"
    return replace(calibration.moved(observed_rates(women), base_rates), fitted_on=moved)


def _at_the_last(
    answers: Sequence[dict[str, NDArray[np.float64]]], women: Sequence[History]
) -> tuple[NDArray[np.float64], Outcomes]:
    """Return the hazards said at each woman's last visit and what became of her; of those not yet diagnosed."""
    from models.longitudinal import Outcomes

    usable = [i for i, history in enumerate(women) if not history.years_to_cancer[-1] < 0]
    return np.stack([answers[i]["hazard"][:, -1] for i in usable], axis=1), Outcomes(
        np.array([women[i].years_to_cancer[-1] for i in usable]),
        np.array([women[i].years_followed[-1] for i in usable]),
        np.array([women[i].cancer_breast for i in usable]),
        np.array([women[i].stands_for for i in usable]),
    )
