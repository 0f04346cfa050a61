"""Evaluation of classifiers of single images, and several of them compared on the same cases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.classifier_report import comparison_report, image_report
from core.evaluation.density import measure_density_of_women
from core.evaluation.films import measure_films
from core.files import private_folder, write_whole
from core.rules import TrustLevel, settle_picture
from core.sets import CaseError, Cases, ImageCase, check_own_lesions, may_be, prepare_cases, told_apart
from models.classifier import Region
from models.measures import compare_classes, measure_classes
from models.store import OnProgress

__all__ = [
    "as_told_apart",
    "compare_runs",
    "evaluate_image",
    "is_image_model",
    "measure_cases",
    "prediction_rows",
    "sha256_of_cases",
    "write_evaluation",
]

SEEN = "seen.json"
"""File of a model that names, by sha256, the images it was trained on."""
PREDICTIONS, METRICS, REPORT = "predictions.csv", "metrics.json", "report.html"
SHARE = "p_"
"""Columns of predictions.csv that hold a class's probability begin so."""
KEY = ["sha256", "box"]
"""What makes rows of two runs the same case."""


def evaluate_image(
    model: str | Path, cases: Cases, out: Path, report: OnProgress, *, times: int = 1000
) -> dict[str, Any]:
    """Measure a classifier on labelled images.

    Writes ``metrics.json``, ``predictions.csv`` and ``report.html`` to `out`. All are measured, and ``by_trust`` those of
    which the model may speak and those of which it may not. Images of women it was trained on are
    left out, and counted in ``seen_in_training``; where there are no others they are measured, and that is said.

    Parameters
    ----------
    model
        Name of a shipped model, or a model's folder.
    cases
        Labelled images as `core.sets.cases.gather_cases` gives them for the model's task.
    out
        Folder.
    report
        Told of progress.
    times
        Bootstrap draws.

    Raises
    ------
    LookupError, ValueError
        If there is no such model, it is damaged, or the images cannot be used, such as those with moved lesions.
    """
    from models.classifier import ImageModel

    check_own_lesions(cases.cases)
    loaded = ImageModel.load(model)
    chosen = _of_its_classes(cases, loaded)
    prepared = prepare_cases(chosen.cases, loaded.config.input, out / "work" / "cache", report)
    rows = np.flatnonzero(prepared.readable)
    if not len(rows):
        place, why = next(iter(prepared.left_out.items()))
        raise CaseError(f"None of the images can be used. {chosen.cases[place].source}: {why}")
    usable = [chosen.cases[i] for i in rows]
    seen = _seen(usable, model)
    kept, notices = _measured_of(seen)
    report("predicting", 0.0, {})
    chosen_rows = rows[kept]
    around = None if prepared.around is None else prepared.around[chosen_rows]
    logits = loaded.logits(prepared.pixels[chosen_rows], around)
    far = loaded.distances(prepared.pixels[chosen_rows], around)
    report("predicting", 1.0, {})
    tested = [usable[i] for i in kept]
    label, said, classes = as_told_apart(tested, loaded.scaling(logits), loaded.config.classes)
    parts = ["trained on" if seen[i] else "new" for i in kept]
    limit = loaded.domain.limit if loaded.domain is not None else None
    table = prediction_rows(tested, label, said, classes, parts)
    table["distance"] = np.nan if far is None else far
    trusts = [
        settle_picture(None if far is None else float(far[i]), limit, loaded.card.metrics)
        for i in range(len(tested))
    ]
    table["trust"] = [trust.level.value for trust in trusts]
    measured: dict[str, Any] = {
        "model": loaded.card.name,
        "weights_sha256": loaded.card.weights_sha256,
        "seen_in_training": int(seen.sum()),
        "notices": notices,
        **measure_cases(table, classes, times=times),
        "by_trust": _by_trust(table, classes, times),
        **_of_whole_films(tested, loaded, logits, times),
        "images": {
            "used": len(tested),
            "left_out": {chosen.cases[place].source: why for place, why in prepared.left_out.items()},
        },
    }
    write_evaluation(out, table, measured, loaded.card.title)
    return measured


def _measured_of(seen: NDArray[np.bool_]) -> tuple[NDArray[np.intp], list[str]]:
    """Return which images are measured where some taught the model, and what is to be said of it."""
    if not seen.any():
        return np.arange(len(seen)), []
    taught = f"{int(seen.sum())} of {len(seen)} images are of women or groups that the model was trained on"
    if seen.all():
        return np.arange(len(seen)), [f"{taught}: what is measured here flatters it."]
    return np.flatnonzero(~seen), [f"{taught}: they are left out."]


def _of_whole_films(
    cases: Sequence[ImageCase], model: Any, logits: NDArray[np.float64], times: int
) -> dict[str, Any]:
    """Measure films beside the other breast, and woman by woman, where a model reads whole mammograms."""
    if model.config.input.region is not Region.BREAST:
        return {}
    if model.card.settings.get("task") == "density":
        by_woman = measure_density_of_women(cases, model.scaling(logits), model.config.classes, times=times)
        return {} if by_woman is None else {"by_study": by_woman}
    if model.card.settings.get("task") != "finding":
        return {}
    films = measure_films(cases, model.scaling(logits), model.config.classes, times=times)
    return {} if films is None else {"films": films}


def _by_trust(table: pd.DataFrame, classes: Sequence[str], times: int) -> dict[str, Any]:
    """Measure the cases of which the model may speak, and those of which it may not; only counted are cases of one class."""
    measured = {}
    for level in (TrustLevel.TRUSTED, TrustLevel.WITHHELD):
        own = table[table["trust"] == level.value]
        several = own["true"].nunique() > 1
        measured[level.value] = measure_cases(own, classes, times=times) if several else {"n": len(own)}
    return measured


def is_image_model(model: str) -> bool:
    """Tell whether a name or folder is of a model of single images; False where there is no model at all."""
    from models.store import folder_of, read_card

    try:
        return read_card(folder_of(model)).of_single_images
    except (LookupError, ValueError):
        return False


def _of_its_classes(cases: Cases, model: Any) -> Cases:
    """Name cases by the model's classes; CaseError if a label is none of them."""
    classes = model.config.classes
    spelled = {part.strip().casefold(): part for name in classes for part in (name, *name.split("+"))}

    def in_its_words(label: str) -> str:
        whole = spelled.get(label.casefold())
        return whole or "+".join(spelled.get(part.casefold(), part) for part in label.split("+"))

    named = [replace(case, label=in_its_words(case.label)) for case in cases.cases]
    kept = [case for case in named if any(may_be(case.label, classes))]
    if len(kept) < len(named) and not model.card.settings.get("classes"):
        strange = next(case for case in named if not any(may_be(case.label, classes)))
        raise CaseError(
            f"{strange.source}: the class {strange.label!r} is none that the model knows: {', '.join(classes)}."
        )
    if not kept:
        found = ", ".join(sorted({case.label for case in cases.cases})) or "none"
        raise CaseError(f"No image is of a class the model knows ({', '.join(classes)}), but of: {found}.")
    return Cases(kept)


def as_told_apart(
    cases: Sequence[ImageCase], said: NDArray[np.float64], classes: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64], tuple[str, ...]]:
    """Return labels, probabilities and names of the classes as far as the cases' labels tell them apart.

    Where a label leaves open whether it is C or D, the two are measured as one class, C+D.
    """
    groups = told_apart([case.label for case in cases], classes)
    names = tuple("+".join(classes[place] for place in group) for group in groups)
    together = np.stack([said[:, group].sum(axis=1) for group in groups], axis=1)
    label = np.array([may_be(case.label, names).index(True) for case in cases], np.int64)
    return label, together, names


def _seen(cases: Sequence[ImageCase], model: str | Path) -> NDArray[np.bool_]:
    """Tell which cases are of a woman, or group, of whom the model was trained on an image."""
    from models.store import folder_of

    listed = folder_of(model) / SEEN
    if not listed.is_file():
        return np.zeros(len(cases), bool)
    known = set(json.loads(listed.read_text("utf-8")))
    images = sha256_of_cases(cases)
    groups = {case.group for case, image in zip(cases, images, strict=True) if image in known}
    return np.array([case.group in groups for case in cases], bool)


def sha256_of_cases(cases: Sequence[ImageCase]) -> list[str]:
    """Return the sha256 of each case's file."""
    known: dict[Path, str] = {}
    for case in cases:
        if case.path not in known:
            known[case.path] = hashlib.sha256(case.path.read_bytes()).hexdigest()
    return [known[case.path] for case in cases]


def prediction_rows(
    cases: Sequence[ImageCase],
    label: NDArray[np.int64],
    said: NDArray[np.float64],
    classes: Sequence[str],
    parts: Sequence[str],
) -> pd.DataFrame:
    """Return one row a case: path, sha256, box, group, part, density, true and predicted class, probabilities."""
    table = pd.DataFrame(
        {
            "path": [str(case.path) for case in cases],
            "sha256": sha256_of_cases(cases),
            "box": ["" if case.box is None else ",".join(f"{edge:g}" for edge in case.box) for case in cases],
            "group": [case.group for case in cases],
            "part": list(parts),
            "density": [case.density or "" for case in cases],
            "true": [classes[k] for k in label],
            "predicted": [classes[k] for k in said.argmax(axis=1)],
        }
    )
    for k, name in enumerate(classes):
        table[SHARE + name] = said[:, k]
    return table


def measure_cases(table: pd.DataFrame, classes: Sequence[str], *, times: int = 1000) -> dict[str, Any]:
    """Measure a table as `prediction_rows` gives it."""
    label, said = _arrays(table, classes)
    # Of density itself, sensitivity by density says nothing.
    told = table["density"].astype(bool).any() and not table["density"].equals(table["true"])
    density = table["density"].tolist() if told else None
    return measure_classes(label, said, classes, table["group"].to_numpy(), density=density, times=times)


def _arrays(table: pd.DataFrame, classes: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    number = {name: k for k, name in enumerate(classes)}
    label = np.array([number[name] for name in table["true"]], np.int64)
    return label, table[[SHARE + name for name in classes]].to_numpy(np.float64)


def write_evaluation(
    out: Path,
    table: pd.DataFrame,
    measured: dict[str, Any],
    title: str,
    curve: Sequence[dict[str, Any]] = (),
) -> None:
    """Write predictions.csv, metrics.json and report.html to `out`."""
    private_folder(out)
    write_whole(out / PREDICTIONS, table.to_csv(index=False))
    write_whole(out / METRICS, json.dumps(measured, indent=1, allow_nan=False) + "\n")
    write_whole(out / REPORT, image_report(table, measured, title, curve))


def compare_runs(runs: Sequence[Path], out: Path | None = None, *, times: int = 1000) -> dict[str, Any]:
    """Compare runs on the cases that all of them predicted, each pair with paired tests.

    Parameters
    ----------
    runs
        Folders of `train image` or `evaluate`.
    out
        Folder for ``comparison.json`` and ``report.html``; None writes nothing.
    times
        Bootstrap draws.

    Returns
    -------
    dict
        ``n, women, classes``; ``runs``: name to measures; ``pairs``: ``one, other`` and what
        `models.measures.classes.compare_classes` gives.

    Raises
    ------
    CaseError
        If a folder holds no predictions, the classes differ, or no case is shared.
    """
    if len(runs) < 2:
        raise CaseError("Two runs at least are needed to compare.")
    tables = [_read_run(run) for run in runs]
    names = _run_names(runs)
    classes = _classes_of(tables[0])
    for name, table in zip(names, tables, strict=True):
        if set(_classes_of(table)) != set(classes):
            raise CaseError(
                f"{name} tells {', '.join(_classes_of(table))} apart, {names[0]} {', '.join(classes)}: runs of one task can be "
                "compared."
            )
    shared = tables[0].index
    for table in tables[1:]:
        shared = shared.intersection(table.index)
    if not len(shared):
        raise CaseError("The runs share no case: evaluate them on the same images.")
    tables = [table.loc[shared] for table in tables]
    for name, table in zip(names, tables, strict=True):
        differing = table.index[table["true"].to_numpy() != tables[0]["true"].to_numpy()]
        if len(differing):
            raise CaseError(
                f"{table.loc[differing[0], 'path']} is {table.loc[differing[0], 'true']!r} in {name}, but "
                f"{tables[0].loc[differing[0], 'true']!r} in {names[0]}."
            )
    label, _ = _arrays(tables[0], classes)
    cluster = tables[0]["group"].to_numpy()
    compared: dict[str, Any] = {
        "n": len(shared),
        "women": len(set(cluster)),
        "classes": list(classes),
        "runs": {
            name: measure_cases(table, classes, times=times)
            for name, table in zip(names, tables, strict=True)
        },
        "pairs": [
            {
                "one": names[i],
                "other": names[j],
                **compare_classes(
                    label,
                    _arrays(tables[i], classes)[1],
                    _arrays(tables[j], classes)[1],
                    cluster,
                    times=times,
                ),
            }
            for i, j in combinations(range(len(tables)), 2)
        ],
    }
    if out is not None:
        private_folder(out)
        write_whole(out / "comparison.json", json.dumps(compared, indent=1, allow_nan=False) + "\n")
        drawn = dict(zip(names, tables, strict=True))
        write_whole(out / REPORT, comparison_report(drawn, compared))
    return compared


def _read_run(run: Path) -> pd.DataFrame:
    path = run / PREDICTIONS
    try:
        table = pd.read_csv(path, dtype={"box": str, "density": str, "group": str}, keep_default_na=False)
    except FileNotFoundError as error:
        raise CaseError(f"{run} holds no {PREDICTIONS}: it is no run of train image or evaluate.") from error
    except (OSError, ValueError) as error:
        raise CaseError(f"{path} cannot be read: {error}") from error
    missing = [name for name in ("path", *KEY, "group", "density", "true") if name not in table]
    if missing or len(_classes_of(table)) < 2:
        raise CaseError(f"{path} is not of a model of single images.")
    table["true"] = table["true"].astype(str)
    return table.drop_duplicates(KEY).set_index(KEY)


def _classes_of(table: pd.DataFrame) -> tuple[str, ...]:
    return tuple(str(name).removeprefix(SHARE) for name in table.columns if str(name).startswith(SHARE))


def _run_names(runs: Sequence[Path]) -> list[str]:
    """Return the folders' names, whole paths where two are alike."""
    short = [run.resolve().name for run in runs]
    return short if len(set(short)) == len(short) else [str(run) for run in runs]
