"""Two visits of a simulated woman, of whom it is known where her findings lie in each view."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from seed_data.women import cohort
from seed_data.women.life import CaseMix
from seed_data.women.plan import SetPlan


@dataclass(frozen=True)
class Pair:
    """A prior and a current view, and where the same findings lie in them (n, 2), in pixels."""

    prior: np.ndarray
    current: np.ndarray
    in_prior: np.ndarray
    in_current: np.ndarray


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> dict[str, Pair]:
    """By laterality and view (as L-CC) the first two visits of a woman."""
    out = tmp_path_factory.mktemp("registration") / "women"
    cohort.simulate(
        out,
        SetPlan(patients=1, seed=3, mix=CaseMix(benign_per_woman=5.0), image_format="png", spacing_mm=0.5),
        jobs=1,
    )
    return pairs_of(out)


def pairs_of(out: Path) -> dict[str, Pair]:
    with (out / "manifest.csv").open() as file:
        paths = {
            (row["study_date"], row["laterality"], row["view"]): out / row["path"]
            for row in csv.DictReader(file)
        }
    with (out / "truth.csv").open() as file:
        visits = [row for row in csv.DictReader(file) if row["visit"] in {"1", "2"}]
    found = {}
    for side in "LR":
        first, second = (row for row in visits if row["laterality"] == side)
        for view in ("CC", "MLO"):
            places = [
                {
                    one["name"]: one["views"][view]
                    for one in json.loads(row["lesions"])
                    if view in one["views"]
                }
                for row in (first, second)
            ]
            names = sorted(set(places[0]) & set(places[1]))
            pictures = [
                cv2.imread(str(paths[row["study_date"], side, view]), cv2.IMREAD_UNCHANGED)
                for row in (first, second)
            ]
            then, now = (
                np.array([[place[name]["x"], place[name]["y"]] for name in names]).reshape(-1, 2)
                for place in places
            )
            found[f"{side}-{view}"] = Pair(*pictures, then, now)
    return found
