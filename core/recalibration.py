"""Calibration of a trained longitudinal model anew, on women of the place where it is to be used."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.encoded import encode_views
from core.exams import Report, gather
from core.manifest import Manifest
from core.training import TrainingError, calibrate, histories, moved_to, taught_by

if TYPE_CHECKING:
    from models.registry import ModelCard

__all__ = ["CANCERS_AT_LEAST", "recalibrate"]

CANCERS_AT_LEAST = 20
"""Fewer say nothing of a slope. For a calibration curve 200 of each are asked for (Van Calster et al. 2016,
10.1016/j.jclinepi.2015.12.005)."""


def recalibrate(
    model: Path,
    manifests: Sequence[Manifest],
    out: Path,
    report: Report,
    *,
    base_rates: tuple[float, ...] | None = None,
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

    Returns
    -------
    ModelCard
        The new model's card. It states no figures: those measured before were of another calibration.

    Raises
    ------
    TrainingError
        If `out` holds a model, these women taught the model, or there are too few with or without cancer.
    """
    from models.longitudinal import LongitudinalModel
    from models.registry import CARD

    if (out / CARD).is_file():
        raise TrainingError(f"{out} holds a model. Choose another folder for --out.")
    loaded = LongitudinalModel.load(model)
    seeds = taught_by(manifests)
    known = sorted(set(seeds) & set(loaded.card.settings.get("seeds", [])))
    if known:
        raise TrainingError(
            f"The women of seed {', '.join(map(str, known))} taught {loaded.card.name}: of them it is too sure. Give others."
        )
    exams = gather(manifests)
    encoded = encode_views(loaded, exams.images, out / "work", report)
    women = histories(exams, encoded.rows, encoded.said["vector"], range(len(exams.women)))
    last = np.array([woman.years_to_cancer[-1] for woman in women])
    ill = int(((last >= 0) & (last <= 5)).sum())
    well = int(np.isnan(last).sum())
    if min(ill, well) < CANCERS_AT_LEAST:
        raise TrainingError(
            f"{ill} women had cancer within five years of their last study, and {well} had none: to calibrate risks, "
            f"{CANCERS_AT_LEAST} of each are the least."
        )
    calibration = calibrate(loaded.sequence, women, "women who did not teach it")
    if base_rates is not None:
        calibration = moved_to(calibration, women, base_rates, "those women")
    for name in loaded.card.files:
        shutil.copyfile(model / name, out / name)
    settings = loaded.card.settings | {"calibrated_on_seeds": seeds, "base_rates": base_rates}
    card = replace(loaded.card, metrics={}, created=date.today().isoformat(), settings=settings)
    # The networks' files stay the same to the byte: what they saw of images that are on record stays good.
    return LongitudinalModel(card, loaded.encoder, loaded.sequence, calibration).save_calibration(out)
