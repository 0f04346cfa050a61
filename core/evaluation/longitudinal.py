"""Evaluation of a longitudinal model on exams it never saw: predictions, metrics and a report to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.longitudinal_report import report_page
from core.evaluation.movement import faithfulness
from core.evaluation.proof import against_truth, index_groups
from core.evaluation.soundness import agreement, by_trust, intervals
from core.evaluation.targets import targets
from core.evaluation.wording import percent
from core.files import private_folder, write_whole
from core.rules.vocabulary import FindingClass
from core.sets import (
    CachedViews,
    Exams,
    Manifest,
    TrueBreast,
    encode_views,
    gather,
    histories_of,
    observed_rates,
    read_truth,
    simulation_beside,
    taken_again,
    truth_beside,
)
from models.store import OnProgress

if TYPE_CHECKING:
    from models.longitudinal import Calibration, LongitudinalModel
    from models.sequence import History
    from models.store import ModelCard

__all__ = ["evaluate_longitudinal"]

MOST_MAPS = 48
SHUFFLES = 3
WOMEN_ADDED_UP = 40
POINTED_MM = 10.0
"""The pointing game is played on findings of this diameter or more."""


def evaluate_longitudinal(
    model: str | Path,
    manifests: Sequence[Manifest],
    out: Path,
    report: OnProgress,
    *,
    oracle_data: Sequence[Path] = (),
    sensitivity: Path | None = None,
    times: int = 1000,
) -> dict[str, Any]:
    """Score every visit of the women of manifests and compare with what came true.

    Writes ``metrics.json``, ``predictions.csv`` (one row a visit) and ``report.html`` to `out`.

    Where a ``truth.csv`` lies beside a manifest (simulated women), the model is set beside oracles too (`core.evaluation.proof`).
    In a simulated set with more cancers than in life, risks are read as they were fitted, before they are moved to
    where cancer is as common as in life; the slopes of risk alone are read as the model says them.

    Parameters
    ----------
    model
        Name of a shipped model, or a model's folder.
    manifests
        Women whom the model never saw. Of simulated women the report says so where the seed is one that the model's
        card names among those it learned from; of others it cannot be checked here.
    out
        Folder; its `work` keeps standardised views and their vectors, so that a repeat is quick.
    report
        Told of progress.
    oracle_data
        Truth tables of other simulated women from whom the oracles learn (`python -m seed_data lives`).
    sensitivity
        ``sensitivity.json`` of `python -m seed_data sensitivity`, to be shown in the report.
    times
        Bootstrap draws.

    Returns
    -------
    dict
        What `models.longitudinal.evaluation.measure` gives, with the model's name and sha256; ``set`` says what the women are;
        ``oracles``, ``progression_with_lesion`` and ``groups`` (`core.evaluation.proof`); ``pointing``, ``randomisation``,
        ``contributions`` and ``moved`` (`core.evaluation.movement`) test the explanations; ``trust``, ``intervals``
        and ``agreement`` (`core.evaluation.soundness`) say whether numbers may be shown; ``targets`` are the verdicts. `core.sets.truth.TruthError` is raised for a
        truth table that cannot be read.
    """
    moved = _sensitivity(sensitivity) if sensitivity is not None else None
    from models.longitudinal import LongitudinalModel, measure
    from models.store import folder_of

    truth, simulated = _truth_of(manifests)
    learned_from = [breast for path in oracle_data for breast in read_truth(path)]
    shared = {breast.patient_id for breast in truth} & {breast.patient_id for breast in learned_from}
    if shared:
        raise ValueError(
            f"{len(shared)} women of --oracle-data, such as {min(shared)}, are among those evaluated: a perfect reader who "
            "learned from them would know their outcome. Draw others with another seed."
        )
    loaded = LongitudinalModel.load(model)
    exams = gather(manifests)
    encoded = encode_views(loaded, exams.images, out / "work", report)
    cached, rows = encoded.cached, encoded.rows
    women = histories_of(exams, rows, encoded.said["vector"], range(len(exams.women)))
    enriched = any(one["case_mix"].get("cancer_rate") is not None for one in simulated)
    table = _predictions(loaded, folder_of(model), women, as_trained=enriched)
    report("measuring", 0.0, {})
    measured: dict[str, Any] = {
        "model": loaded.card.name,
        "title": loaded.card.title,
        "weights_sha256": loaded.card.weights_sha256,
        "images": {"used": len(rows), "left_out": len(cached.left_out)},
        "set": _set(simulated, _taught(loaded.card), _risks_as(loaded.calibration, women, enriched)),
        "draws": times,
        **measure(table, times=times),
    }
    if len(simulated) == 1:
        measured["case_mix"] = simulated[0]["case_mix"]
    vectors, served = encoded.said["vector"], loaded.calibration
    index = table[table["index"] & ~(table["years_to_cancer"] < 0)]
    again = taken_again(loaded, manifests, exams, encoded, out / "work" / "again", report)
    measured["trust"] = by_trust(loaded, exams, rows, vectors, index, simulated=bool(simulated))
    measured["intervals"] = intervals(loaded, served.as_fitted() if enriched else served, women, again)
    measured["agreement"] = agreement(table)
    report("measuring", 0.3, {})
    measured |= _beside_oracles(table, truth, learned_from, times)
    report("measuring", 0.6, {})
    views = _boxed(exams, cached, rows, manifests)
    measured["pointing"] = _pointing(views, encoded.said["lesion"])
    measured["randomisation"] = _randomisation(loaded.encoder, cached.pixels, views, encoded.said["lesion"])
    measured["contributions"] = _added_up(loaded, women)
    measured["moved"] = faithfulness(loaded, women)
    measured["targets"] = [target.to_json() for target in targets(measured)]
    if moved is not None:
        measured["sensitivity"] = moved
    private_folder(out)
    write_whole(out / "predictions.csv", table.to_csv(index=False))
    write_whole(out / "metrics.json", json.dumps(measured, indent=1, allow_nan=False) + "\n")
    write_whole(out / "report.html", report_page(measured, table))
    report("measuring", 1.0, {})
    return measured


def _sensitivity(path: Path) -> list[dict[str, Any]]:
    """Read a sensitivity table before hours of work depend on it; ValueError where the file is none."""
    needed = {"moved", "value", "horizon_years", "gain", "gain_ci"}
    try:
        rows = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file: {error}.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) and needed <= row.keys() for row in rows):
        raise ValueError(f"{path} is no sensitivity.json of `python -m seed_data sensitivity`.")
    return rows


def _truth_of(manifests: Sequence[Manifest]) -> tuple[list[TrueBreast], list[dict[str, Any]]]:
    """Return the truth beside the manifests, by the ids that `gather` gives, and what each simulated set is."""
    truth: list[TrueBreast] = []
    simulated = []
    for number, manifest in enumerate(manifests):
        path = truth_beside(manifest.source)
        if path is not None:
            truth += read_truth(path, prefix="" if number == 0 else f"{number + 1}:")
        description = simulation_beside(manifest.source)
        if description is not None:
            simulated.append(description)
    return truth, simulated


def _taught(card: ModelCard) -> list[int]:
    """Return the seeds of the simulated women who taught or calibrated a model, as its card says."""
    return sorted({*card.settings.get("seeds", []), *card.settings.get("calibrated_on_seeds", [])})


def _risks_as(calibration: Calibration, women: Sequence[History], enriched: bool) -> str:
    """Say how risks are read here and, where as they were fitted, how common cancer was then and is here."""
    if not enriched or not any(calibration.prior_shift):
        return "as the model says them"
    here = observed_rates(women)[-1]
    return (
        "as they were fitted, before they were moved to where the model is used: among women of whom "
        f"{percent(calibration.baseline_5y)} were expected to have cancer within 5 years (here {percent(here)} had)"
    )


def _set(simulated: Sequence[dict[str, Any]], taught: Sequence[int], risks_as: str) -> dict[str, Any]:
    return {
        "simulated": bool(simulated),
        "statements": [one["statement"] for one in simulated],
        "seeds": [one["seed"] for one in simulated],
        "model_learned_from_seeds": list(taught),
        "risks_as": risks_as,
    }


def _predictions(
    loaded: LongitudinalModel, folder: Path, women: Sequence[History], *, as_trained: bool
) -> pd.DataFrame:
    """Return the table of predictions."""
    import keras

    from models.longitudinal import CONTROLS, prediction_table

    controls: dict[Any, Any] = {
        mode: keras.saving.load_model(folder / f"control_{mode}.keras", compile=False, safe_mode=True)
        for mode in CONTROLS
        if f"control_{mode}.keras" in loaded.card.files
    }
    calibration = loaded.calibration.as_fitted() if as_trained else loaded.calibration
    return prediction_table(loaded.sequence, calibration, controls, women, loaded.calibration)


def _beside_oracles(
    table: pd.DataFrame, truth: Sequence[TrueBreast], learned_from: Sequence[TrueBreast], times: int
) -> dict[str, Any]:
    """Return oracles, progression among women with a lesion, and AUC by group with the reader's beside it."""
    from models.longitudinal import by_group

    found: dict[str, Any] = {}
    scores: dict[int, pd.Series] = {}
    if truth and "last_1" in table:
        beside = against_truth(table, truth, learned_from, times=times)
        scores = beside.pop("scores")
        if "progression" in beside:
            found["progression_with_lesion"] = beside.pop("progression")
        found["oracles"] = beside
    index = table[table["index"] & ~(table["years_to_cancer"] < 0)]
    groups: dict[str, Any] = {}
    for name, group in index_groups(index, truth).items():
        groups[name] = {}
        for horizon in (1, 5):
            reached = by_group(index, group, horizon)
            if horizon in scores:
                reader = scores[horizon].reindex(index["patient_id"]).to_numpy(float)
                _beside_reader(reached, by_group(index, group, horizon, reader), index, reader, horizon)
            groups[name][str(horizon)] = reached
    return found | {"groups": groups}


def _beside_reader(
    reached: list[dict[str, Any]],
    readers: list[dict[str, Any]],
    index: pd.DataFrame,
    reader: NDArray[np.float64],
    horizon: int,
) -> None:
    """Write the perfect reader's AUC of each group, and its ratio to that of all women, beside the model's."""
    from models.longitudinal import by_group

    whole = by_group(index, np.full(len(index), "all"), horizon, reader)[0].get("auc")
    for one, other in zip(reached, readers, strict=True):
        if whole and "auc" in other:
            one["reader"], one["reader_ci"] = other["auc"], other["auc_ci"]
            one["reader_ratio"] = other["auc"] / whole


@dataclass(frozen=True)
class _BoxedView:
    """A view with a box of a finding of 10 mm or more: its place among the encoded, and what the game needs."""

    place: int
    row: int
    patient: int
    boxes: tuple[tuple[float, float, float, float, bool], ...]
    transform: Any


def _boxed(
    exams: Exams, cached: CachedViews, rows: Sequence[int], manifests: Sequence[Manifest]
) -> list[_BoxedView]:
    large: dict[Path, list[tuple[float, float, float, float, bool]]] = {}
    for manifest in manifests:
        for row in manifest.rows:
            if row.roi and (row.lesion_mm or 0) >= POINTED_MM:
                large.setdefault(row.path, []).append((*row.roi, row.finding == FindingClass.MALIGNANT))
    return [
        _BoxedView(place, i, exams.images[i].woman, tuple(large[exams.images[i].path]), cached.transforms[i])
        for place, i in enumerate(rows)
        if exams.images[i].path in large
    ]


def _hit(view: _BoxedView, heat: NDArray[Any]) -> bool:
    from models.longitudinal import heat_peak
    from models.view import NETWORK_SHAPE

    x, y = view.transform.to_original(*heat_peak(heat, NETWORK_SHAPE))
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1, _ in view.boxes)


def _pointing(views: Sequence[_BoxedView], lesion: NDArray[Any]) -> dict[str, Any]:
    """Play the pointing game (Zhang et al. 2018, 10.1007/s11263-017-1059-x) on boxes of findings of 10 mm or more."""
    from models.longitudinal import heat_map
    from models.measures import bootstrap

    said: dict[str, Any] = {}
    hit = np.array([_hit(view, heat_map(lesion[view.place].astype(np.float32))) for view in views], float)
    malignant = np.array([any(box[4] for box in view.boxes) for view in views], bool)
    woman = np.array([view.patient for view in views])
    for name, here in (("", np.ones(len(views), bool)), ("benign", ~malignant), ("malignant", malignant)):
        one: dict[str, Any] = {"n": int(here.sum()), "hits": None}
        if here.any():
            value, low, high = bootstrap(lambda h: float(h.mean()), hit[here], cluster=woman[here], times=500)
            one |= {"hits": value, "hits_ci": [low, high]}
        said |= {name: one} if name else one
    return said


def _randomisation(
    encoder: Any, pixels: NDArray[np.uint8], views: Sequence[_BoxedView], lesion: NDArray[Any]
) -> dict[str, Any] | None:
    """Compare heat maps with those of the same network with its weights shuffled (Adebayo et al. 2018)."""
    from models.longitudinal import heat_map, map_agreement, randomised, shuffled

    chosen = (
        [views[i] for i in np.unique(np.linspace(0, len(views) - 1, MOST_MAPS).astype(int))] if views else []
    )
    if not chosen:
        return None
    batch = np.stack([pixels[view.row] for view in chosen]).astype(np.float32)[..., None] / 255
    correlations, hits = [], []
    # One network for all draws: it is built once.
    blinded, learned = randomised(encoder, 0), encoder.get_weights()
    for seed in range(SHUFFLES):
        blinded.set_weights(shuffled(learned, seed))
        said = np.asarray(blinded.predict(batch, batch_size=8, verbose=0)["lesion"])
        for view, image, other in zip(chosen, batch, said, strict=True):
            heat, blind = heat_map(lesion[view.place].astype(np.float32)), heat_map(other)
            cells = image[..., 0].reshape(
                heat.shape[0], image.shape[0] // heat.shape[0], heat.shape[1], image.shape[1] // heat.shape[1]
            )
            hits.append(_hit(view, blind))
            try:
                correlations.append(map_agreement(heat, blind, cells.mean(axis=(1, 3)) > 0))
            except ValueError:
                correlations.append(0.0)  # a map that says the same everywhere agrees with nothing
    return {
        "views": len(chosen),
        "shuffles": SHUFFLES,
        "correlation": float(np.mean(correlations)),
        "correlation_most": float(np.max(correlations)),
        "hits": float(np.mean(hits)),
    }


def _added_up(loaded: LongitudinalModel, women: Sequence[History]) -> dict[str, Any] | None:
    """Check on some women that what each visit brought adds up to the change from the baseline to the score."""
    from models.measures import safe_logit

    chosen = [woman for woman in women if len(woman) > 1 and woman.present[-1].any()][:WOMEN_ADDED_UP]
    if not chosen:
        return None
    off = []
    for woman in chosen:
        said = loaded.score(_visits(woman))
        change = float(safe_logit(said.risk[4]) - safe_logit(said.baseline))
        off.append(abs(float(said.contributions.sum()) - change))
    return {"women": len(chosen), "largest_difference": max(off)}


def _visits(woman: History) -> list[Any]:
    """Return a woman's visits as a scorer gives them to the model; of a reading only the vector matters there."""
    from datetime import date

    from models.sequence import SIDES, SLOTS, SeenView, ViewReading, VisitInput

    empty = (np.zeros(4, np.float32), np.zeros(3, np.float32), np.zeros((1, 1), np.float16))
    return [
        VisitInput(
            date.fromordinal(int(day)),
            None if np.isnan(age) else float(age),
            tuple(
                SeenView(side, slot, ViewReading(vectors[i, j], *empty))
                for i, side in enumerate(SIDES)
                for j, slot in enumerate(SLOTS)
                if present[i, j]
            ),
        )
        for day, age, vectors, present in zip(
            woman.days, woman.ages, woman.vectors, woman.present, strict=True
        )
    ]
