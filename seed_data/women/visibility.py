"""Which findings would stand out on film, without drawing any: for tables of thousands of lives in seconds.

`appearance.draw_finding` compares what a finding adds with the clutter around it; a view shows the finding if that ratio is
1 or more and the finding is 3 mm or larger. Here the ratio is not computed from pixels but drawn from a model of it. Its
logarithm is a level by kind, plus a slope by kind with the logarithm of size, plus a shift by density, plus a multiple
of the logarithm of the finding's own conspicuity, plus what the place brings (one draw a finding and view, correlated
between its two views), plus what the visit brings (one draw each time). Specks of calcium are bright: from 3 mm on they
always show, in drawn sets too.

The constants were found by `fitted` on 1,000 drawn women (`simulate --patients 1000 --seed 101`);
`python -m seed_data sensitivity --drawn FOLDER` fits them anew.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.rules.vocabulary import SIDES, STANDARD_VIEWS
from seed_data.women import lives
from seed_data.women.appearance import VISIBLE_CONTRAST_TO_CLUTTER, VISIBLE_MM
from seed_data.women.life import CaseMix, Life
from seed_data.women.mechanisms import OF_2025, Mechanisms
from seed_data.women.tables import truth_rows

__all__ = ["MEASURED", "Visibility", "fitted", "truth_without_pictures"]

USUAL_MM: Final = 10.0
SPECKS: Final = ("calcifications", "benign calcifications", "coarse calcification")


@dataclass(frozen=True)
class Visibility:
    """The constants: by kind (level at 10 mm, slope, spread by place), by density A-D, and what all share."""

    kinds: dict[str, tuple[float, float, float]]
    by_density: dict[str, float]
    of_conspicuity: float
    spread_by_visit: float
    between_views: float

    def log_ratio(self, kind: str, diameter_mm: float, density: str, conspicuity: float) -> float:
        """Return the mean logarithm of contrast to clutter of a mass."""
        level, slope, _ = self.kinds[kind]
        return (
            level
            + slope * math.log(diameter_mm / USUAL_MM)
            + self.by_density[density]
            + self.of_conspicuity * math.log(conspicuity)
        )


MEASURED: Final = Visibility(
    kinds={
        "cyst": (-0.07, 0.69, 0.42),
        "distortion": (0.09, 0.24, 0.25),
        "fibroadenoma": (-0.03, 0.59, 0.45),
        "indistinct benign mass": (-0.14, 0.96, 0.47),
        "indistinct mass": (0.15, 0.75, 0.49),
        "lymph node": (0.03, 0.59, 0.33),
        "radial scar": (-0.23, -0.71, 0.31),
        "round mass": (0.18, 0.75, 0.33),
        "scar": (-0.24, 1.07, 0.31),
        "spiculated mass": (0.61, 0.47, 0.28),
    },
    by_density={"A": 0.31, "B": 0.0, "C": -0.11, "D": -0.04},
    of_conspicuity=1.64,
    spread_by_visit=0.11,
    between_views=0.39,
)


@dataclass(frozen=True)
class _Seen:
    kind: str
    diameter_mm: float
    density: str
    conspicuity: float
    log_ratio: float
    finding: tuple[str, str]
    view: str


def fitted(folders: Sequence[Path]) -> Visibility:
    """Fit the constants to the masses of 3 mm or more of drawn sets (folders with `truth.csv`, `simulation.json`).

    Least squares for the means; the spreads are those of the residuals between and within findings and views.
    """
    seen = [row for folder in folders for row in _masses(folder)]
    kinds = sorted({row.kind for row in seen})
    design = np.zeros((len(seen), 2 * len(kinds) + 4))
    for i, row in enumerate(seen):
        k = 2 * kinds.index(row.kind)
        design[i, k], design[i, k + 1] = 1.0, math.log(row.diameter_mm / USUAL_MM)
        if row.density != "B":
            design[i, -4 + "ACD".index(row.density)] = 1.0
        design[i, -1] = math.log(row.conspicuity)
    found, *_ = np.linalg.lstsq(design, np.array([row.log_ratio for row in seen]), rcond=None)
    left: dict[tuple[str, str, str], list[float]] = {}
    kind_of: dict[tuple[str, str, str], str] = {}
    for row, residual in zip(seen, np.array([row.log_ratio for row in seen]) - design @ found, strict=True):
        left.setdefault((*row.finding, row.view), []).append(float(residual))
        kind_of[*row.finding, row.view] = row.kind
    within = [float(np.var(values, ddof=1)) for values in left.values() if len(values) > 1]
    place = {key: float(np.mean(values)) for key, values in left.items()}
    both = np.array(
        [
            (place[a, b, "CC"], place[a, b, "MLO"])
            for a, b, view in place
            if view == "CC" and (a, b, "MLO") in place
        ]
    )
    return Visibility(
        kinds={
            kind: (
                float(found[2 * k]),
                float(found[2 * k + 1]),
                float(np.std([value for key, value in place.items() if kind_of[key] == kind])),
            )
            for k, kind in enumerate(kinds)
        },
        by_density={"A": float(found[-4]), "B": 0.0, "C": float(found[-3]), "D": float(found[-2])},
        of_conspicuity=float(found[-1]),
        spread_by_visit=math.sqrt(float(np.mean(within))),
        between_views=float(np.corrcoef(both.T)[0, 1]),
    )


def _masses(folder: Path) -> list[_Seen]:
    """Return every drawn mass of 3 mm or more in every view, with the conspicuity its life was drawn with."""
    said = json.loads((folder / "simulation.json").read_text("utf-8"))
    at_work = Mechanisms(**said["mechanisms"]) if "mechanisms" in said else OF_2025
    women = (
        lives.draw_life(said["seed"], number, CaseMix(**said["case_mix"]), mechanisms=at_work)
        for number in range(1, said["patients"] + 1)
    )
    conspicuity = {(life.name, lesion.name): lesion.conspicuity for life in women for lesion in life.lesions}
    rows = []
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for lesion in json.loads(row["lesions"]):
                if lesion["diameter_mm"] < VISIBLE_MM or lesion["kind"] in SPECKS:
                    continue
                finding = (row["patient_id"], lesion["name"])
                for view, shown in lesion["views"].items():
                    ratio = math.log(max(shown["contrast_to_clutter"], 1e-3))
                    rows.append(
                        _Seen(
                            lesion["kind"], lesion["diameter_mm"], row["density"], conspicuity[finding], ratio,
                            finding, view,
                        )
                    )  # fmt: skip
    return rows


def truth_without_pictures(life: Life, model: Visibility) -> list[dict[str, Any]]:
    """Return a woman's truth table (`tables.truth_rows`) with findings shown or not by the model; nothing is drawn.

    The same life and model always give the same rows. Positions in views are left out.
    """
    rng = np.random.default_rng([*life.key, 6])
    place = {lesion.name: _correlated(rng, model.between_views) for lesion in life.lesions}
    conspicuity = {lesion.name: lesion.conspicuity for lesion in life.lesions}
    rows = truth_rows(life, ())
    taken: dict[tuple[int, str], list[str]] = {
        (visit.number + 1, side): [] for visit in life.visits for side in SIDES
    }
    for visit in life.visits:
        for side, view in visit.views:
            taken[visit.number + 1, side].append(view)
    for row in rows:
        views = taken[row["visit"], row["laterality"]]
        findings = json.loads(row["lesions"])
        for finding in findings:
            by_visit = rng.normal(0, model.spread_by_visit, 2)
            shown = {
                view: _shows(model, finding, row["density"], conspicuity, place, by_visit, index)
                for index, view in enumerate(STANDARD_VIEWS)
            }
            finding["visible"] = any(shown[view] for view in views)
        row["views"] = " ".join(views)
        row["lesions"] = json.dumps(findings, separators=(",", ":"))
    return rows


def _shows(
    model: Visibility,
    finding: dict[str, Any],
    density: str,
    conspicuity: dict[str, float],
    place: dict[str, tuple[float, float]],
    by_visit: Any,
    index: int,
) -> bool:
    if finding["diameter_mm"] < VISIBLE_MM:
        return False
    kind, name = finding["kind"], finding["name"]
    if kind in SPECKS:
        return True
    mean = model.log_ratio(kind, finding["diameter_mm"], density, conspicuity[name])
    drawn = mean + model.kinds[kind][2] * place[name][index] + by_visit[index]
    return bool(drawn >= math.log(VISIBLE_CONTRAST_TO_CLUTTER))


def _correlated(rng: np.random.Generator, r: float) -> tuple[float, float]:
    one, two = rng.standard_normal(2)
    return float(one), float(r * one + math.sqrt(1 - r**2) * two)
