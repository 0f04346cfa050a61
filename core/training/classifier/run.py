"""Training classifiers of single images: from a manifest or a folder to weights, card, curves and metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder, write_whole
from core.sets import (
    CaseError,
    Cases,
    ImageCase,
    PreparedCases,
    choose_classes,
    may_be,
    near_duplicates,
    prepare_cases,
)
from core.training.classifier.auto import AutoTraining
from core.training.classifier.both import Together, put_together
from core.training.classifier.dense import DenseTraining
from core.training.classifier.detector import DetectorTraining
from core.training.classifier.domain import picture_domain
from core.training.classifier.heads import HeadTraining, Material, Pass, shown_input
from core.training.classifier.kernel import KernelTraining
from core.training.classifier.parts import Part, assign_parts, check_leakage, join_twins, named_pairs
from core.training.classifier.plan import ImagePlan, RecipeName
from core.training.runs import TrainingError, same_plan, write_curves
from models.classifier import HeadName, Region
from models.measures import check_enough, spread_of
from models.store import OnProgress

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.classifier import Scaling, TrainedImage
    from models.measures import Domain
    from models.store import ModelCard

    _Known = tuple[Domain | None, dict[str, Any]]

__all__ = ["TRAININGS", "train_image"]

TRAININGS: dict[HeadName, type[HeadTraining]] = {
    training.name: training for training in (DenseTraining, KernelTraining, DetectorTraining)
}
WORK = "work"
"""Folder of a run that holds what it goes on from after it was killed."""


def train_image(
    cases: Cases, out: Path, plan: ImagePlan, report: OnProgress, about: dict[str, Any] | None = None
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
        If the classes cannot be chosen so, or lesions moved there from other women are not for practice.
    """
    begun = time.monotonic()
    kind = AutoTraining if plan.network.recipe is RecipeName.AUTO else TRAININGS[plan.network.head]
    kind.check_plan(plan)
    chosen, classes = choose_classes(cases, plan.pictures.classes)
    _check_counts(chosen.cases, classes)
    private_folder(out)
    private_folder(out / WORK)
    prepared = prepare_cases(chosen.cases, shown_input(plan), out / WORK / "cache", report)
    readable, pairs, notices = _readable(chosen, prepared, plan)
    cases.notices += notices
    kind.check_cases(readable, classes, plan)
    parts = assign_parts(readable, plan.measuring)
    check_leakage(readable, parts, pairs)
    labels = [
        f"{case.group} {case.label} {case.box} {part}" for case, part in zip(readable, parts, strict=True)
    ]
    same_plan(out / WORK / "plan.json", plan.to_json(), [case.path for case in readable], labels)
    truth = np.array([may_be(case.label, classes) for case in readable], bool)
    if not kind.takes_open_labels and (truth.sum(axis=1) > 1).any():
        open_ = next(case for case in readable if sum(may_be(case.label, classes)) > 1)
        raise TrainingError(
            f"{open_.source}: {open_.label!r} leaves open which class it is. Use --head kernel, which learns from such "
            "labels, or join the classes with --classes."
        )
    material = Material(readable, np.flatnonzero(prepared.readable), truth, classes, prepared)
    left_out = {chosen.cases[place].source: why for place, why in prepared.left_out.items()}
    run = _Run(kind(plan, material, out, report, begun), left_out, about or {}, cases.notices)
    return run.folds(parts) if plan.measuring.folds else run.once(parts)


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


def _readable(
    chosen: Cases, prepared: PreparedCases, plan: ImagePlan
) -> tuple[list[ImageCase], list[tuple[int, int]], list[str]]:
    """Return the cases that can be used, which two of them show one picture, and notices on them."""
    readable = [case for case, ok in zip(chosen.cases, prepared.readable, strict=True) if ok]
    if not readable:
        place, why = next(iter(prepared.left_out.items()))
        raise TrainingError(f"None of the images can be used. {chosen.cases[place].source}: {why}")
    notices = _mixed(readable, prepared, plan.pictures.shape)
    place_of = {int(row): place for place, row in enumerate(np.flatnonzero(prepared.readable))}
    twins = near_duplicates(prepared.sketches, prepared.readable)
    pairs = [(place_of[i], place_of[j]) for i, j, _ in twins]
    if not chosen.grouped and not any(case.split for case in readable):
        readable, joined = join_twins(readable, pairs)
        if joined:
            notices.append(
                f"{joined} near duplicates stay together in one part, as if of one woman: "
                + named_pairs([(readable[i], readable[j]) for i, j in pairs])
            )
    return readable, pairs, notices


def _mixed(cases: Sequence[ImageCase], prepared: PreparedCases, shape: tuple[int, int]) -> list[str]:
    """Return notices on what differs between images."""
    notices = []
    sizes = sorted({size for size in prepared.sizes if size is not None}, key=lambda size: size[0] * size[1])
    if len(sizes) > 1:
        smallest, largest = (f"{columns} × {rows}" for rows, columns in (sizes[0], sizes[-1]))
        notices.append(
            f"The images have {len(sizes)} sizes, from {smallest} to {largest}; each is fitted into "
            f"{shape[1]} × {shape[0]}."
        )
    modalities = sorted({case.modality for case in cases})
    if len(modalities) > 1:
        notices.append(f"The images are of several modalities: {', '.join(modalities)}.")
    return notices


@dataclass(frozen=True)
class _Said:
    """What a run measures: probabilities (m, classes) of the images at some places (m,), and the part of each.

    `seen` are the places of the images that the model which is kept has seen; `pointed` is what
    `HeadTraining.pointed` says of those measured.
    """

    places: NDArray[np.intp]
    shares: NDArray[np.float64]
    where: list[str]
    note: str
    seen: list[int]
    pointed: dict[int, list[bool]]


@dataclass(frozen=True)
class _Run:
    training: HeadTraining
    left_out: dict[str, str]
    about: dict[str, Any]
    notices: list[str]

    def once(self, parts: list[str]) -> dict[str, Any]:
        """Train on one split and measure on the test images."""
        where = np.array(parts)
        learned = self.training.material.teaching(np.isin(where, [Part.VALIDATION, Part.TEST]))
        trained = self.training.train(learned, where == Part.VALIDATION, Pass())
        held = Part.TEST if (where == Part.TEST).any() else Part.VALIDATION
        tested = np.flatnonzero(where == held)
        shares = trained.scaling(self.training.logits(trained, tested))
        seen = [i for i, part in enumerate(parts) if part in (Part.TRAIN, Part.VALIDATION, Part.PRACTICE)]
        note = f"{held} images, one split by woman" + (
            "" if held is Part.TEST else " (no test images: early stopping and scaling saw them)"
        )
        known = self._known_after_one(trained, np.flatnonzero(where == Part.TRAIN), tested)
        pointed = self.training.pointed(trained, tested)
        return self._finish(
            trained, _Said(tested, shares, where[tested].tolist(), note, seen, pointed), known
        )

    def folds(self, parts: list[str]) -> dict[str, Any]:
        """Cross-validate, measure out of fold, then train the model that is kept on all images."""
        training, count = self.training, self.training.plan.measuring.folds
        fold = np.array([-1 if part == Part.PRACTICE else int(part) for part in parts])
        said = np.zeros(training.material.truth.shape)
        far = np.zeros(len(fold))
        pointed: dict[int, list[bool]] = {}
        for k in range(count):
            own, others = np.flatnonzero(fold == k), np.flatnonzero((fold >= 0) & (fold != k))
            one = Pass(f"{WORK}/fold-{k}", count + 1 - k, f"fold {k + 1} of {count}: ")
            trained = training.train_fold(training.material.teaching(fold == k), one)
            logits = training.logits(trained, own)
            pointed |= training.pointed(trained, own)
            said[own] = logits if training.scaled_together else trained.scaling(logits)
            # Out of what this fold's network makes of those it learned from: neither has met these women.
            spread = spread_of(training.vectors(trained, others), [], "")
            far[own] = spread.distances(training.vectors(trained, own))
        trained = training.train_fold(np.ones(len(fold), bool), Pass(stage="all images: "))
        if training.scaled_together:
            said, trained.scaling = self._scaled(said, fold)
        measured = np.flatnonzero(fold >= 0)
        where = [f"fold {k + 1}" for k in fold[measured]]
        note = f"out of fold, {count} folds by woman; the model that is kept is trained on all images"
        known = self._known(trained, measured, far[measured], measured)
        everybody = list(range(len(fold)))
        shown = _Said(measured, said[measured], where, note, everybody, pointed)
        pictures, cases = training.plan.pictures, training.material.cases
        together = None
        if pictures.region is Region.BREAST:
            together = put_together(pictures.task, cases, said, training.material.truth, fold)
        return self._finish(trained, shown, known, together)

    def _known_after_one(
        self, trained: TrainedImage, learned: NDArray[np.intp], tested: NDArray[np.intp]
    ) -> _Known:
        """Return the domain of a model that was trained on one split, its limit set on the others if they are enough."""
        women = [self.training.material.cases[i].group for i in tested]
        try:
            check_enough(women)
        except ValueError:
            everybody = np.concatenate([learned, tested])
            return self._known(trained, everybody, None, everybody)
        training = self.training
        spread = spread_of(training.vectors(trained, learned), [], "")
        return self._known(trained, learned, spread.distances(training.vectors(trained, tested)), tested)

    def _known(
        self,
        trained: TrainedImage,
        learned: NDArray[np.intp],
        far: NDArray[np.float64] | None,
        judged: NDArray[np.intp],
    ) -> _Known:
        """Return the domain of the images at some places, its limit set by how far those judged lie out."""
        cases = self.training.material.cases
        women, others = ([cases[i].group for i in places] for places in (learned, judged))
        try:
            return picture_domain(self.training.vectors(trained, learned), women, far, others)
        except ValueError as error:
            self.notices.append(f"{error} What this model says is withheld until it is said which it knows.")
            return None, {}

    def _scaled(
        self, logits: NDArray[np.float64], fold: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], Scaling]:
        """Scale what was said out of fold, each fold by what the others reached; return that, and the scaling by all."""
        from models.classifier import fit_scaling

        truth = self.training.material.truth
        said = np.zeros_like(logits)
        for k in range(self.training.plan.measuring.folds):
            others = (fold >= 0) & (fold != k)
            said[fold == k] = fit_scaling(logits[others], truth[others])(logits[fold == k])
        return said, fit_scaling(logits[fold >= 0], truth[fold >= 0])

    def _finish(
        self, trained: TrainedImage, said: _Said, known: _Known, together: Together | None = None
    ) -> dict[str, Any]:
        """Measure, and write the model with its card, curves and report."""
        from core.evaluation import (
            SEEN,
            as_told_apart,
            measure_cases,
            prediction_rows,
            sha256_of_cases,
            write_evaluation,
        )
        from models.classifier import ImageModel

        material, out = self.training.material, self.training.out
        tested = [material.cases[i] for i in said.places]
        label, shares, classes = as_told_apart(tested, said.shares, material.classes)
        table = prediction_rows(tested, label, shares, classes, said.where)
        measured = {
            "measured_on": said.note,
            **measure_cases(table, classes),
            **self._measured_films(tested, said),
            **self._measured_together(together),
            "images": {"used": len(material.cases), "left_out": self.left_out},
        }
        seen = sorted(set(sha256_of_cases([material.cases[i] for i in said.seen])))
        write_whole(out / SEEN, json.dumps(seen))
        domain, facts = known
        card = self._card(measured, {SEEN: ""})
        if domain is not None:
            card = replace(card, settings=card.settings | {"domain": facts})
        both = together.how if together is not None else None
        ImageModel(card, trained.head, trained.scaling, domain, both).save(out)
        write_curves(out / "curves.csv", trained.curve)
        write_evaluation(out, table, measured, card.title, trained.curve)
        return measured

    def _measured_films(self, tested: list[ImageCase], said: _Said) -> dict[str, Any]:
        """Measure whole films beside the other breast, and where the model points, where there is any of that."""
        from core.evaluation import measure_films, measure_pointing

        cases, plan = self.training.material.cases, self.training.plan
        whole = plan.pictures.task == "finding" and plan.pictures.region is Region.BREAST
        films = measure_films(tested, said.shares, self.training.material.classes) if whole else None
        measured = {} if films is None else {"films": films}
        if said.pointed:
            women = [cases[place].group for place in said.pointed]
            measured["pointing"] = measure_pointing(list(said.pointed.values()), women)
        return measured

    def _measured_together(self, together: Together | None) -> dict[str, Any]:
        """Measure what is said of films beside the other breast, where anything is."""
        from core.evaluation import as_told_apart, measure_cases, prediction_rows

        if together is None:
            return {}
        cases = [self.training.material.cases[i] for i in together.places]
        label, shares, classes = as_told_apart(cases, together.shares, self.training.material.classes)
        table = prediction_rows(cases, label, shares, classes, [""] * len(cases))
        return {"both_breasts": measure_cases(table, classes)}

    def _card(self, measured: dict[str, Any], files: dict[str, str]) -> ModelCard:
        from models.store import ModelCard

        plan, cases = self.training.plan, self.training.material.cases
        own = [case for case in cases if not case.practice]
        practice = len(cases) - len(own)
        facts: dict[str, Any] = {
            "title": f"{plan.pictures.task.capitalize()} of single images ({plan.network.backbone})",
            "trained_on": f"{len(own)} images of {len({case.group for case in own})} women or groups, from the files "
            f"given{f', and {practice} for practice' if practice else ''}",
            "licence": "As the training data allow",
            "intended_use": "Research and teaching. It supports a reader and never replaces one.",
            "limits": "Not validated for clinical use.",
            "simulated_training": False,
        } | self.about
        # A card travels: where the weights lay on this machine is nobody's business.
        hidden = {"weights": plan.network.weights, "beside_weights": plan.kernel.beside_weights}
        return ModelCard(
            name=plan.name,
            **facts,
            metrics=measured | {"images": {"used": len(cases), "left_out": len(self.left_out)}},
            weights_sha256="",
            encoder_sha256="",
            calibration="slope and bias on log-odds, fitted on " + self.training.fitted_on,
            created=date.today().isoformat(),
            files=files,
            settings={
                "task": plan.pictures.task,
                "classes": plan.pictures.classes,
                "modalities": sorted({case.modality for case in cases}),
                "plan": plan.to_json()
                | {key: Path(path).name if path else None for key, path in hidden.items()},
                **({"tried": self.training.tried} if self.training.tried else {}),
            },
        )
