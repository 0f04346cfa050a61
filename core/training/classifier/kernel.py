"""Training under a kernel head: a regression on features of a frozen backbone, and a network that is tuned beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.sets import INNER_FOLDS, ImageCase, fold_groups, told_apart, women_by_class
from core.training.classifier.heads import HeadTraining, Pass
from core.training.classifier.plan import ImagePlan
from core.training.runs import TrainingError
from models.classifier import HeadName, Region

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    import keras

    from models.classifier import TrainedImage

__all__ = ["KernelTraining"]


class KernelTraining(HeadTraining):
    """Fits a regression; what chooses its strength and scales it are inner folds of its own images."""

    name = HeadName.KERNEL
    scaled_on = "inner folds by woman"
    takes_open_labels = True
    _known: NDArray[np.float32] | None = None
    _network: keras.Model | None = None
    _reader: keras.Model | None = None
    inner_loss: float = np.inf
    """Log-loss of the last head on inner folds of the images that it was fitted to, scaled."""

    @classmethod
    def check_plan(cls, plan: ImagePlan) -> None:
        """Refuse what a kernel head cannot be fitted with."""
        kernel = plan.kernel
        if plan.network.weights is None:
            raise TrainingError(
                "A kernel head reads a backbone that has learned already: give its --weights."
            )
        if kernel.lesion_map is not None and plan.pictures.region is not Region.BOX:
            raise TrainingError(
                "A lesion map is read around boxes: use it with --head kernel and --region box."
            )
        if kernel.gland and plan.pictures.region is not Region.BREAST:
            raise TrainingError(
                "The pectoral muscle is left out of whole mammograms: use --gland with --region breast."
            )
        if kernel.beside and kernel.beside_weights is None:
            raise TrainingError(
                "--beside tunes a second network beside a kernel head: give --head kernel and its --beside-weights."
            )

    @classmethod
    def check_cases(cls, cases: Sequence[ImageCase], classes: Sequence[str], plan: ImagePlan) -> None:
        """Refuse what was drawn into women's pictures: it would teach in inner folds in which they are held out."""
        drawn = next((case for case in cases if case.practice and case.drawn), None)
        if drawn is not None:
            raise TrainingError(
                f"{drawn.source}: a kernel head does not practise on what was drawn into real pictures. Use --head detector."
            )

    @property
    def scaled_together(self) -> bool:
        """A network beside it has no inner folds: then it says unscaled what it says out of fold."""
        return self.plan.kernel.beside is not None

    def train(self, train: NDArray[np.bool_], validation: NDArray[np.bool_], one: Pass) -> TrainedImage:
        """Fit to all of some images (n,) and others (n,)."""
        mine = train | validation
        try:
            self.look()
            trained = self._fit(mine, one)
            if self.plan.kernel.beside:
                self._tune_beside(trained, mine, one)
        except ValueError as error:
            raise TrainingError(str(error)) from error
        return trained

    def logits(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return logits (m, classes) of the images at some places (m,), of the features that are known."""
        from models.classifier import KernelHead

        assert isinstance(trained.head, KernelHead)
        assert self._known is not None
        return trained.head.joined_logits(self._known[places], self.material.pixels(places))

    def vectors(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return vectors (m, D) of the images at some places (m,), of the features that are known."""
        from models.classifier import KernelHead

        assert isinstance(trained.head, KernelHead)
        assert self._known is not None
        if trained.head.reader is not None:
            return super().vectors(trained, places)
        return trained.head.vectors_of(self._known[places, 0])

    def look(self) -> None:
        """Have the frozen backbone and its features of all images, made once for all folds."""
        from models.classifier import (
            build_feature_network,
            build_lesion_reader,
            kernel_features,
            lesion_facts,
            with_facts,
        )

        if self._known is not None:
            return
        config, lesion_map = self.config(), self.plan.kernel.lesion_map
        self._network = build_feature_network(config, self.plan.network.weights)
        path = self.out / "work" / "features.npz"
        known = kernel_features(self._network, config, self.material.pixels(), path, self.report)
        if lesion_map is not None:
            try:
                self._reader = build_lesion_reader(lesion_map)
            except LookupError as error:
                raise TrainingError(str(error)) from error
            known = with_facts(known, lesion_facts(self._reader, self.material.around(), batch=8))
        self._known = known

    def _fit(self, mine: NDArray[np.bool_], one: Pass) -> TrainedImage:
        from models.classifier import KernelHead, TrainedImage, fit_regression, fit_scaling, layout_of

        features, network, truth = self._known, self._network, self.material.truth
        assert features is not None and network is not None  # noqa: PT018 - made before
        told = self.told(one)
        told("fitting the head", 0.0, {})
        practice, among, config = self.material.practice, self._among(), self.config()
        mine = mine & ~(practice & (among <= truth).all(axis=1))
        own = mine & ~practice
        cases = [case for case, chosen in zip(self.material.cases, own, strict=True) if chosen]
        fewest = min(len(women) for women in women_by_class(cases).values())
        fold = np.full(len(mine), -1)
        fold[own] = fold_groups(cases, max(2, min(INNER_FOLDS, fewest)), self.plan.measuring.seed + 1)
        layout = layout_of(network, outline=config.outline, around=config.input.around)
        fitted = fit_regression(
            features[mine], truth[mine], fold[mine], layout.blocks, truth.shape[1], among[mine]
        )
        told("fitting the head", 1.0, {})
        scaling = fit_scaling(fitted.inner_logits[own[mine]], truth[own])
        said = (scaling(fitted.inner_logits[own[mine]]) * truth[own]).sum(axis=1)
        self.inner_loss = float(-np.log(np.maximum(said, 1e-12)).mean())
        head = KernelHead(network, config, fitted.regression, self._reader)
        return TrainedImage(head, scaling, fitted.curve)

    def _tune_beside(self, trained: TrainedImage, mine: NDArray[np.bool_], one: Pass) -> None:
        """Tune a second network on some images and put it beside the head."""
        from models.classifier import (
            KernelHead,
            TuningRecipe,
            Variation,
            build_beside,
            shallow_maps,
            tune_network,
        )

        assert isinstance(trained.head, KernelHead)
        how, kernel, truth = self.plan.augmentation, self.plan.kernel, self.material.truth
        recipe = TuningRecipe(
            epochs=kernel.beside_epochs,
            variation=Variation(how.rotation, how.flip, how.zoom, how.contrast),
            seed=self.plan.measuring.seed,
        )
        network = build_beside(self.config(), kernel.beside_weights)
        variants = self.out / "work" / "variants.npy"
        maps = shallow_maps(network, self.material.pixels(), recipe, variants, self.report)
        trained.curve += tune_network(
            network,
            maps,
            truth.argmax(axis=1),
            mine & (truth.sum(axis=1) == 1),
            recipe,
            self.out / one.folder,
            self.told(one),
        )
        trained.head.beside = network

    def _among(self) -> NDArray[np.bool_]:
        """Return which classes each image teaches to tell apart: all, but practice images only what labels leave open.

        Where the labels of the images measured on leave nothing open, practice images teach all too.
        """
        truth, cases = self.material.truth, self.material.cases
        among = np.ones_like(truth)
        groups = told_apart([case.label for case in cases if not case.practice], self.material.classes)
        if len(groups) < len(self.material.classes):
            for group in groups:
                inside = np.isin(np.arange(len(self.material.classes)), group)
                for row, case in enumerate(cases):
                    if case.practice and (truth[row] <= inside).all():
                        among[row] = inside
        return among
