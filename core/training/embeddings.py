"""Embeddings files: any encoder's vectors, one row a visit, as Parquet or CSV."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.files import private_folder, whole_file, write_whole
from models.measures import DOMAIN, fit_domain
from models.sequence import SMALL_MODES, EmbeddedWoman, cross_validate, fit_small, gain_of
from models.store import OnProgress

__all__ = ["EmbeddingsError", "read_embeddings", "train_on_embeddings"]

USUAL_FOLDS = 5
MONTHS_A_YEAR = 12
MANY_WOMEN = 1000
"""Of more, one round of cross-validation tells as much as five of few, and takes as long."""
NEEDED = ("patient_id", "months", "years_to_cancer", "years_followed")


class EmbeddingsError(ValueError):
    """The file cannot be used; the message says why and what to do."""


def read_embeddings(path: Path) -> list[EmbeddedWoman]:
    """Read an embeddings file: ``patient_id, months, e0..eD-1, years_to_cancer, years_followed``.

    Rows may stand in any order; women come by id, their visits oldest first. A woman whose `years_to_cancer` is blank
    at some visits only had cancer: the others say when.

    Raises
    ------
    EmbeddingsError
        If the file cannot be read, lacks a column, or a number or a patient_id is missing.
    """
    try:
        # Ids are words: read as numbers, 01 and 1 would be one woman.
        table = (
            pd.read_parquet(path)
            if path.suffix.lower() in (".parquet", ".pq")
            else pd.read_csv(path, dtype={"patient_id": str})
        )
    except FileNotFoundError as error:
        raise EmbeddingsError(f"There is no file {path}.") from error
    except Exception as error:
        raise EmbeddingsError(f"{path} is neither Parquet nor CSV: {error}") from error
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise EmbeddingsError(f"{path} lacks the column {', '.join(missing)}.")
    named = [str(name) for name in table if re.fullmatch(r"e\d+", str(name))]
    axes = sorted(named, key=lambda name: int(name[1:]))
    if not axes or axes != [f"e{i}" for i in range(len(axes))]:
        raise EmbeddingsError(f"{path} needs the columns e0, e1, … without a gap.")
    numbers = table[["months", *axes, "years_to_cancer", "years_followed"]].apply(
        pd.to_numeric, errors="coerce"
    )
    whole = numbers[["months", *axes, "years_followed"]]
    bad = ~np.isfinite(whole.to_numpy(float)).all(axis=1)
    unread = numbers["years_to_cancer"].isna() & table["years_to_cancer"].notna()
    unread &= table["years_to_cancer"].astype(str).str.strip() != ""
    unread |= np.isinf(numbers["years_to_cancer"])
    if bad.any() or unread.any():
        row = int(np.argmax(bad | unread.to_numpy()))
        raise EmbeddingsError(f"{path}, row {row + 1} of the data: a number is missing or is none.")
    nameless = (table["patient_id"].isna() | (table["patient_id"].astype(str).str.strip() == "")).to_numpy()
    if nameless.any():
        raise EmbeddingsError(f"{path}, row {int(nameless.argmax()) + 1} of the data has no patient_id.")
    women = []
    for patient, rows in numbers.groupby(table["patient_id"].astype(str), sort=True):
        ordered = rows.sort_values("months", kind="stable")
        women.append(
            EmbeddedWoman(
                patient_id=str(patient),
                months=ordered["months"].to_numpy(float),
                vectors=ordered[axes].to_numpy(float),
                years_to_cancer=_at_every_visit(ordered["months"], ordered["years_to_cancer"]),
                years_followed=ordered["years_followed"].to_numpy(float),
            )
        )
    return women


def _at_every_visit(months: pd.Series, years_to_cancer: pd.Series) -> NDArray[np.float64]:
    """Return the years to a woman's cancer at every visit: one row that says when it came says it for all."""
    came = float((years_to_cancer + months / MONTHS_A_YEAR).median())  # NaN where no row says so
    return years_to_cancer.fillna(came - months / MONTHS_A_YEAR).to_numpy(float)


def train_on_embeddings(
    women: Sequence[EmbeddedWoman],
    out: Path,
    report: OnProgress,
    *,
    folds: int = 0,
    repeats: int = 1,
    seed: int = 0,
) -> dict[str, Any]:
    """Fit sequence models on embeddings, cross-validate them, and write them to `out`.

    Writes ``sequence.npz`` (the model of `history`, fitted on all women: projection, read-out, LSTM and its share),
    ``metrics.json`` (with ``domain``, or why nothing can be said of it), ``domain.npz`` (which readings the model knows, where
    there are studies enough to say) and, where cross-validated, ``predictions.csv``.

    Parameters
    ----------
    women
        What `read_embeddings` gave.
    out
        Folder.
    report
        Told of progress.
    folds, repeats
        Of the cross-validation. Without folds there are five, five times over (once where women are many), or none
        where there are too few women for five.
    seed
        The same gives the same folds.

    Returns
    -------
    dict
        By mode (history, last, dates): auc, ci and more, out of fold; and ``gain``, what history adds to the last visit.
        Empty if not cross-validated.

    Raises
    ------
    EmbeddingsError
        If there are too few women with or without cancer.
    """
    label = np.array([woman.label for woman in women])
    cancers, without = int((label == 1).sum()), int((label == 0).sum())
    if folds == 0 and min(cancers, without) >= USUAL_FOLDS + 2:
        folds, repeats = USUAL_FOLDS, 1 if len(women) > MANY_WOMEN else USUAL_FOLDS
    least = max(3, folds + (folds > 1) * 2)
    if min(cancers, without) < least:
        raise EmbeddingsError(
            f"{cancers} women with cancer within five years of their last visit and {without} without are too few: "
            f"{least} of each are the least."
        )
    private_folder(out)
    measured: dict[str, Any] = {}
    scores: dict[str, dict[str, float]] = {}
    if folds > 1:
        for mode in SMALL_MODES:
            reached = cross_validate(women, mode, folds=folds, repeats=repeats, seed=seed, report=report)
            scores[mode] = reached.pop("scores")
            measured[mode] = reached
        ill = {woman.patient_id: woman.label == 1 for woman in women if np.isfinite(woman.label)}
        measured["gain"] = gain_of(scores["history"], scores["last"], ill)
        table = pd.DataFrame(scores).rename_axis("patient_id").reset_index()
        table["y_true"] = table["patient_id"].map(ill).astype(int)
        write_whole(out / "predictions.csv", table.to_csv(index=False))
    model = fit_small([woman for woman in women if np.isfinite(woman.label)], "history", seed=seed)
    with whole_file(out / "sequence.npz") as file:
        np.savez(file, allow_pickle=False, **model.arrays())
    known = {"domain": _keep_domain(women, out)}
    write_whole(out / "metrics.json", json.dumps(measured | known, indent=1) + "\n")
    return measured


def _keep_domain(women: Sequence[EmbeddedWoman], out: Path) -> dict[str, Any]:
    """Write which readings these are, beside the model; return the facts, or why nothing can be said of them."""
    whose = [woman.patient_id for woman in women for _ in woman.vectors]
    try:
        known = fit_domain(
            np.concatenate([woman.vectors for woman in women]).astype(np.float32),
            whose,
            [str(place) for place in range(len(whose))],
            [],
            "the women it learned from",
        )
    except ValueError as error:
        return {"fitted_on": None, "why": str(error)}
    known.save(out / DOMAIN)
    return {
        "fitted_on": known.fitted_on,
        "women": known.women,
        "studies": known.studies,
        "limit": known.limit,
    }
