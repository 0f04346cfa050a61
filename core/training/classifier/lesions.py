"""Training under a head on lesions: an encoder learns its lesion map from the boxes drawn in whole mammograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.rules.vocabulary import DENSITIES, FINDINGS
from core.sets import ImageCase
from core.training.classifier.heads import HeadTraining, Pass
from core.training.classifier.plan import ImagePlan
from core.training.runs import TrainingError
from models.classifier import HeadName, Region, check_box

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.classifier import TrainedImage
    from models.view import LabelledViews, LesionBox

__all__ = ["LesionTraining"]


class LesionTraining(HeadTraining):
    """Trains an encoder; nothing stops it early, so that each fold is scaled by what the others reached."""

    name = HeadName.LESIONS

    @classmethod
    def check_cases(cls, cases: Sequence[ImageCase], classes: Sequence[str], plan: ImagePlan) -> None:
        """Refuse where there is nothing that a head on lesions could learn from."""
        from models.classifier import parts_of

        try:
            parts_of(classes)
        except ValueError as error:
            raise TrainingError(str(error)) from error
        if plan.pictures.region is not Region.BREAST or plan.network.backbone != "compact":
            raise TrainingError(
                "A head on lesions reads mammograms: use --region breast and --backbone compact."
            )
        if not any(case.lesions for case in cases):
            raise TrainingError(
                "A head on lesions learns from boxes, and the manifest draws none (roi_x0 to roi_y1)."
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
        from models.classifier import LesionHead, LesionRecipe, Scaling, TrainedImage, train_lesion_network

        views = self._views(np.flatnonzero(mine))
        recipe = LesionRecipe(
            seconds=self.seconds(one),
            steps=self.plan.lesions.lesion_steps,
            seed=self.plan.measuring.seed,
        )
        try:
            network, curve = train_lesion_network(
                self.plan.network.weights,
                self.plan.pictures.shape,
                views,
                recipe,
                self.out / one.folder,
                self.told(one),
            )
        except (LookupError, ValueError) as error:
            raise TrainingError(str(error)) from error
        return TrainedImage(LesionHead(network, self.config()), Scaling(), curve)

    def _views(self, places: NDArray[np.intp]) -> LabelledViews:
        from models.view import LabelledViews

        cases = [self.material.cases[i] for i in places]
        return LabelledViews(
            pixels=self.material.pixels(places),
            lesions=[self._lesions(int(i)) for i in places],
            finding=np.array([_one_of(case.label, FINDINGS) for case in cases], np.int64),
            density=np.array([_one_of(case.density, DENSITIES) for case in cases], np.int64),
            boxed=np.array([case.label == FINDINGS[0] or bool(case.lesions) for case in cases], bool),
        )

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


def _one_of(label: str | None, classes: Sequence[str]) -> int:
    """Return the place of a label among classes, -1 where it leaves open which it is."""
    return classes.index(label) if label in classes else -1
