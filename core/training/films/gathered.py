"""Real women and the lives in their pictures, gathered from manifests into one set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.sets import Exams, Manifest, gather
from core.training.films.plan import whose_pictures
from core.training.runs import TrainingError

__all__ = ["FilmSet", "gather_films"]


@dataclass
class FilmSet:
    """Women and lives with their images; of each whether she is real, and whose pictures are shown.

    A real woman's pictures are her own; a life is lived in those of the woman it names.
    """

    exams: Exams = field(default_factory=Exams)
    real: list[bool] = field(default_factory=list)
    whose: list[str] = field(default_factory=list)


def gather_films(films: Sequence[Manifest], made: Sequence[Manifest]) -> FilmSet:
    """Gather real films and lives made of them (`seed_data films`).

    Raises
    ------
    TrainingError
        If a life shows pictures of a woman whose films are not among these: she could not be kept in one fold with it.
    """
    found = FilmSet()
    for number, manifest in enumerate((*films, *made)):
        real = number < len(films)
        whose = {} if real else whose_pictures(manifest)
        own = gather([manifest])
        start = len(found.exams.women)
        found.exams.women += own.women
        found.exams.images += [replace(image, woman=image.woman + start) for image in own.images]
        found.exams.boxed |= own.boxed
        found.real += [real] * len(own.women)
        found.whose += [woman.patient_id if real else whose[woman.patient_id] for woman in own.women]
    known = {name for name, real in zip(found.whose, found.real, strict=True) if real}
    for name in found.whose:
        if name not in known:
            raise TrainingError(
                f"Lives are made of the pictures of {name}, whose own films are not given: give the manifest that they were "
                "made from with --films."
            )
    return found
