"""The truth of simulated women: what was really in each breast at each visit, read from `truth.csv`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

__all__ = [
    "TrueBreast",
    "TrueLesion",
    "TruthError",
    "by_woman",
    "read_truth",
    "read_visible_from",
    "simulation_beside",
    "true_breasts",
    "truth_beside",
]

NAME = "truth.csv"
MONTHS_A_YEAR = 12


class TruthError(ValueError):
    """The file cannot be read as the truth of simulated women; the message says why."""


@dataclass(frozen=True)
class TrueLesion:
    """One finding of one breast on one day.

    `name` is the same at every visit of the same woman and says nothing else; `visible` says whether it stands out of
    the tissue in any view that was taken, and `boxes` (x0, y0, x1, y1, in pixels of the image) where in each view.
    """

    name: str
    kind: str
    malignant: bool
    diameter_mm: float
    visible: bool
    boxes: Mapping[str, tuple[float, float, float, float]]


@dataclass(frozen=True)
class TrueBreast:
    """One breast at one visit; years are from that visit, None where no cancer is found in this breast.

    `texture` (of the woman) and `sign` (of the breast) are in SDs; None where the simulator knew of neither.
    """

    patient_id: str
    visit: int
    on: date
    laterality: str
    age_years: float
    density: str
    gland_share: float
    vendor: str
    views: tuple[str, ...]
    lesions: tuple[TrueLesion, ...]
    years_to_diagnosis: float | None
    years_followed: float
    texture: float | None = None
    sign: float | None = None

    @property
    def largest_malignant_mm(self) -> float:
        """Return the diameter in mm of the largest cancer in the breast, visible or not; 0 if there is none."""
        return max((lesion.diameter_mm for lesion in self.lesions if lesion.malignant), default=0.0)


def truth_beside(manifest: Path) -> Path | None:
    """Return the `truth.csv` in the folder of a manifest, or None if there is none."""
    path = manifest.parent / NAME
    return path if path.is_file() else None


def simulation_beside(manifest: Path) -> dict[str, Any] | None:
    """Return what `simulation.json` in the folder of a manifest says of a simulated set, or None if there is none."""
    path = manifest.parent / "simulation.json"
    if not path.is_file():
        return None
    described: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return described


def read_truth(path: Path, *, prefix: str = "") -> list[TrueBreast]:
    """Read a truth table; `prefix` is put before every patient's id.

    Raises
    ------
    TruthError
        If the file is not there, or is not a truth table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return true_breasts(csv.DictReader(file), prefix=prefix)
    except OSError as error:
        raise TruthError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise TruthError(f"{path} is no truth table of simulated women: {error!r}.") from error


def read_visible_from(path: Path) -> dict[str, date]:
    """Return from which day on the cancer of each woman could be seen, by her number; women without one are left out.

    Raises
    ------
    TruthError
        If the file is not there, or does not say it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            said = {row["patient_id"]: row["visible_from"] for row in csv.DictReader(file)}
        return {number: date.fromisoformat(day) for number, day in said.items() if day}
    except OSError as error:
        raise TruthError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise TruthError(
            f"{path} does not say from when cancers could be seen (column visible_from): it is of an earlier release, or damaged. "
            "Whether they would have been found earlier is not known of these women."
        ) from error


def true_breasts(rows: Iterable[Mapping[str, Any]], *, prefix: str = "") -> list[TrueBreast]:
    """Return what rows of a truth table say, in their order. Raises KeyError or ValueError for other rows."""
    return [_breast(row, prefix) for row in rows]


def _breast(row: Mapping[str, Any], prefix: str) -> TrueBreast:
    months = str(row["months_to_diagnosis"])
    return TrueBreast(
        patient_id=prefix + str(row["patient_id"]),
        visit=int(row["visit"]),
        on=date.fromisoformat(row["study_date"]),
        laterality=str(row["laterality"]),
        age_years=float(row["age"]),
        density=str(row["density"]),
        gland_share=float(row["gland_share"]),
        vendor=str(row["vendor"]),
        views=tuple(str(row["views"]).split()),
        lesions=tuple(_lesion(one) for one in json.loads(row["lesions"])),
        years_to_diagnosis=float(months) / MONTHS_A_YEAR if months else None,
        years_followed=float(row["months_to_censoring"]) / MONTHS_A_YEAR,
        texture=_number(row.get("texture")),
        sign=_number(row.get("sign")),
    )


def _number(said: Any) -> float | None:
    return None if said in (None, "") else float(said)


def _lesion(said: Mapping[str, Any]) -> TrueLesion:
    boxes: dict[str, tuple[float, float, float, float]] = {
        view: tuple(shown["box"]) for view, shown in said["views"].items() if shown["visible"]
    }
    return TrueLesion(
        str(said["name"]),
        str(said["kind"]),
        bool(said["malignant"]),
        float(said["diameter_mm"]),
        bool(said["visible"]),
        boxes,
    )


def by_woman(truth: Sequence[TrueBreast]) -> dict[str, list[TrueBreast]]:
    """Return the breasts of each woman, oldest visit first."""
    hers: dict[str, list[TrueBreast]] = {}
    for breast in truth:
        hers.setdefault(breast.patient_id, []).append(breast)
    for breasts in hers.values():
        breasts.sort(key=lambda breast: (breast.visit, breast.laterality))
    return hers
