"""Training under a dense head: the head alone on features first, then the whole network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.training.classifier.heads import HeadTraining, Pass
from core.training.runs import TrainingError
from models.classifier import HeadName

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.classifier import LabelledImages, TrainedImage

__all__ = ["DenseTraining"]


class DenseTraining(HeadTraining):
    """Trains a network with its last layer."""

    name = HeadName.DENSE
    _known: NDArray[np.float32] | None = None

    def train(self, train: NDArray[np.bool_], validation: NDArray[np.bool_], one: Pass) -> TrainedImage:
        """Train on some images (n,), scaled and stopped by others (n,)."""
        from models.classifier import ImageRecipe, train_image_network

        duration = self.plan.duration
        try:
            self._features()
            recipe = ImageRecipe(
                seconds=self.seconds(one),
                epochs=duration.epochs,
                patience=duration.patience,
                augmentation=self.plan.augmentation,
                seed=self.plan.measuring.seed,
            )
            return train_image_network(
                self.config(),
                self.plan.network.weights,
                self._images(train),
                self._images(validation),
                recipe,
                self.out / one.folder,
                self.told(one),
            )
        except ValueError as error:
            raise TrainingError(str(error)) from error

    def _images(self, mine: NDArray[np.bool_]) -> LabelledImages:
        from models.classifier import LabelledImages

        return LabelledImages(
            self.material.pixels(mine),
            self.material.truth[mine].argmax(axis=1),
            None if self._known is None else self._known[mine],
        )

    def _features(self) -> None:
        """Have the features of all images by the backbone as it starts, made once for all folds; none without weights."""
        from models.classifier import pretrained_features

        weights = self.plan.network.weights
        if self._known is None and weights is not None:
            self._known = pretrained_features(
                self.config(),
                weights,
                self.material.pixels(),
                self.out / "work" / "features.npz",
                self.report,
                flip=self.plan.augmentation.flip,
            )
