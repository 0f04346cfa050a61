"""Evaluation of a longitudinal model on exams it never saw: predictions, metrics and a report to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.explanations import explanations
from core.evaluation.longitudinal_report import report_page
from core.evaluation.proof import against_truth, index_groups
from core.evaluation.soundness import agreement, by_trust, intervals
from core.evaluation.targets import targets
from core.evaluation.wording import percent
from core.files import private_folder, write_whole
from core.sets import (
    EncodedViews,
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
        ``contributions`` and ``moved`` (`core.evaluation.explanations`) test the explanations; ``trust``, ``intervals``
        and ``agreement`` (`core.evaluation.soundness`) say whether numbers may be shown; ``targets`` are the verdicts. `core.sets.truth.TruthError` is raised for a
        truth table that cannot be read.
    """
    moved = _sensitivity(sensitivity) if sensitivity is not None else None
    from models.longitudinal import LongitudinalModel, index_visits, measure
    from models.store import folder_of

    truth, simulated = _truth_of(manifests)
    learned_from = _other_women(oracle_data, truth)
    loaded = LongitudinalModel.load(model)
    exams = gather(manifests)
    encoded = encode_views(loaded, exams.images, out / "work", report)
    women = histories_of(exams, encoded.rows, encoded.said["vector"], range(len(exams.women)))
    enriched = any(one["case_mix"].get("cancer_rate") is not None for one in simulated)
    calibration = loaded.calibration.as_fitted() if enriched else loaded.calibration
    table = _predictions(loaded, folder_of(model), women, calibration)
    report("measuring", 0.0, {})
    measured: dict[str, Any] = {
        **_about(loaded, encoded, simulated, _risks_as(loaded.calibration, women, enriched)),
        "draws": times,
        **measure(table, times=times),
    }
    if len(simulated) == 1:
        measured["case_mix"] = simulated[0]["case_mix"]
    again = taken_again(loaded, manifests, exams, encoded, out / "work" / "again", report)
    measured["trust"] = by_trust(loaded, exams, encoded, index_visits(table), simulated=bool(simulated))
    measured["intervals"] = intervals(loaded, calibration, women, again)
    measured["agreement"] = agreement(table)
    report("measuring", 0.3, {})
    measured |= _beside_oracles(table, truth, learned_from, times)
    report("measuring", 0.6, {})
    measured |= explanations(loaded, exams, encoded, manifests, women)
    measured["targets"] = [target.to_json() for target in targets(measured)]
    if moved is not None:
        measured["sensitivity"] = moved
    _write(out, table, measured)
    report("measuring", 1.0, {})
    return measured


def _write(out: Path, table: pd.DataFrame, measured: dict[str, Any]) -> None:
    """Write predictions.csv, metrics.json and report.html."""
    private_folder(out)
    write_whole(out / "predictions.csv", table.to_csv(index=False))
    write_whole(out / "metrics.json", json.dumps(measured, indent=1, allow_nan=False) + "\n")
    write_whole(out / "report.html", report_page(measured, table))


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


def _other_women(oracle_data: Sequence[Path], truth: Sequence[TrueBreast]) -> list[TrueBreast]:
    """Return the truth of the women from whom oracles learn; ValueError where some of them are evaluated."""
    learned_from = [breast for path in oracle_data for breast in read_truth(path)]
    shared = {breast.patient_id for breast in truth} & {breast.patient_id for breast in learned_from}
    if shared:
        raise ValueError(
            f"{len(shared)} women of --oracle-data, such as {min(shared)}, are among those evaluated: a perfect reader who "
            "learned from them would know their outcome. Draw others with another seed."
        )
    return learned_from


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


def _about(
    loaded: LongitudinalModel, encoded: EncodedViews, simulated: Sequence[dict[str, Any]], risks_as: str
) -> dict[str, Any]:
    """Return which model was measured, on how many images, and what the women are."""
    return {
        "model": loaded.card.name,
        "title": loaded.card.title,
        "weights_sha256": loaded.card.weights_sha256,
        "images": {"used": len(encoded.rows), "left_out": len(encoded.cached.left_out)},
        "set": {
            "simulated": bool(simulated),
            "statements": [one["statement"] for one in simulated],
            "seeds": [one["seed"] for one in simulated],
            "model_learned_from_seeds": _taught(loaded.card),
            "risks_as": risks_as,
        },
    }


def _predictions(
    loaded: LongitudinalModel, folder: Path, women: Sequence[History], calibration: Calibration
) -> pd.DataFrame:
    """Return the table of predictions, risks as `calibration` says them."""
    import keras

    from models.longitudinal import CONTROLS, prediction_table

    controls: dict[Any, Any] = {
        mode: keras.saving.load_model(folder / f"control_{mode}.keras", compile=False, safe_mode=True)
        for mode in CONTROLS
        if f"control_{mode}.keras" in loaded.card.files
    }
    return prediction_table(loaded.sequence, calibration, controls, women, loaded.calibration)


def _beside_oracles(
    table: pd.DataFrame, truth: Sequence[TrueBreast], learned_from: Sequence[TrueBreast], times: int
) -> dict[str, Any]:
    """Return oracles, progression among women with a lesion, and AUC by group with the reader's beside it."""
    from models.longitudinal import by_group, index_visits

    found: dict[str, Any] = {}
    scores: dict[int, pd.Series] = {}
    if truth and "last_1" in table:
        beside = against_truth(table, truth, learned_from, times=times)
        scores = beside.pop("scores")
        if "progression" in beside:
            found["progression_with_lesion"] = beside.pop("progression")
        found["oracles"] = beside
    index = index_visits(table)
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
