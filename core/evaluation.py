"""Evaluation of a longitudinal model on exams it never saw: predictions, metrics and a report to read."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.exams import Report, cache_views, gather
from core.manifest import Manifest
from core.training import histories, stored_rows

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["evaluate_longitudinal"]

NAMES = {
    "risk": "CNN + LSTM, all visits",
    "last": "CNN alone, last visit",
    "no_pixels": "LSTM alone, no pixels",
    "dates": "dates and visit counts only",
}


def evaluate_longitudinal(
    model: str | Path, manifests: Sequence[Manifest], out: Path, report: Report, *, times: int = 1000
) -> dict[str, Any]:
    """Score every visit of the women of manifests and compare with what came true.

    Writes ``metrics.json``, ``predictions.csv`` (one row a visit) and ``report.html`` to `out`.

    Parameters
    ----------
    model
        Name of a shipped model, or a model's folder.
    manifests
        Women whom the model never saw. Whether that is so cannot be checked here.
    out
        Folder; its `work` keeps standardised views and their vectors, so that a repeat is quick.
    report
        Told of progress.
    times
        Bootstrap draws.

    Returns
    -------
    dict
        What `models.evaluation.measure` gives, with the model's name and sha256, and `pointing`: how often the heat
        map's peak lies in the box of a visible lesion of 10 mm or more.
    """
    import keras

    from models.evaluation import CONTROLS, measure, prediction_table
    from models.longitudinal import LongitudinalModel
    from models.registry import CARD, weights_folder
    from models.training import embed

    loaded = LongitudinalModel.load(model)
    folder = Path(model) if (Path(model) / CARD).is_file() else weights_folder(str(model))
    controls: dict[Any, Any] = {
        mode: keras.saving.load_model(folder / f"control_{mode}.keras", compile=False, safe_mode=True)
        for mode in CONTROLS
        if f"control_{mode}.keras" in loaded.card.files
    }
    exams = gather(manifests)
    cached = cache_views(exams.images, out / "work" / "cache", report)
    rows = [i for i, transform in enumerate(cached.transforms) if transform is not None]
    if not rows:
        raise ValueError(
            "None of the images can be read: " + next(iter(cached.left_out.values()), "there is none")
        )
    kept = out / "work" / f"embedded-{loaded.card.encoder_sha256[:16]}-{len(rows)}.npz"
    if kept.is_file():
        with np.load(kept) as file:
            encoded = {key: file[key] for key in file.files}
    else:
        encoded = embed(loaded.encoder, stored_rows(cached.pixels, rows), report)
        half = kept.with_name("embedded.half.npz")
        np.savez(half, allow_pickle=False, **encoded)
        half.replace(kept)
    women = histories(exams, rows, encoded["vector"], range(len(exams.women)))
    table = prediction_table(loaded.sequence, loaded.calibration, controls, women)
    measured = {
        "model": loaded.card.name,
        "weights_sha256": loaded.card.weights_sha256,
        "images": {"used": len(rows), "left_out": len(cached.left_out)},
        **measure(table, times=times),
    }
    out.mkdir(parents=True, exist_ok=True)
    measured["pointing"] = _pointing(exams.images, cached.transforms, rows, encoded["lesion"], manifests)
    table.to_csv(out / "predictions.csv", index=False)
    (out / "metrics.json").write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    (out / "report.html").write_text(_report(measured, table, loaded.card.title), "utf-8")
    return measured


def _pointing(
    images: Sequence[Any],
    transforms: Sequence[Any],
    rows: Sequence[int],
    lesion: Any,
    manifests: Sequence[Manifest],
) -> dict[str, Any]:
    """Play the pointing game (Zhang et al. 2018, 10.1007/s11263-017-1059-x) on boxes of lesions of 10 mm or more."""
    from models.explanation import heat_map, heat_peak
    from models.preprocess import NETWORK_SHAPE

    size = {
        row.path: row.lesion_mm
        for manifest in manifests
        for row in manifest.rows
        if row.roi and row.lesion_mm
    }
    hits: dict[str, list[bool]] = {"benign": [], "malignant": []}
    for place, i in enumerate(rows):
        image, transform = images[i], transforms[i]
        if not image.boxes or size.get(image.path, 0) < 10:
            continue
        x, y = heat_peak(heat_map(lesion[place].astype(np.float32)), NETWORK_SHAPE)
        x, y = transform.to_original(x, y)
        hit = any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1, _ in image.boxes)
        hits["malignant" if any(box[4] for box in image.boxes) else "benign"].append(hit)
    every = hits["benign"] + hits["malignant"]
    return {
        "n": len(every),
        "hits": float(np.mean(every)) if every else None,
        **{kind: {"n": len(few), "hits": float(np.mean(few)) if few else None} for kind, few in hits.items()},
    }


def _report(measured: dict[str, Any], table: pd.DataFrame, title: str) -> str:
    """Write the report: tables and Plotly figures in one file that needs no network."""
    figures = [figure for figure in (_auc_figure(measured), _calibration_figure(table)) if figure is not None]
    drawn = "".join(
        figure.to_html(full_html=False, include_plotlyjs="inline" if number == 0 else False)
        for number, figure in enumerate(figures)
    )
    rows = []
    for k, values in measured["risk"].items():
        low, high = values["auc_ci"]
        rows.append(
            f"<tr><td>{k}</td><td>{values['n']}</td><td>{values['events']}</td>"
            f"<td>{values['auc']:.3f} ({low:.3f} to {high:.3f})</td><td>{values['o_e']:.2f}</td>"
            f"<td>{values['calibration_slope']:.2f}</td><td>{values['brier']:.4f}</td></tr>"
        )
    rest = {
        key: measured[key] for key in ("malignancy", "progression", "density", "pointing") if key in measured
    }
    return (
        "<!doctype html><meta charset='utf-8'><title>Evaluation</title>"
        "<style>body{font-family:sans-serif;max-width:60rem;margin:2rem auto}td,th{padding:.2rem .8rem;text-align:left}"
        f"</style><h1>{html.escape(title)}</h1><p>{measured['women']} women, {measured['visits']} visits. Risk is "
        "judged at each woman's last visit. Research software, not for diagnosis.</p>"
        "<table><tr><th>Years</th><th>Women</th><th>Cancers</th><th>AUC (95 % interval)</th><th>O/E</th>"
        f"<th>Slope</th><th>Brier</th></tr>{''.join(rows)}</table>{drawn}"
        f"<h2>By breast and view</h2><pre>{html.escape(json.dumps(rest, indent=1))}</pre>"
    )


def _auc_figure(measured: dict[str, Any]) -> go.Figure | None:
    import plotly.graph_objects as go

    if not measured["risk"]:
        return None
    figure = go.Figure()
    for mode, by_horizon in {"risk": measured["risk"], **measured["controls"]}.items():
        years = list(by_horizon)
        value = np.array([by_horizon[k]["auc"] for k in years])
        low, high = np.array([by_horizon[k]["auc_ci"] for k in years]).T
        figure.add_scatter(
            x=years,
            y=value,
            name=NAMES[mode],
            mode="markers+lines",
            error_y={"type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low},
        )
    figure.add_hline(y=0.5, line_dash="dot")
    return figure.update_layout(title="AUC by horizon, same women", xaxis_title="Years", yaxis_title="AUC")


def _calibration_figure(table: pd.DataFrame) -> go.Figure | None:
    import plotly.graph_objects as go

    from models.calibration import censoring_weights, horizon_labels

    index = table[table["index"] & ~(table["years_to_cancer"] < 0)]
    figure = go.Figure()
    for k in (1, 2, 5):
        times = (index["years_to_cancer"].to_numpy(float), index["years_followed"].to_numpy(float))
        label, known = horizon_labels(*times, k)
        if label[known].sum() < 10:
            continue
        weight, risk = censoring_weights(*times, k), index[f"risk_{k}"].to_numpy(float)
        groups = np.array_split(np.flatnonzero(known)[np.argsort(risk[known])], 8)
        said = [np.average(risk[group], weights=weight[group]) for group in groups]
        seen = [np.average(label[group], weights=weight[group]) for group in groups]
        figure.add_scatter(x=said, y=seen, name=f"{k} years", mode="markers+lines")
    if not figure.data:
        return None
    figure.add_scatter(x=[0, 1], y=[0, 1], name="right", mode="lines", line={"dash": "dot", "color": "grey"})
    return figure.update_layout(
        title="Calibration by eighths of predicted risk", xaxis_title="Predicted", yaxis_title="Seen"
    )
