"""A recipe that is found by itself: which frozen backbone, at which size, with which looks, inner folds say of each set anew.

First each backbone of which there are weights is tried at each size, then the best of them with mirror images, with turned
ones, or without the pectoral muscle. What is best leaves the lowest log-loss on inner folds of the images that teach; where a
model is measured out of fold, the choice is made anew in every fold.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder
from core.sets import prepare_cases
from core.training.classifier.heads import Pass, shown_input
from core.training.classifier.kernel import KernelTraining
from core.training.classifier.plan import ImagePlan, KernelOptions, Network, RecipeName
from core.training.runs import TrainingError
from models.classifier import HeadName, Region

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.classifier import TrainedImage

__all__ = ["AutoTraining"]

STARTS_FROM = "tumour-mg-film"
"""The shipped model whose frozen backbone is tried where no weights are given."""
FILES = {
    "compact": ("compact*.keras", "encoder.keras"),
    "vgg16": ("vgg16*.h5", "vgg16.npz"),
    "efficientnet-lite0": ("efficientnet-lite0*.pth",),
    "efficientnet-lite2": ("efficientnet-lite2*.pth",),
}
"""What the backbones' files are called: as published, or as a shipped model keeps them."""
SIZES = {
    Region.IMAGE: ((160, 160), (224, 224)),
    Region.BREAST: ((256, 224), (512, 416)),
    Region.BOX: ((160, 160), (224, 224)),
}
SHARE_OF_BUDGET = 0.7
"""What of the time may be spent on trying: what would not fit is not tried, but for the first."""


class _Fit(NamedTuple):
    loss: float
    training: KernelTraining
    trained: TrainedImage


class AutoTraining(KernelTraining):
    """Fits kernel heads on several backbones and sizes, and keeps the best by inner folds."""

    def __init__(self, plan: ImagePlan, *others: Any) -> None:
        super().__init__(plan, *others)
        self._asked = plan
        self._tries: dict[str, KernelTraining | None] = {}
        self._made_by: dict[int, KernelTraining] = {}
        self._seconds_a_pixel = 0.0

    @classmethod
    def check_plan(cls, plan: ImagePlan) -> None:
        """Refuse what is chosen by itself, and weights that are not there."""
        left_open = asdict(
            Network(weights=plan.network.weights, width=plan.network.width, recipe=RecipeName.AUTO)
        )
        if asdict(plan.network) != left_open or asdict(plan.kernel) != asdict(KernelOptions()):
            raise TrainingError(
                "--recipe auto chooses backbone, head and what is read of an image itself: leave those options out."
            )
        starts(plan.network.weights)

    @property
    def scaled_together(self) -> bool:
        """Each is scaled on the inner folds by which it was chosen."""
        return False

    def train(self, train: NDArray[np.bool_], validation: NDArray[np.bool_], one: Pass) -> TrainedImage:
        """Try what there is on some images (n,) and others (n,), and keep the best, fitted to all of them."""
        mine = train | validation
        fits = [self._fitted(plan, mine, one) for plan in _plain(self._asked)]
        looked = min((fit for fit in fits if fit is not None), key=lambda fit: fit.loss)
        fits += [self._fitted(plan, mine, one) for plan in _with_looks(looked.training.plan)]
        tried = [fit for fit in fits if fit is not None]
        best = min(tried, key=lambda fit: fit.loss)
        self.tried = [{"what": called(fit.training.plan), "inner_log_loss": fit.loss} for fit in tried]
        self._made_by[id(best.trained.head)] = best.training
        self.plan = best.training.plan
        return best.trained

    def logits(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return logits (m, classes) of the images at some places (m,), of the features that are known."""
        return self._made_by[id(trained.head)].logits(trained, places)

    def vectors(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return vectors (m, D) of the images at some places (m,), of the features that are known."""
        return self._made_by[id(trained.head)].vectors(trained, places)

    def _fitted(self, plan: ImagePlan, mine: NDArray[np.bool_], one: Pass) -> _Fit | None:
        """Fit one; None where there is no time to look at the images as it wants."""
        name = called(plan)
        if name not in self._tries:
            self._tries[name] = self._looked(plan)
        training = self._tries[name]
        if training is None:
            return None
        told = replace(one, stage=f"{one.stage}{name}: ")
        trained = training.train(mine, np.zeros_like(mine), told)
        return _Fit(training.inner_loss, training, trained)

    def _looked(self, plan: ImagePlan) -> KernelTraining | None:
        """Prepare and look at all images once, as a plan wants; None where that would take too long."""
        looks = (2 if plan.augmentation.flip else 1) * (4 if plan.kernel.turns else 1)
        pixels = len(self.material.cases) * plan.pictures.shape[0] * plan.pictures.shape[1] * looks
        left = SHARE_OF_BUDGET * plan.duration.minutes * 60 - (time.monotonic() - self.begun)
        if self._tries and self._seconds_a_pixel * pixels > left:
            return None
        begun = time.monotonic()
        out = self.out / "work" / "tries" / called(plan).replace(" ", "-")
        private_folder(out / "work")
        prepared = prepare_cases(self.material.cases, shown_input(plan), out / "cache", self.report)
        same = replace(self.material, rows=np.arange(len(self.material.cases)), prepared=prepared)
        training = KernelTraining(plan, same, out, self.report, self.begun)
        try:
            training.look()
        except ValueError as error:
            raise TrainingError(str(error)) from error
        self._seconds_a_pixel = max(self._seconds_a_pixel, (time.monotonic() - begun) / pixels)
        return training


def starts(weights: str | None) -> dict[str, str]:
    """Return the files that backbones start from, by backbone: of a folder, or of a shipped model; None: a usual one.

    Raises
    ------
    TrainingError
        If there is none.
    """
    from models.store import weights_folder

    folder = Path(weights or STARTS_FROM)
    if not folder.is_dir():
        try:
            folder = weights_folder(weights or STARTS_FROM)
        except LookupError as error:
            raise TrainingError(
                f"--recipe auto looks for backbones in a folder or a shipped model: {error}"
            ) from error
    found = {
        backbone: str(files[0])
        for backbone, patterns in FILES.items()
        if (files := [file for pattern in patterns for file in sorted(folder.glob(pattern))])
    }
    if not found:
        wanted = ", ".join(pattern for patterns in FILES.values() for pattern in patterns)
        raise TrainingError(f"{folder} holds none of the backbones that are tried: {wanted}.")
    return found


def called(plan: ImagePlan) -> str:
    """Say what a plan tries, as it stands on the card."""
    rows, columns = plan.pictures.shape
    words = [plan.network.backbone, f"{rows}x{columns}"]
    words += ["mirrored"] * plan.augmentation.flip + ["turned"] * plan.kernel.turns
    return " ".join(words + ["without muscle"] * plan.kernel.gland)


def _plain(plan: ImagePlan) -> list[ImagePlan]:
    """Return each backbone at each size, small ones first, the images as they are."""
    shapes = SIZES[plan.pictures.region]
    return [
        replace(
            plan,
            pictures=replace(plan.pictures, shape=shape),
            network=replace(plan.network, backbone=backbone, weights=weights, head=HeadName.KERNEL),
            augmentation=replace(plan.augmentation, flip=False),
        )
        for shape in shapes
        for backbone, weights in starts(plan.network.weights).items()
    ]


def _with_looks(plan: ImagePlan) -> list[ImagePlan]:
    """Return a plan with more looks at each image: those that leave what it shows what it is."""
    if plan.pictures.region is Region.BREAST:
        return [replace(plan, kernel=replace(plan.kernel, gland=True))]
    mirrored = replace(plan, augmentation=replace(plan.augmentation, flip=True))
    if plan.pictures.region is Region.BOX:
        return [mirrored, replace(mirrored, kernel=replace(plan.kernel, turns=True))]
    return [mirrored]
