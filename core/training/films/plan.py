"""What a training on real films is asked for, and into which folds the women go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.sets import Exams, Manifest
from core.training.runs import TrainingError

__all__ = ["FilmPlan", "folds_of", "whose_pictures"]


@dataclass(frozen=True)
class FilmPlan:
    """Folds, members of the ensemble that is kept and of those that judge, steps of a member's training, seed, name.

    What is shown single visits has more to pass over than what is shown histories: the same steps are given to both.
    """

    folds: int = 5
    members: int = 3
    judges: int = 3
    steps: int = 400
    seed: int = 0
    name: str = "longitudinal-film"


def whose_pictures(manifest: Manifest) -> dict[str, str]:
    """Return, of every life or practice picture of a made set, whose picture it shows (column `background`).

    Raises
    ------
    TrainingError
        If the set does not say so, or shows lesions moved there from other women.
    """
    whose: dict[str, str] = {}
    for row in manifest.rows:
        if row.lesion_of is not None:
            raise TrainingError(
                f"{manifest.source}: the lesions are real ones of other women, who would judge what their own lesions taught. "
                "Make the set by python -m seed_data lesions --drawn."
            )
        if row.background is None:
            raise TrainingError(
                f"{manifest.source} does not say in its column background whose pictures it shows: make it by "
                "python -m seed_data films, or lesions."
            )
        if whose.setdefault(row.patient_id, row.background) != row.background:
            raise TrainingError(
                f"{manifest.source}: {row.patient_id} shows the pictures of {whose[row.patient_id]} and of "
                f"{row.background}. Make the set anew."
            )
    return whose


def folds_of(exams: Exams, whose: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """Return (n,) the fold of each woman or life: all that shows one woman's pictures goes together.

    Women with a lesion in a real picture are spread evenly. TrainingError if there are too few women.
    """
    names = sorted(set(whose))
    if len(names) < 2 * folds:
        raise TrainingError(f"{len(names)} women are too few for {folds} folds: {2 * folds} are the least.")
    affected = {
        name
        for name, woman in zip(whose, exams.women, strict=True)
        if name == woman.patient_id and any(set(study.values()) - {"normal"} for study in woman.finding)
    }
    random = np.random.default_rng(seed)
    place: dict[str, int] = {}
    for group in (sorted(affected), [name for name in names if name not in affected]):
        for name in random.permutation(group).tolist():
            place[str(name)] = len(place) % folds
    return np.array([place[name] for name in whose], np.int64)
