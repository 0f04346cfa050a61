"""What an encoder sees of labelled mammograms: a regression on its features, measured out of fold by woman."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.classifier import measure_cases, prediction_rows, write_evaluation
from core.sets import (
    INNER_FOLDS,
    CaseError,
    Cases,
    ExamImage,
    ImageCase,
    check_own_lesions,
    choose_classes,
    encode_views,
    fold_groups,
    may_be,
)
from models.store import OnProgress

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel

__all__ = ["evaluate_encoder"]

MAMMOGRAM = "MG"


@dataclass(frozen=True)
class _Films:
    """Films that the encoder could read: cases, features (n, looks, size), and the sizes of the features' blocks.

    Looks are the film and its mirror image; `paired` films have the other breast's beside them.
    """

    cases: list[ImageCase]
    features: NDArray[np.float32]
    blocks: tuple[int, ...]
    paired: int


def evaluate_encoder(
    model: str | Path,
    cases: Cases,
    out: Path,
    report: OnProgress,
    *,
    classes: str | None = None,
    folds: int = 5,
    both_breasts: bool = True,
    seed: int = 0,
    times: int = 1000,
) -> dict[str, Any]:
    """Measure how much of a label of single mammograms the features of a longitudinal model's encoder tell.

    The encoder stays as it is. In every fold a `models.classifier.kernel_regression.KernelRegression` is fitted to the other women's features,
    its strength chosen on inner folds of them. Writes ``metrics.json``, ``predictions.csv`` and ``report.html`` to `out`,
    in the form of a classifier of single images, so that `core.evaluation.classifier.compare_runs` takes them.

    Parameters
    ----------
    model
        Name of a shipped longitudinal model, or a model's folder.
    cases
        Whole mammograms with a label, as `core.sets.cases.gather_cases` gives them.
    out
        Folder; its `work` keeps standardised views and their vectors, so that a repeat is quick.
    report
        Told of progress.
    classes
        Which classes, the positive one last, `+` joins; None: all.
    folds
        How many, whole women together.
    both_breasts
        Beside a film's features take their difference from the same view of her other breast, where it is among the
        images; where it is not, the difference counts as none.
    seed
        The same gives the same folds.
    times
        Bootstrap draws.

    Raises
    ------
    CaseError
        If an image is no mammogram, shows a lesion moved there from another woman, or its label leaves its class open.
    TrainingError
        If a class has too few women.
    LookupError, ValueError
        If there is no such model, or none of the images can be used.
    """
    from models.film import is_film_encoder
    from models.longitudinal import LongitudinalModel

    check_own_lesions(cases.cases)
    chosen, names = choose_classes(cases, classes)
    _check_mammograms(chosen.cases, names)
    fold_groups(chosen.cases, folds, seed)  # Too few women are told before hours of reading.
    loaded = LongitudinalModel.load(model)
    if is_film_encoder(loaded.encoder):
        raise CaseError(f"{loaded.card.name} is made of a detector: its card says what that tells of films.")
    films, left_out = _read(loaded, chosen.cases, both_breasts, out / "work", report)
    label = np.array([may_be(case.label, names).index(True) for case in films.cases], np.int64)
    fold = fold_groups(films.cases, folds, seed)
    said = _out_of_fold(films, label, fold, len(names), seed, report)
    table = prediction_rows(films.cases, label, said, names, [str(k) for k in fold])
    notices = [
        f"{films.paired} of {len(label)} films are set beside the other breast's."
        if both_breasts
        else "Each film alone."
    ]
    measured: dict[str, Any] = {
        "model": loaded.card.name,
        "encoder_sha256": loaded.card.encoder_sha256,
        "measured_on": f"features of the encoder, which stays as it is; out of fold, {folds} folds by woman",
        "both_breasts": both_breasts,
        "notices": notices,
        **measure_cases(table, names, times=times),
        "images": {"used": len(label), "left_out": left_out},
    }
    write_evaluation(out, table, measured, f"What the encoder sees: {loaded.card.title}")
    return measured


def _check_mammograms(cases: list[ImageCase], names: tuple[str, ...]) -> None:
    """Raise `CaseError` for an image that is no mammogram, or whose label leaves its class open."""
    strange = next((case for case in cases if case.modality != MAMMOGRAM), None)
    if strange is not None:
        raise CaseError(
            f"{strange.source}: an encoder of mammograms does not read {strange.modality} images."
        )
    vague = next((case for case in cases if sum(may_be(case.label, names)) != 1), None)
    if vague is not None:
        raise CaseError(
            f"{vague.source}: {vague.label!r} leaves open which class it is. Join them with --classes."
        )


def _out_of_fold(
    films: _Films,
    label: NDArray[np.int64],
    fold: NDArray[np.int64],
    classes: int,
    seed: int,
    report: OnProgress,
) -> NDArray[np.float64]:
    """Return (n, classes) what a regression on the features of the other folds' women says of each film."""
    from models.classifier import fit_regression, fit_scaling

    said = np.zeros((len(label), classes))
    folds = int(fold.max()) + 1
    for k in range(folds):
        report("fitting", k / folds, {})
        taught = np.flatnonzero(fold != k)
        inner = fold_groups([films.cases[i] for i in taught], INNER_FOLDS, seed + 1)
        fitted = fit_regression(films.features[taught], label[taught], inner, films.blocks, classes)
        scaling = fit_scaling(fitted.inner_logits, label[taught])
        said[fold == k] = scaling(fitted.regression.logits(films.features[fold == k]))
    report("fitting", 1.0, {})
    return said


def _read(
    loaded: LongitudinalModel, cases: list[ImageCase], both_breasts: bool, work: Path, report: OnProgress
) -> tuple[_Films, dict[str, str]]:
    """Return the films as the encoder sees them, and what was left out."""
    images = [_image(case) for case in cases]
    encoded = encode_views(loaded, images, work, report)
    mirrored = encode_views(loaded, images, work, report, mirrored=True)
    looks = np.stack([encoded.said["vector"], mirrored.said["vector"]], axis=1)
    return _features([cases[i] for i in encoded.rows], looks, both_breasts), encoded.cached.left_out


def _image(case: ImageCase) -> ExamImage:
    """Return the image alone: the encoder is told nothing of what is known."""
    return ExamImage(case.path, 0, 0, case.laterality or "", case.view or "", (), None, None)


def _features(cases: list[ImageCase], looks: NDArray[np.float32], both_breasts: bool) -> _Films:
    from models.view import answer_blocks

    blocks = answer_blocks()
    own = looks[..., : sum(blocks)]
    if not both_breasts:
        return _Films(cases, own, blocks, 0)
    place: dict[tuple[Any, ...], int] = {}
    for i, case in enumerate(cases):
        place.setdefault((case.group, case.study_date, case.view, case.laterality), i)
    opposite = {"L": "R", "R": "L"}
    others = [
        place.get((case.group, case.study_date, case.view, opposite.get(case.laterality or "")), i)
        for i, case in enumerate(cases)
    ]
    apart = own - own[others]
    paired = sum(other != i for i, other in enumerate(others))
    return _Films(cases, np.concatenate([own, apart], axis=2), blocks * 2, paired)
