"""Women drawn by their outcome, as in a case-cohort study, and how many each of them stands for."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.sequence import History

__all__ = ["SamplingError", "read_sampling", "thinned", "weighed"]

COLUMNS = ("patient_id", "stands_for")
_THINNED_BY = 20261128


class SamplingError(ValueError):
    """A table of sampling weights that cannot be used; the message says what to change."""


def read_sampling(path: Path) -> dict[str, float]:
    """Read a CSV of ``patient_id,stands_for``: how many women each woman stands for, the inverse of her chance to be drawn.

    Raises
    ------
    SamplingError
        If it cannot be read, lacks a column, names a woman twice, or holds what is no number above 0.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            lacks = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if lacks:
                raise SamplingError(
                    f"{path} has no column {lacks[0]}. It is to have {' and '.join(COLUMNS)}."
                )
            found: dict[str, float] = {}
            for line, row in enumerate(rows, start=2):
                who, said = (row["patient_id"] or "").strip(), (row["stands_for"] or "").strip()
                if who in found:
                    raise SamplingError(f"{path}, line {line}: {who} is named twice.")
                try:
                    found[who] = float(said)
                except ValueError:
                    found[who] = math.nan
                if not 0 < found[who] < math.inf:
                    raise SamplingError(
                        f"{path}, line {line}: stands_for is {said!r}, and is to be a number above 0."
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SamplingError(f"{path} cannot be read as a table: {error}") from error
    return found


def weighed(women: Sequence[History], stands_for: Mapping[str, float]) -> list[History]:
    """Return women with how many each stands for.

    A woman of a second manifest, who is called ``2:MRN`` (`core.sets.gather`), may be named by her MRN alone.

    Raises
    ------
    SamplingError
        If one is not named.
    """
    named = {woman.patient_id: _named(woman.patient_id, stands_for) for woman in women}
    lacking = [who for who, as_named in named.items() if as_named not in stands_for]
    if lacking:
        raise SamplingError(
            f"Of {len(lacking)} women it is not said how many they stand for, such as {min(lacking)}."
        )
    return [replace(woman, stands_for=stands_for[named[woman.patient_id]]) for woman in women]


def _named(who: str, stands_for: Mapping[str, float]) -> str:
    number, colon, mrn = who.partition(":")
    return mrn if colon and number.isdecimal() and who not in stands_for else who


def thinned(women: Sequence[History]) -> list[History]:
    """Return women as if none had been drawn by her outcome: each is kept with the chance her weight has of the largest.

    The same women are always kept. Where all stand for as many, all are.
    """
    shares = np.array([woman.stands_for for woman in women])
    if not len(shares) or (shares == shares[0]).all():
        return list(women)
    kept = np.random.default_rng(_THINNED_BY).random(len(shares)) < shares / shares.max()
    return [replace(woman, stands_for=1.0) for woman, stays in zip(women, kept, strict=True) if stays]
