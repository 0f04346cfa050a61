"""How a classifier of single images is trained under one head: a class a head, and what all of them share."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.sets import ImageCase, PreparedCases, late_rows, part_groups
from core.training.classifier.parts import Part
from core.training.classifier.plan import ImagePlan
from core.training.runs import TrainingError
from models.classifier import HeadName, ImageInput, size_called
from models.store import OnProgress

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.classifier import ImageConfig, TrainedImage

__all__ = ["HeadTraining", "Material", "Pass", "shown_input"]

INNER_SHARES: dict[str, float] = {Part.TRAIN: 0.85, Part.VALIDATION: 0.15}
LEAST_SECONDS = 5.0


@dataclass(frozen=True)
class Material:
    """What a run learns from and measures on.

    Parameters
    ----------
    cases
        n cases whose images can be used.
    rows
        (n,) their places in `prepared`.
    truth
        (n, classes) which classes each may be: one, or several where its label leaves open which.
    classes
        Their names.
    prepared
        Images of these cases and of those that cannot be used.
    """

    cases: list[ImageCase]
    rows: NDArray[np.intp]
    truth: NDArray[np.bool_]
    classes: tuple[str, ...]
    prepared: PreparedCases

    @property
    def practice(self) -> NDArray[np.bool_]:
        """Return which cases teach and are never measured on, (n,)."""
        return np.array([case.practice for case in self.cases])

    def teaching(self, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which cases may teach, (n,), while some are held out: neither these nor practice that shows their women."""
        women = {case.group for case, out in zip(self.cases, held, strict=True) if out}
        with_them = [case.practice and not women.isdisjoint(case.groups) for case in self.cases]
        return ~held & ~np.array(with_them, bool)

    def pixels(self, chosen: NDArray[Any] | None = None) -> Any:
        """Return the images (m, rows, columns) of some cases, by place or truth value, read when they are asked for."""
        return late_rows(self.prepared.pixels, self._rows(chosen))

    def around(self, chosen: NDArray[Any] | None = None) -> Any:
        """Return what lies around the boxes of some cases, read when it is asked for."""
        assert self.prepared.around is not None
        return late_rows(self.prepared.around, self._rows(chosen))

    def _rows(self, chosen: NDArray[Any] | None) -> list[int]:
        return [int(row) for row in (self.rows if chosen is None else self.rows[chosen])]


@dataclass(frozen=True)
class Pass:
    """One of the trainings of a run.

    Parameters
    ----------
    folder
        Where its state lies, below the run's.
    left
        How many trainings are left, this one too: they share what time is left.
    stage
        What reports say before a stage's name.
    """

    folder: str = "work/state"
    left: int = 1
    stage: str = ""


class HeadTraining(ABC):
    """Trains classifiers under one head.

    Parameters
    ----------
    plan
        What was asked for.
    material
        What there is to learn from.
    out
        The run's folder.
    report
        Told of progress.
    begun
        When the run began, by `time.monotonic`.
    """

    name: ClassVar[HeadName]
    scaled_on: ClassVar[str] = "the validation images"
    """On what probabilities are scaled, where that is not left until all folds have spoken."""
    takes_open_labels: ClassVar[bool] = False
    """Whether it learns from labels that leave open which of several classes it is."""

    def __init__(
        self, plan: ImagePlan, material: Material, out: Path, report: OnProgress, begun: float
    ) -> None:
        self.plan, self.material, self.out = plan, material, out
        self.report, self.begun = report, begun
        self.tried: list[dict[str, Any]] = []
        """What was tried to find the last model, where a recipe is found by itself."""

    @classmethod
    def check_plan(cls, plan: ImagePlan) -> None:
        """Refuse with `TrainingError` options that this head does not take."""
        if plan.kernel.lesion_map is not None:
            raise TrainingError(
                "A lesion map is read around boxes: use it with --head kernel and --region box."
            )
        if plan.kernel.beside:
            raise TrainingError(
                "--beside tunes a second network beside a kernel head: give --head kernel and its --beside-weights."
            )
        for name in ("gland", "rooted"):
            if getattr(plan.kernel, name):
                raise TrainingError(
                    f"--{name} says what a kernel head reads of its maps: give --head kernel."
                )

    @classmethod  # noqa: B027 - a head may learn from whatever there is
    def check_cases(cls, cases: Sequence[ImageCase], classes: Sequence[str], plan: ImagePlan) -> None:
        """Refuse with `TrainingError` what this head cannot learn from."""

    @property
    def scaled_together(self) -> bool:
        """Whether folds say unscaled what they say, so that each can be scaled by what the others reached."""
        return False

    @property
    def fitted_on(self) -> str:
        """Say on which images probabilities are scaled."""
        together = self.scaled_together and self.plan.measuring.folds
        return "what it said out of fold" if together else self.scaled_on

    @abstractmethod
    def train(self, train: NDArray[np.bool_], validation: NDArray[np.bool_], one: Pass) -> TrainedImage:
        """Train on some images (n,), scaled and stopped by others (n,).

        Raises
        ------
        TrainingError
            If there is too little to learn from, or what it should start from does not fit.
        """

    def train_fold(self, mine: NDArray[np.bool_], one: Pass) -> TrainedImage:
        """Train on some images (n,), parted here into those to learn from and those to stop on."""
        return self.train(*self._inner(mine), one)

    def logits(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return logits (m, classes) of the images at some places (m,), before scaling."""
        return trained.head.logits(self.material.pixels(places))

    def vectors(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return vectors (m, D) of the images at some places (m,), in which it is measured how unlike they are."""
        around = None if self.material.prepared.around is None else self.material.around(places)
        return trained.head.vectors(self.material.pixels(places), around)

    def pointed(self, trained: TrainedImage, places: NDArray[np.intp]) -> dict[int, list[bool]]:
        """Return, of the images at some places that have a boxed lesion, whether what is seen most lies on it.

        By place; nothing under a head that points nowhere.
        """
        return {}

    def config(self) -> ImageConfig:
        """Return how the classifier is built."""
        from models.classifier import ImageConfig

        network, kernel = self.plan.network, self.plan.kernel
        return ImageConfig(
            classes=self.material.classes,
            input=shown_input(self.plan),
            backbone=network.backbone,
            width=network.width,
            head=network.head,
            mirror=self.plan.augmentation.flip,
            turns=kernel.turns,
            outline=kernel.outline,
            gland=kernel.gland,
            rooted=kernel.rooted,
            beside=kernel.beside,
            beside_shape=None if kernel.beside_size is None else size_called(kernel.beside_size),
        )

    def seconds(self, one: Pass) -> float:
        """Return what of the time that is left is this training's."""
        spent = time.monotonic() - self.begun
        return max(LEAST_SECONDS, (self.plan.duration.minutes * 60 - spent) / one.left)

    def told(self, one: Pass) -> OnProgress:
        """Return a report that says which training it is."""
        return lambda name, done, figures: self.report(one.stage + name, done, figures)

    def _inner(self, mine: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        practice = self.material.practice
        places = np.flatnonzero(mine & ~practice)
        cases = [self.material.cases[i] for i in places]
        inner = np.array(part_groups(cases, INNER_SHARES, self.plan.measuring.seed))
        validation = np.zeros(len(mine), bool)
        validation[places[inner == Part.VALIDATION]] = True
        return mine & self.material.teaching(validation), validation


def shown_input(plan: ImagePlan) -> ImageInput:
    """Return what a classifier of this plan is shown."""
    pictures = plan.pictures
    return ImageInput(pictures.shape, pictures.region, pictures.steps, plan.kernel.lesion_map is not None)
