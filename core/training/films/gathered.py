"""Real women, the lives in their pictures and the lesions drawn into them, gathered from manifests into one set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.sets import Exams, Manifest, gather
from core.training.films.plan import whose_pictures
from core.training.runs import TrainingError

__all__ = ["FilmSet", "Shown", "gather_films"]


class Shown(StrEnum):
    """What pictures show: a woman as she was, a life made in her pictures, or lesions drawn into them for practice."""

    REAL = "real"
    LIFE = "life"
    PRACTICE = "practice"


@dataclass
class FilmSet:
    """Women, lives and practice pictures with their images; of each what it is, and whose pictures are shown.

    A real woman's pictures are her own; a life is lived, and practised is, in those of the woman they name.
    """

    exams: Exams = field(default_factory=Exams)
    shown: list[Shown] = field(default_factory=list)
    whose: list[str] = field(default_factory=list)

    def are(self, shown: Shown) -> NDArray[np.bool_]:
        """Tell of each (n,) whether it is that."""
        return np.array([one is shown for one in self.shown])


def gather_films(
    films: Sequence[Manifest], made: Sequence[Manifest], practice: Sequence[Manifest] = ()
) -> FilmSet:
    """Gather real films, lives made of them (`seed_data films`) and films with lesions drawn in (`seed_data lesions`).

    Raises
    ------
    TrainingError
        If pictures are shown of a woman whose films are not among these: she could not be kept in one fold with them.
    """
    found = FilmSet()
    parts = [(Shown.REAL, films), (Shown.LIFE, made), (Shown.PRACTICE, practice)]
    for shown, manifest in [(shown, manifest) for shown, several in parts for manifest in several]:
        real = shown is Shown.REAL
        whose = {} if real else whose_pictures(manifest)
        own = gather([manifest])
        start = len(found.exams.women)
        found.exams.women += own.women
        found.exams.images += [replace(image, woman=image.woman + start) for image in own.images]
        found.exams.boxed |= own.boxed
        found.shown += [shown] * len(own.women)
        found.whose += [woman.patient_id if real else whose[woman.patient_id] for woman in own.women]
    known = {name for name, shown in zip(found.whose, found.shown, strict=True) if shown is Shown.REAL}
    for name in found.whose:
        if name not in known:
            raise TrainingError(
                f"Lives, or drawn lesions, are in pictures of {name}, whose own films are not given: give the manifest that they "
                "were made from with --films."
            )
    return found
