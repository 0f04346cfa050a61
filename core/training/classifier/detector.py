"""Training of a detector: heads on frozen networks learn from boxes around lesions, real ones and such as were put in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.rules.vocabulary import FINDINGS
from core.sets import ImageCase
from core.training.classifier.heads import HeadTraining, Pass
from core.training.classifier.plan import ImagePlan
from core.training.runs import TrainingError
from models.classifier import HeadName, Region, check_box

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    import keras

    from models.classifier import TrainedImage
    from models.film import FilmCells, Lessons
    from models.view import LesionBox

__all__ = ["DetectorTraining"]


class DetectorTraining(HeadTraining):
    """Trains heads; nothing stops them early, so that each fold is scaled by what the others reached."""

    name = HeadName.DETECTOR
    _known: tuple[FilmCells, Lessons] | None = None
    _backbones: dict[str, keras.Model] | None = None

    @classmethod
    def check_plan(cls, plan: ImagePlan) -> None:
        """Refuse what a detector cannot be trained with."""
        super().check_plan(plan)
        if plan.network.weights is None:
            raise TrainingError(
                "A detector reads networks that have learned already: give --weights, the name of a detector or the "
                "folder of their files."
            )

    @classmethod
    def check_cases(cls, cases: Sequence[ImageCase], classes: Sequence[str], plan: ImagePlan) -> None:
        """Refuse where there is nothing that a detector could learn from."""
        from models.classifier import parts_of

        try:
            parts_of(classes)
        except ValueError as error:
            raise TrainingError(str(error)) from error
        if plan.pictures.region is not Region.BREAST:
            raise TrainingError("A detector reads whole mammograms: use --region breast.")
        if not any(case.lesions for case in cases):
            raise TrainingError(
                "A detector learns from boxes, and the manifest draws none (roi_x0 to roi_y1)."
            )

    @property
    def scaled_together(self) -> bool:
        """It says unscaled what it says out of fold."""
        return True

    def train(self, train: NDArray[np.bool_], validation: NDArray[np.bool_], one: Pass) -> TrainedImage:
        """Train on some images (n,), scaled by others (n,)."""
        from models.classifier import fit_scaling

        trained = self.train_fold(train, one)
        held = np.flatnonzero(validation)
        trained.scaling = fit_scaling(self.logits(trained, held), self.material.truth[held])
        return trained

    def train_fold(self, mine: NDArray[np.bool_], one: Pass) -> TrainedImage:
        """Train on some images (n,) and the boxes drawn in them, all of them: nothing is scaled yet."""
        from models.classifier import DetectorHead, Scaling, TrainedImage
        from models.film import DetectorRecipe, HeadRecipe, train_detector

        cells, lessons = self._prepare()
        assert self._backbones is not None
        recipe = DetectorRecipe(head=HeadRecipe(seed=self.plan.measuring.seed))
        try:
            detector = train_detector(cells, lessons, mine, recipe, self.told(one))
        except ValueError as error:
            raise TrainingError(str(error)) from error
        return TrainedImage(DetectorHead(self._backbones, self.config(), detector), Scaling(), [])

    def logits(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return logits (m, classes) of the films at some places (m,), of the answers that are known."""
        from models.classifier import DetectorHead

        assert isinstance(trained.head, DetectorHead)
        cells, _ = self._prepare()
        return trained.head.joined([trained.head.detector.of_cells(cells, int(i)).logits for i in places])

    def vectors(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return vectors (m, D) of the films at some places (m,), of the answers that are known."""
        from models.classifier import SHOWN_BY, film_vector

        cells, _ = self._prepare()
        answers, films = cells.answers[SHOWN_BY], self.material.pixels(places)
        return np.concatenate(
            [film_vector(films[k], answers[cells.of(int(place))]) for k, place in enumerate(places)]
        )

    def pointed(self, trained: TrainedImage, places: NDArray[np.intp]) -> dict[int, list[bool]]:
        """Return, of films with a boxed lesion, whether the highest peaks lie on it, the highest first."""
        from models.classifier import DetectorHead
        from models.film import peak_on_lesion, peaks_of

        assert isinstance(trained.head, DetectorHead)
        cells, lessons = self._prepare()
        detector = trained.head.detector
        return {
            int(i): [
                any(peak_on_lesion(peak, box) for box in lessons.lesions[i])
                for peak in peaks_of(detector.of_cells(cells, int(i)).lesion)
            ]
            for i in places
            if lessons.lesions[i]
        }

    def _prepare(self) -> tuple[FilmCells, Lessons]:
        """Have the networks, and their answers on all films: once for all folds."""
        from models.film import Lessons, Net, make_cells, rounded_backbones, served_maps
        from models.store import backend

        if self._known is not None:
            return self._known
        assert self.plan.network.weights is not None
        try:
            self._backbones = rounded_backbones(self.plan.network.weights)
        except (LookupError, ValueError) as error:
            raise TrainingError(str(error)) from error
        cases = self.material.cases
        lessons = Lessons(
            [self._lesions(i) for i in range(len(cases))],
            np.array([case.label == FINDINGS[0] for case in cases]),
            np.array([_origin(case) for case in cases], np.int64),
        )
        films = self.material.pixels()
        network = served_maps(self._backbones, self.plan.pictures.shape)
        cells = make_cells(
            backend.as_function(network),
            {net: int(network.output[net.value].shape[-1]) for net in Net},
            len(cases),
            lambda place: np.asarray(films[place]),
            self.out / "work" / "cells",
            self.report,
        )
        self._known = cells, lessons
        return self._known

    def _lesions(self, place: int) -> list[LesionBox]:
        """Return the boxes drawn in an image, in pixels of what is shown of it."""
        from models.view import LesionBox

        case, row = self.material.cases[place], self.material.rows[place]
        transform, size = self.material.prepared.transforms[row], self.material.prepared.sizes[row]
        assert transform is not None and size is not None  # noqa: PT018 - of images that could be read
        lesions = []
        for box, malignant in case.lesions:
            try:
                x0, y0, x1, y1 = transform.box_to_network(*check_box(box, size))
            except ValueError as error:
                raise TrainingError(f"{case.source}: {error}") from error
            lesions.append(LesionBox(x0, y0, x1, y1, malignant))
        return lesions


def _origin(case: ImageCase) -> int:
    """Return the `models.film.Origin` of the lesions in an image."""
    from models.film import Origin

    if case.lesion_of:
        return Origin.MOVED
    return Origin.DRAWN if case.drawn else Origin.REAL
