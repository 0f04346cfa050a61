"""Calibration of a trained longitudinal model anew, on women of the place where it is to be used."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.sets import (
    Manifest,
    encode_views,
    gather,
    histories_of,
    simulation_beside,
    taken_again,
    thinned,
    weighed,
)
from core.training.domain import domain_of
from core.training.longitudinal.heads import calibrate, moved_to, with_spread
from core.training.longitudinal.run import taught_by
from core.training.reference import references
from core.training.runs import TrainingError, check_no_model
from models.store import OnProgress

if TYPE_CHECKING:
    from models.sequence import History
    from models.store import ModelCard

__all__ = ["CANCERS_AT_LEAST", "recalibrate"]

CANCERS_AT_LEAST = 20
"""Fewer say nothing of a slope. For a calibration curve 200 of each are asked for (Van Calster et al. 2016,
10.1016/j.jclinepi.2015.12.005)."""


def recalibrate(
    model: Path,
    manifests: Sequence[Manifest],
    out: Path,
    report: OnProgress,
    *,
    base_rates: tuple[float, ...] | None = None,
    stands_for: Mapping[str, float] | None = None,
) -> ModelCard:
    """Fit a model's calibration on other women, and write the model with it to `out`; its networks stay as they are.

    Parameters
    ----------
    model
        Folder of a longitudinal model; it is not changed.
    manifests
        Women who did not teach it, with their outcomes.
    out
        Folder for the model; its `work` keeps standardised views, so that a repeat is quick.
    report
        Told of progress.
    base_rates
        Shares of women with a cancer within 1..5 years where the model is to be used, if not as among these women.
    stands_for
        How many women each woman stands for, where they were drawn by their outcome (`core.sets.read_sampling`).

    Returns
    -------
    ModelCard
        The new model's card. It states no figures: those measured before were of another calibration.

    Raises
    ------
    TrainingError
        If `out` holds a model, these women taught the model, or there are too few known to have had cancer, or none,
        within some of 1 to 5 years.
    """
    from models.longitudinal import LongitudinalModel

    check_no_model(out)
    loaded = LongitudinalModel.load(model)
    seeds = taught_by(manifests)
    known = sorted(set(seeds) & set(loaded.card.settings.get("seeds", [])))
    if known:
        raise TrainingError(
            f"The women of seed {', '.join(map(str, known))} taught {loaded.card.name}: of them it is too sure. Give others."
        )
    exams = gather(manifests)
    encoded = encode_views(loaded, exams.images, out / "work", report)
    women = histories_of(exams, encoded.rows, encoded.said["vector"], range(len(exams.women)))
    if stands_for is not None:
        women = weighed(women, stands_for)
    _check_outcomes(women)
    whose = "women who did not teach it"
    if stands_for is not None:
        whose += ", drawn by their outcome and weighed"
    calibration = calibrate(loaded.sequence, women, whose, loaded.calibration)
    again = taken_again(loaded, manifests, exams, encoded, out / "work" / "again", report)
    calibration = with_spread(loaded.sequence, calibration, thinned(women), whose, again)
    if base_rates is not None:
        calibration = moved_to(calibration, women, base_rates, "those women")
    for name in loaded.card.files:
        shutil.copyfile(model / name, out / name)
    settings = loaded.card.settings | {
        "calibrated_on_seeds": seeds,
        "base_rates": base_rates,
        **references(loaded.sequence, calibration, thinned(women), "the women it was calibrated on"),
        "calibrated_on_simulated": any(simulation_beside(one.source) for one in manifests),
    }
    card = replace(loaded.card, metrics={}, created=date.today().isoformat(), settings=settings)
    # The networks' files stay the same to the byte: what they saw of images that are on record stays good.
    domain = loaded.domain
    with suppress(ValueError):  # of too few women it knows what it knew before
        # What it may be believed of from now on is what it is calibrated on.
        domain = domain_of(exams, encoded.rows, encoded.said["vector"], "the women it was calibrated on")
    return LongitudinalModel(card, loaded.encoder, loaded.sequence, calibration, domain).save_calibration(out)


def _check_outcomes(women: Sequence[History]) -> None:
    """Refuse women of whom too little is known at some horizon: its risks could not be put right."""
    from models.measures import FEWEST, horizon_labels

    to_cancer = np.array([woman.years_to_cancer[-1] for woman in women])
    followed = np.array([woman.years_followed[-1] for woman in women])
    before = ~(to_cancer < 0)
    for years in range(1, 6):
        label, known = horizon_labels(to_cancer[before], followed[before], years)
        ill, well = int(label[known].sum()), int((1 - label[known]).sum())
        least = CANCERS_AT_LEAST if years == 5 else FEWEST
        if min(ill, well) < least:
            raise TrainingError(
                f"Within {years} year{'s' * (years > 1)} of their last study {ill} women had cancer, and {well} are known "
                f"to have had none: {least} of each are the least. How long a woman was followed is told by "
                "last_followup_date."
            )
