"""Perfect study vectors: what a study shows, as an embeddings file for `python -m core train sequence`.

An encoder that misses nothing would give them: of each breast gland share, sign, and the number and largest diameter of
visible findings of each look; of the woman age and texture. No finding is followed by name from study to study, as no
encoder does that. What a sequence model makes of them beside perfect readers (`seed_data sensitivity`) is what the
sequence loses, whatever the encoder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.evaluation.oracles import LOOKS
from core.files import AS_ASKED, write_whole
from core.rules.vocabulary import SIDES
from core.sets import TrueBreast, by_woman, true_breasts
from seed_data.women import lives
from seed_data.women.life import CaseMix
from seed_data.women.mechanisms import Mechanisms
from seed_data.women.processes import in_order
from seed_data.women.visibility import MEASURED, truth_without_pictures

__all__ = ["NAMES", "vectors_of", "write_vectors"]

CHUNK = 250
DAYS_A_MONTH = 365.25 / 12
_LOOKS = tuple(dict.fromkeys(LOOKS.values()))
NAMES = (
    "age, decades from 60",
    "texture",
    *(f"{side} {what}" for side in SIDES for what in ("gland share", "sign")),
    *(f"{side} {look}, {what}" for side in SIDES for look in _LOOKS for what in ("number", "cm")),
)
"""What e0, e1, … are."""


@dataclass(frozen=True)
class _Order:
    seed: int
    numbers: range
    mix: CaseMix
    mechanisms: Mechanisms


def vectors_of(truth: Sequence[TrueBreast]) -> pd.DataFrame:
    """Return a row for each study of women whose cancer was not found before their last: an embeddings file's columns."""
    rows = []
    for patient, breasts in by_woman(truth).items():
        known = [one.years_to_diagnosis for one in breasts if one.visit == breasts[-1].visit]
        if any(years is not None and years < 0 for years in known):
            continue
        first = breasts[0].on
        for number in sorted({one.visit for one in breasts}):
            here = {one.laterality: one for one in breasts if one.visit == number}
            one = next(iter(here.values()))
            years = [found for b in here.values() if (found := b.years_to_diagnosis) is not None]
            row = {"patient_id": patient, "months": (one.on - first).days / DAYS_A_MONTH}
            row |= {f"e{place}": value for place, value in enumerate(_vector(here))}
            rows.append(
                row | {"years_to_cancer": min(years, default=math.nan), "years_followed": one.years_followed}
            )
    return pd.DataFrame(rows)


def _vector(here: dict[str, TrueBreast]) -> list[float]:
    one = next(iter(here.values()))
    found = [(one.age_years - 60) / 10, one.texture or 0.0]
    for side in SIDES:
        found += [here[side].gland_share, here[side].sign or 0.0]
    for side in SIDES:
        for look in _LOOKS:
            sizes = [
                lesion.diameter_mm
                for lesion in here[side].lesions
                if lesion.visible and LOOKS[lesion.kind] == look
            ]
            found += [float(len(sizes)), max(sizes, default=0.0) / 10]
    return found


def _drawn(order: _Order) -> pd.DataFrame:
    return vectors_of(
        [
            breast
            for number in order.numbers
            for breast in true_breasts(
                truth_without_pictures(
                    lives.draw_life(order.seed, number, order.mix, mechanisms=order.mechanisms), MEASURED
                )
            )
        ]
    )


def write_vectors(
    path: Path,
    *,
    women: int,
    seed: int,
    mix: CaseMix,
    mechanisms: Mechanisms,
    jobs: int = 1,
    on_women: Callable[[int, int], None] | None = None,
) -> None:
    """Write the vectors of the lives that `sensitivity.write_lives` writes for the same arguments, as CSV."""
    orders = [
        _Order(seed, range(start, min(start + CHUNK, women + 1)), mix, mechanisms)
        for start in range(1, women + 1, CHUNK)
    ]
    made = []
    for done, table in enumerate(in_order(_drawn, orders, jobs), start=1):
        made.append(table)
        if on_women:
            on_women(min(done * CHUNK, women), women)
    said = pd.concat(made).to_csv(index=False, float_format="%.4f", lineterminator="\n")
    write_whole(path, said, mode=AS_ASKED)
