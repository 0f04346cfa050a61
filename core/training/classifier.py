"""Training classifiers of single images: from a manifest or a folder to weights, card, curves and metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder, write_whole
from core.rules.vocabulary import DENSITIES, FINDINGS
from core.sets import (
    INNER_FOLDS,
    CaseError,
    Cases,
    ImageCase,
    PreparedCases,
    Report,
    choose_classes,
    fold_groups,
    late_rows,
    may_be,
    near_duplicates,
    part_groups,
    prepare_cases,
    told_apart,
    women_by_class,
)
from core.training.runs import TrainingError, same_plan, write_curves
from models.classifier import ImageInput, check_box

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    import keras

    from models.classifier import ImageConfig, ImageRecipe, Scaling, TrainedImage
    from models.view import Lesion

__all__ = ["ImagePlan", "LeakageError", "train_image"]

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
PRACTICE = "practice"


class LeakageError(TrainingError):
    """One woman, or one picture, would be in two parts of the set; the message names them."""


@dataclass(frozen=True)
class ImagePlan:
    """What a run was asked for; a run goes on only under the same plan."""

    task: str
    classes: str | None = None
    backbone: str = "compact"
    weights: str | None = None
    region: str = "image"
    steps: tuple[str, ...] = ("normalise",)
    shape: tuple[int, int] = (224, 224)
    rotation: float = 12.0
    flip: bool = True
    zoom: float = 0.12
    contrast: float = 0.25
    minutes: float = 30.0
    epochs: int = 60
    patience: int = 8
    folds: int = 0
    seed: int = 0
    name: str = "image"
    width: float = 1.0
    head: str = "dense"
    density_from: str | None = None
    outline: bool = False
    turns: bool = False
    lesion_steps: int = 150
    lesion_map: str | None = None
    beside: str | None = None
    beside_weights: str | None = None
    beside_epochs: int = 12


def train_image(
    cases: Cases, out: Path, plan: ImagePlan, report: Report, about: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Train a classifier and write it to `out`; a killed run goes on where it stopped.

    Parameters
    ----------
    cases
        Labelled images as `core.sets.cases.gather_cases` gives them.
    out
        Folder for the model: weights, card, curves.csv, metrics.json, predictions.csv, report.html; its `work`
        holds cache and state.
    plan
        Task, classes, backbone, preprocessing, augmentation, budget.
    report
        Told of progress.
    about
        What the card is to say: some of title, trained_on, licence, intended_use, limits, simulated_training.

    Returns
    -------
    dict
        The metrics on the test images, or out of fold, as written to `metrics.json`.

    Raises
    ------
    TrainingError
        If there is too little to learn from, or `out` holds another run.
    LeakageError
        If a woman or a picture would be in two parts.
    CaseError
        If the classes cannot be chosen so.
    """
    begun = time.monotonic()
    chosen, classes = choose_classes(cases, plan.classes)
    _check_counts(chosen.cases, classes)
    wanted = ImageInput(plan.shape, plan.region, plan.steps, plan.lesion_map is not None)
    private_folder(out / "work")
    prepared = prepare_cases(chosen.cases, wanted, out / "work" / "cache", report)
    readable = [case for case, ok in zip(chosen.cases, prepared.readable, strict=True) if ok]
    if not readable:
        place, why = next(iter(prepared.left_out.items()))
        raise TrainingError(f"None of the images can be used. {chosen.cases[place].source}: {why}")
    cases.notices += _mixed(readable, prepared, plan)
    rows = np.flatnonzero(prepared.readable)
    twins = near_duplicates(prepared.sketches, prepared.readable)
    place_of = {int(row): place for place, row in enumerate(rows)}
    pairs = [(place_of[i], place_of[j]) for i, j, _ in twins]
    if not chosen.grouped and not any(case.split for case in readable):
        readable, joined = _join(readable, pairs)
        if joined:
            cases.notices.append(
                f"{joined} near duplicates stay together in one part, as if of one woman: "
                + _pairs([(readable[i], readable[j]) for i, j in pairs])
            )
    if plan.head == "kernel" and plan.weights is None:
        raise TrainingError("A kernel head reads a backbone that has learned already: give its --weights.")
    if plan.lesion_map is not None and (plan.head != "kernel" or plan.region != "box"):
        raise TrainingError("A lesion map is read around boxes: use it with --head kernel and --region box.")
    if plan.beside and (plan.head != "kernel" or plan.beside_weights is None):
        raise TrainingError(
            "--beside tunes a second network beside a kernel head: give --head kernel and its --beside-weights."
        )
    if plan.turns and plan.shape[0] != plan.shape[1]:
        raise TrainingError("Only squares can be turned by quarters: choose a --size such as 160x160.")
    if plan.head == "lesions":
        _check_lesions(readable, classes, plan)
    parts = _parts(readable, plan)
    _check_leakage(readable, parts, pairs)
    plan_values = json.loads(json.dumps(asdict(plan)))
    labels = [
        f"{case.group} {case.label} {case.box} {part}" for case, part in zip(readable, parts, strict=True)
    ]
    same_plan(out / "work" / "plan.json", plan_values, [case.path for case in readable], labels)
    truth = np.array([may_be(case.label, classes) for case in readable], bool)
    if plan.head != "kernel" and (truth.sum(axis=1) > 1).any():
        open_ = next(case for case in readable if sum(may_be(case.label, classes)) > 1)
        raise TrainingError(
            f"{open_.source}: {open_.label!r} leaves open which class it is. Use --head kernel, which learns from such "
            "labels, or join the classes with --classes."
        )
    left_out = {chosen.cases[place].source: why for place, why in prepared.left_out.items()}
    run = _Run(
        readable, rows, truth, classes, prepared, plan, wanted, out, report, begun, left_out, about or {}
    )
    return run.folds(parts) if plan.folds else run.once(parts)


def _check_counts(cases: Sequence[ImageCase], classes: Sequence[str]) -> None:
    for place, name in enumerate(classes):
        own = [case for case in cases if may_be(case.label, classes)[place]]
        if len(own) == 0:
            raise CaseError(f"No image is of the class {name!r}.")
        if len(own) == 1:
            raise TrainingError(
                f"The class {name!r} has one image only ({own[0].source}). Add images, or leave the class out with "
                "--classes."
            )


def _check_lesions(cases: Sequence[ImageCase], classes: Sequence[str], plan: ImagePlan) -> None:
    """Stop where there is nothing that a head on lesions could learn from."""
    from models.classifier import parts_of

    try:
        parts_of(classes)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    if plan.region != "breast" or plan.backbone != "compact":
        raise TrainingError("A head on lesions reads mammograms: use --region breast and --backbone compact.")
    if not any(case.lesions for case in cases):
        raise TrainingError(
            "A head on lesions learns from boxes, and the manifest draws none (roi_x0 to roi_y1)."
        )


def _fitted_on(plan: ImagePlan) -> str:
    """Say on which images a model's probabilities were scaled."""
    if plan.beside and plan.folds:
        return "what it said out of fold"
    if plan.head == "kernel":
        return "inner folds by woman"
    return "what it said out of fold" if plan.head == "lesions" and plan.folds else "the validation images"


def _one_of(label: str | None, classes: Sequence[str]) -> int:
    """Return the place of a label among classes, -1 where it leaves open which it is."""
    return classes.index(label) if label in classes else -1


def _mixed(cases: Sequence[ImageCase], prepared: PreparedCases, plan: ImagePlan) -> list[str]:
    """Return notices on what differs between images."""
    notices = []
    sizes = sorted({size for size in prepared.sizes if size is not None}, key=lambda size: size[0] * size[1])
    if len(sizes) > 1:
        smallest, largest = (f"{columns} × {rows}" for rows, columns in (sizes[0], sizes[-1]))
        notices.append(
            f"The images have {len(sizes)} sizes, from {smallest} to {largest}; each is fitted into "
            f"{plan.shape[1]} × {plan.shape[0]}."
        )
    modalities = sorted({case.modality for case in cases})
    if len(modalities) > 1:
        notices.append(f"The images are of several modalities: {', '.join(modalities)}.")
    return notices


def _join(cases: list[ImageCase], pairs: Sequence[tuple[int, int]]) -> tuple[list[ImageCase], int]:
    """Give near duplicates one group; return the cases and how many were joined."""
    group = [case.group for case in cases]
    for i, j in pairs:
        old, new = group[j], group[i]
        if old != new:
            group = [new if one == old else one for one in group]
    moved = sum(a != case.group for a, case in zip(group, cases, strict=True))
    return [replace(case, group=one) for case, one in zip(cases, group, strict=True)], moved


def _parts(cases: Sequence[ImageCase], plan: ImagePlan) -> list[str]:
    """Return each case's part: practice, else as stated, else parted here; folds are parts named by their number."""
    own = iter(_parts_of([case for case in cases if not case.practice], plan))
    return [PRACTICE if case.practice else next(own) for case in cases]


def _parts_of(cases: Sequence[ImageCase], plan: ImagePlan) -> list[str]:
    if plan.folds:
        return [str(fold) for fold in fold_groups(cases, plan.folds, plan.seed)]
    stated = [case.split for case in cases]
    if not any(stated):
        return part_groups(cases, SHARES, plan.seed)
    by_group = {case.group: case.split for case in cases if case.split}
    parts = [case.split or by_group.get(case.group) or "train" for case in cases]
    if "validation" not in parts:
        train = [i for i, part in enumerate(parts) if part == "train"]
        shares = {"train": 0.82, "validation": 0.18}
        for i, part in zip(train, part_groups([cases[i] for i in train], shares, plan.seed), strict=True):
            parts[i] = part
    for part in ("train", "validation"):
        missing = {case.label for case in cases} - {
            case.label for case, one in zip(cases, parts, strict=True) if one == part
        }
        if missing:
            raise TrainingError(
                f"No {part} image is of the class {min(missing)!r}. Change the split column, or leave it empty."
            )
    return parts


def _check_leakage(
    cases: Sequence[ImageCase], parts: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> None:
    """Stop where a woman or a picture is in two parts, naming them."""
    seen: dict[str, set[str]] = {}
    for case, part in zip(cases, parts, strict=True):
        seen.setdefault(case.group, set()).add(part)
    torn = sorted(group for group, where in seen.items() if len(where) > 1)
    if torn:
        named = ", ".join(f"{group} ({' and '.join(sorted(seen[group]))})" for group in torn[:10])
        raise LeakageError(
            f"{len(torn)} women or groups are in more than one split: {named}{', …' if len(torn) > 10 else ''}. "
            "Put each into one split."
        )
    across = [(cases[i], cases[j]) for i, j in pairs if parts[i] != parts[j]]
    if across:
        raise LeakageError(
            f"{len(across)} near duplicates are in two splits: {_pairs(across)}. Leave one of each out, or give both "
            "the same patient_id and split."
        )


def _pairs(pairs: Sequence[tuple[ImageCase, ImageCase]]) -> str:
    named = "; ".join(f"{a.name} and {b.name}" for a, b in pairs[:10])
    return named + ("; …" if len(pairs) > 10 else "")


@dataclass
class _Run:
    cases: list[ImageCase]
    rows: NDArray[np.intp]
    truth: NDArray[np.bool_]
    classes: tuple[str, ...]
    prepared: PreparedCases
    plan: ImagePlan
    wanted: ImageInput
    out: Path
    report: Report
    begun: float
    left_out: dict[str, str]
    about: dict[str, Any]
    _known: NDArray[np.float32] | None = None
    _network: keras.Model | None = None
    _reader: keras.Model | None = None

    def once(self, parts: list[str]) -> dict[str, Any]:
        """Train on one split and measure on the test images."""
        where = np.array(parts)
        learned = np.isin(where, ["train", PRACTICE])
        trained = self._train(learned, where == "validation", "work/state", 1, "")
        held = "test" if (where == "test").any() else "validation"
        tested = np.flatnonzero(where == held)
        said = self._predict(trained, tested)
        seen = [i for i, part in enumerate(parts) if part in ("train", "validation", PRACTICE)]
        note = f"{held} images, one split by woman" + (
            "" if held == "test" else " (no test images: early stopping and scaling saw them)"
        )
        return self._finish(trained, tested, said, where[tested].tolist(), note, seen)

    def folds(self, parts: list[str]) -> dict[str, Any]:
        """Cross-validate, measure out of fold, then train the model that is kept on all images."""
        fold = np.array([-1 if part == PRACTICE else int(part) for part in parts])
        if self.plan.head == "lesions":
            return self._lesion_folds(fold)
        count = self.plan.folds
        said = np.zeros((len(self.cases), len(self.classes)))
        for k in range(count):
            train, validation = self._inner(fold != k)
            name = f"fold {k + 1} of {count}: "
            trained = self._train(train, validation, f"work/fold-{k}", count + 1 - k, name)
            said[fold == k] = self._predict(trained, np.flatnonzero(fold == k))
        train, validation = self._inner(np.ones(len(fold), bool))
        trained = self._train(train, validation, "work/state", 1, "all images: ")
        measured = np.flatnonzero(fold >= 0)
        if self.plan.beside:
            said, trained.scaling = self._scaled(said, fold)
        where = [f"fold {k + 1}" for k in fold[measured]]
        note = f"out of fold, {count} folds by woman; the model that is kept is trained on all images"
        return self._finish(trained, measured, said[measured], where, note, list(range(len(fold))))

    def _lesion_folds(self, fold: NDArray[np.int64]) -> dict[str, Any]:
        """Cross-validate a head on lesions, which nothing stops early: a fold is scaled by what the others reached."""
        count = self.plan.folds
        logits = np.zeros((len(self.cases), len(self.classes)))
        for k in range(count):
            name = f"fold {k + 1} of {count}: "
            trained = self._train_lesions(fold != k, f"work/fold-{k}", count + 1 - k, name)
            logits[fold == k] = self._logits(trained, np.flatnonzero(fold == k))
        measured = np.flatnonzero(fold >= 0)
        trained = self._train_lesions(np.ones(len(fold), bool), "work/state", 1, "all images: ")
        said, trained.scaling = self._scaled(logits, fold)
        where = [f"fold {k + 1}" for k in fold[measured]]
        note = f"out of fold, {count} folds by woman; the model that is kept is trained on all images"
        return self._finish(trained, measured, said[measured], where, note, list(range(len(fold))))

    def _scaled(
        self, logits: NDArray[np.float64], fold: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], Scaling]:
        """Scale what was said out of fold, each fold by what the others reached; return that, and the scaling by all."""
        from models.classifier import fit_scaling

        said = np.zeros_like(logits)
        for k in range(self.plan.folds):
            others = (fold >= 0) & (fold != k)
            said[fold == k] = fit_scaling(logits[others], self.truth[others])(logits[fold == k])
        return said, fit_scaling(logits[fold >= 0], self.truth[fold >= 0])

    def _inner(self, mine: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Part a fold's training images into those to learn from and those to stop on."""
        practice = np.array([case.practice for case in self.cases])
        places = np.flatnonzero(mine & ~practice)
        shares = {"train": 0.85, "validation": 0.15}
        inner = np.array(part_groups([self.cases[i] for i in places], shares, self.plan.seed))
        train, validation = mine & practice, np.zeros(len(mine), bool)
        train[places[inner == "train"]] = True
        validation[places[inner == "validation"]] = True
        return train, validation

    def _train(
        self, train: NDArray[np.bool_], validation: NDArray[np.bool_], folder: str, left: int, stage: str
    ) -> TrainedImage:
        from models.classifier import LabelledImages, fit_scaling, train_image_network

        def images(mine: NDArray[np.bool_]) -> LabelledImages:
            return LabelledImages(
                late_rows(self.prepared.pixels, self.rows[mine].tolist()),
                self.truth[mine].argmax(axis=1),
                None if features is None else features[mine],
            )

        config = self._config()
        if self.plan.head == "lesions":
            trained = self._train_lesions(train, folder, left, stage)
            held = np.flatnonzero(validation)
            trained.scaling = fit_scaling(self._logits(trained, held), self.truth[held])
            return trained
        try:
            features = self._features(config)
            if self.plan.head == "kernel":
                trained = self._fit_head(train | validation, stage)
                if self.plan.beside:
                    self._tune_beside(trained, train | validation, folder, stage)
                return trained
            spent = time.monotonic() - self.begun
            seconds = max(5.0, (self.plan.minutes * 60 - spent) / left)
            return train_image_network(
                config,
                self.plan.weights,
                images(train),
                images(validation),
                self._recipe(seconds),
                self.out / folder,
                lambda name, done, figures: self.report(stage + name, done, figures),
            )
        except ValueError as error:
            raise TrainingError(str(error)) from error

    def _train_lesions(self, mine: NDArray[np.bool_], folder: str, left: int, stage: str) -> TrainedImage:
        """Train an encoder with a lesion map on some images and the boxes drawn in them."""
        from models.classifier import LesionRecipe, Scaling, TrainedImage, train_lesion_network
        from models.view import LabelledViews

        chosen = np.flatnonzero(mine)
        cases = [self.cases[i] for i in chosen]
        views = LabelledViews(
            pixels=late_rows(self.prepared.pixels, self.rows[chosen].tolist()),
            lesions=[self._lesions(int(i)) for i in chosen],
            finding=np.array([_one_of(case.label, FINDINGS) for case in cases], np.int64),
            density=np.array([_one_of(case.density, DENSITIES) for case in cases], np.int64),
            boxed=np.array([case.label == FINDINGS[0] or bool(case.lesions) for case in cases], bool),
        )
        spent = time.monotonic() - self.begun
        recipe = LesionRecipe(
            seconds=max(5.0, (self.plan.minutes * 60 - spent) / left),
            steps=self.plan.lesion_steps,
            seed=self.plan.seed,
        )
        try:
            network, curve = train_lesion_network(
                self.plan.weights,
                self.plan.shape,
                views,
                recipe,
                self.out / folder,
                lambda name, done, figures: self.report(stage + name, done, figures),
            )
        except (LookupError, ValueError) as error:
            raise TrainingError(str(error)) from error
        return TrainedImage(network, Scaling(), curve)

    def _lesions(self, place: int) -> list[Lesion]:
        """Return the boxes drawn in an image, in pixels of what is shown of it."""
        from models.view import Lesion

        case, row = self.cases[place], self.rows[place]
        transform, size = self.prepared.transforms[row], self.prepared.sizes[row]
        assert transform is not None and size is not None  # noqa: PT018 - of images that could be read
        lesions = []
        for box, malignant in case.lesions:
            try:
                x0, y0, x1, y1 = transform.box_to_network(*check_box(box, size))
            except ValueError as error:
                raise TrainingError(f"{case.source}: {error}") from error
            lesions.append(Lesion(x0, y0, x1, y1, malignant))
        return lesions

    def _config(self) -> ImageConfig:
        from models.classifier import ImageConfig

        plan = self.plan
        return ImageConfig(
            self.classes,
            self.wanted,
            plan.backbone,
            plan.width,
            plan.head,
            plan.flip,
            plan.turns,
            plan.outline,
            plan.beside,
        )

    def _tune_beside(self, trained: TrainedImage, mine: NDArray[np.bool_], folder: str, stage: str) -> None:
        """Tune a second network on some images and put it beside a kernel head; then nothing is scaled yet."""
        from models.classifier import (
            Scaling,
            TuningRecipe,
            Variation,
            build_beside,
            shallow_maps,
            tune_network,
        )

        plan = self.plan
        recipe = TuningRecipe(
            epochs=plan.beside_epochs,
            variation=Variation(plan.rotation, plan.flip, plan.zoom, plan.contrast),
            seed=plan.seed,
        )
        network = build_beside(self._config(), plan.beside_weights)
        pixels = late_rows(self.prepared.pixels, self.rows.tolist())
        maps = shallow_maps(network, pixels, recipe, self.out / "work" / "variants.npy", self.report)
        trained.curve += tune_network(
            network,
            maps,
            self.truth.argmax(axis=1),
            mine & (self.truth.sum(axis=1) == 1),
            recipe,
            self.out / folder,
            lambda name, done, figures: self.report(stage + name, done, figures),
        )
        trained.beside = network
        if plan.folds:
            trained.scaling = Scaling()

    def _fit_head(self, mine: NDArray[np.bool_], stage: str) -> TrainedImage:
        """Fit a kernel head to some images; what it is stopped by are inner folds of them."""
        from models.classifier import TrainedImage, fit_head, fit_scaling, layout_of

        features = self._features(self._config())
        network = self._network
        assert features is not None and network is not None  # noqa: PT018 - made before
        self.report(f"{stage}fitting the head", 0.0, {})
        practice = np.array([case.practice for case in self.cases])
        among = self._among()
        mine = mine & ~(practice & (among <= self.truth).all(axis=1))
        own = mine & ~practice
        cases = [case for case, one in zip(self.cases, own, strict=True) if one]
        fewest = min(len(women) for women in women_by_class(cases).values())
        fold = np.full(len(mine), -1)
        fold[own] = fold_groups(cases, max(2, min(INNER_FOLDS, fewest)), self.plan.seed + 1)
        blocks = layout_of(
            network, self.plan.region, outline=self.plan.outline, around=self.wanted.around
        ).blocks
        fitted = fit_head(
            features[mine], self.truth[mine], fold[mine], blocks, len(self.classes), among[mine]
        )
        self.report(f"{stage}fitting the head", 1.0, {})
        scaling = fit_scaling(fitted.inner_logits[own[mine]], self.truth[own])
        return TrainedImage(network, scaling, fitted.curve, fitted.head)

    def _among(self) -> NDArray[np.bool_]:
        """Return which classes each image teaches to tell apart: all, but practice images only what labels leave open.

        Where the labels of the images measured on leave nothing open, practice images teach all too.
        """
        among = np.ones_like(self.truth)
        groups = told_apart([case.label for case in self.cases if not case.practice], self.classes)
        if len(groups) < len(self.classes):
            for group in groups:
                inside = np.isin(np.arange(len(self.classes)), group)
                for row, case in enumerate(self.cases):
                    if case.practice and (self.truth[row] <= inside).all():
                        among[row] = inside
        return among

    def _features(self, config: ImageConfig) -> NDArray[np.float32] | None:
        """Return the frozen backbone's features of all images, made once for all folds; None without weights."""
        from models.classifier import build_feature_network, kernel_features, pretrained_features, with_facts

        if self._known is not None or self.plan.weights is None:
            return self._known
        pixels = late_rows(self.prepared.pixels, self.rows.tolist())
        path, flip = self.out / "work" / "features.npz", self.plan.flip
        if self.plan.head == "kernel":
            self._network = build_feature_network(config, self.plan.weights)
            self._known = kernel_features(self._network, config, pixels, path, self.report)
            if self.plan.lesion_map is not None:
                self._known = with_facts(self._known, self._lesion_facts(self.plan.lesion_map))
        else:
            self._known = pretrained_features(config, self.plan.weights, pixels, path, self.report, flip=flip)
        return self._known

    def _lesion_facts(self, lesion_map: str) -> NDArray[np.float32]:
        """Return what a longitudinal model's lesion map says of each box."""
        from models.classifier import build_lesion_reader, lesion_facts

        assert self.prepared.around is not None
        try:
            self._reader = build_lesion_reader(lesion_map)
        except LookupError as error:
            raise TrainingError(str(error)) from error
        return lesion_facts(self._reader, late_rows(self.prepared.around, self.rows.tolist()), batch=8)

    def _recipe(self, seconds: float) -> ImageRecipe:
        from models.classifier import Augmentation, ImageRecipe

        plan = self.plan
        return ImageRecipe(
            seconds=seconds,
            epochs=plan.epochs,
            patience=plan.patience,
            augmentation=Augmentation(plan.rotation, plan.flip, plan.zoom, plan.contrast),
            seed=plan.seed,
        )

    def _predict(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float64]:
        from models.classifier import beside_logits, joined

        if trained.head is not None:
            assert self._known is not None
            logits = trained.head.logits(self._known[places])
            if trained.beside is None:
                return trained.scaling(logits)
            pixels = late_rows(self.prepared.pixels, self.rows[places].tolist())
            both = joined([logits, beside_logits(trained.beside, self._config(), pixels)])
            # Out of fold the log-probabilities themselves are wanted: all folds are scaled together.
            return both if self.plan.folds else trained.scaling(both)
        return trained.scaling(self._logits(trained, places))

    def _logits(self, trained: TrainedImage, places: NDArray[np.intp]) -> NDArray[np.float64]:
        from models.classifier import network_logits

        pixels = late_rows(self.prepared.pixels, self.rows[places].tolist())
        return network_logits(trained.network, self._config(), pixels)

    def _finish(
        self,
        trained: TrainedImage,
        places: NDArray[np.intp],
        said: NDArray[np.float64],
        where: list[str],
        note: str,
        seen: list[int],
    ) -> dict[str, Any]:
        from core.evaluation import (
            SEEN,
            as_told_apart,
            measure_cases,
            prediction_rows,
            sha256_of_cases,
            write_evaluation,
        )
        from models.classifier import ImageModel
        from models.store import ModelCard

        plan, out = self.plan, self.out
        tested = [self.cases[i] for i in places]
        label, said, classes = as_told_apart(tested, said, self.classes)
        table = prediction_rows(tested, label, said, classes, where)
        measured = {
            "measured_on": note,
            **measure_cases(table, classes),
            "images": {"used": len(self.cases), "left_out": self.left_out},
        }
        write_whole(out / SEEN, json.dumps(sorted(set(sha256_of_cases([self.cases[i] for i in seen])))))
        own = [case for case in self.cases if not case.practice]
        practice = len(self.cases) - len(own)
        facts: dict[str, Any] = {
            "title": f"{plan.task.capitalize()} of single images ({plan.backbone})",
            "trained_on": f"{len(own)} images of {len({case.group for case in own})} women or groups, from the files "
            f"given{f', and {practice} for practice' if practice else ''}",
            "licence": "As the training data allow",
            "intended_use": "Research and teaching. It supports a reader and never replaces one.",
            "limits": "Not validated for clinical use.",
            "simulated_training": False,
        } | self.about
        card = ModelCard(
            name=plan.name,
            **facts,
            metrics=measured | {"images": {"used": len(self.cases), "left_out": len(self.left_out)}},
            weights_sha256="",
            encoder_sha256="",
            calibration="slope and bias on log-odds, fitted on " + _fitted_on(plan),
            created=date.today().isoformat(),
            files={SEEN: ""},
            settings={
                "task": plan.task,
                "classes": plan.classes,
                "modalities": sorted({case.modality for case in self.cases}),
                # A card travels: where the weights lay on this machine is nobody's business.
                "plan": json.loads(json.dumps(asdict(plan)))
                | {
                    "weights": Path(plan.weights).name if plan.weights else None,
                    "beside_weights": Path(plan.beside_weights).name if plan.beside_weights else None,
                },
            },
        )
        ImageModel(
            card, trained.network, self._config(), trained.scaling, trained.head, self._reader, trained.beside
        ).save(out)
        write_curves(out / "curves.csv", trained.curve)
        write_evaluation(out, table, measured, card.title, trained.curve)
        return measured
