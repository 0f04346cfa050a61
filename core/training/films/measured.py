"""What is measured out of fold: risk, what the history adds, progression; of lives in films, of real films, of real pairs.

Intervals are by the woman whose pictures are shown, however many lives are lived in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.measures import horizon_labels, metrics

if TYPE_CHECKING:
    from models.sequence import History

__all__ = ["OutOfFold", "measure_lives", "measure_real"]

FEWEST = 5
"""Fewer with, or fewer without, are not measured."""
NO_GROWTH = 0.9
"""Share of the breasts without growth in lives that lie below the limit at which real pairs are looked at."""


@dataclass
class OutOfFold:
    """What was said of lives, and of real women, by judges that no picture of theirs taught.

    Parameters
    ----------
    whose
        Of each life the woman whose pictures are shown.
    to_cancer, followed
        Years from the life's last visit.
    said
        By what is shown (lives, 5) log-odds of cancer within 1 to 5 years.
    growth
        Of each breast seen at a visit that has one before it: whose it is, whether its cancer grew, log-odds of that.
    real
        Of each real woman the worst finding (0 normal, 1 benign, 2 malignant, -1 unknown) and log-odds of cancer within 1 to 5
        years.
    """

    whose: list[str] = field(default_factory=list)
    to_cancer: list[float] = field(default_factory=list)
    followed: list[float] = field(default_factory=list)
    said: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    growth: list[tuple[str, float, float]] = field(default_factory=list)
    real: list[tuple[int, NDArray[np.float64]]] = field(default_factory=list)

    def add_lives(
        self,
        women: Sequence[History],
        whose: Sequence[str],
        said: dict[str, NDArray[np.float64]],
        growth: Sequence[NDArray[np.float64]],
    ) -> None:
        """Add lives of one fold."""
        self.whose += whose
        self.to_cancer += [float(woman.years_to_cancer[-1]) for woman in women]
        self.followed += [float(woman.years_followed[-1]) for woman in women]
        for name, rows in said.items():
            self.said.setdefault(name, []).extend(rows)
        for woman, name, rows in zip(women, whose, growth, strict=True):
            known = np.isfinite(woman.progression) & woman.present.any(axis=2)
            known[0] = False
            self.growth += [
                (name, float(label), float(row))
                for label, row in zip(woman.progression[known], rows[known], strict=True)
            ]

    def add_real(self, women: Sequence[History], said: NDArray[np.float64]) -> None:
        """Add real women of one fold."""
        self.real += [(int(woman.finding.max()), row) for woman, row in zip(women, said, strict=True)]

    def join(self, other: OutOfFold) -> None:
        """Add what was said of another fold."""
        for name in ("whose", "to_cancer", "followed", "growth", "real"):
            getattr(self, name).extend(getattr(other, name))
        for name, rows in other.said.items():
            self.said.setdefault(name, []).extend(rows)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "whose": self.whose,
            "to_cancer": [None if np.isnan(years) else years for years in self.to_cancer],
            "followed": self.followed,
            "said": {name: [row.tolist() for row in rows] for name, rows in self.said.items()},
            "growth": self.growth,
            "real": [(finding, row.tolist()) for finding, row in self.real],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> OutOfFold:
        """Read what `to_json` gave."""
        return cls(
            list(values["whose"]),
            [np.nan if years is None else float(years) for years in values["to_cancer"]],
            [float(years) for years in values["followed"]],
            {name: [np.array(row) for row in rows] for name, rows in values["said"].items()},
            [(str(name), float(label), float(row)) for name, label, row in values["growth"]],
            [(int(finding), np.array(row)) for finding, row in values["real"]],
        )

    @property
    def stays_below(self) -> float:
        """Log-odds below which most breasts without growth lie."""
        return float(np.quantile([row for _, label, row in self.growth if label == 0], NO_GROWTH))


def measure_lives(found: OutOfFold) -> dict[str, Any]:
    """Return ``risk`` and ``controls`` by horizon as cards hold them, and ``progression``."""
    whose, to_cancer, followed = np.array(found.whose), np.array(found.to_cancer), np.array(found.followed)
    said = {name: np.stack(rows) for name, rows in found.said.items()}
    others = [name for name in said if name != "history"]
    measured: dict[str, Any] = {
        "women": len(set(found.whose)),
        "lives": len(found.whose),
        "risk": {},
        "controls": {name: {} for name in others},
    }
    for years in range(1, 6):
        label, known = horizon_labels(to_cancer, followed, years)
        if min((label[known] == 1).sum(), (label[known] == 0).sum()) < FEWEST:
            continue
        y, hers, rows = label[known], whose[known], said["history"][known, years - 1]
        measured["risk"][str(years)] = {"n": len(y), "events": int(y.sum())} | _auc(y, rows, hers)
        for name in others:
            other = said[name][known, years - 1]
            gain, low, high, _ = metrics.delong_difference(y, rows, other, hers)
            measured["controls"][name][str(years)] = _auc(y, other, hers) | {
                "gain": gain,
                "gain_ci": [low, high],
            }
    label = np.array([one for _, one, _ in found.growth])
    if min((label == 1).sum(), (label == 0).sum()) >= FEWEST:
        rows = np.array([row for *_, row in found.growth])
        measured["progression"] = {"n": len(label), "events": int(label.sum())} | _auc(
            label, rows, np.array([name for name, *_ in found.growth])
        )
    return measured


def measure_real(found: OutOfFold) -> dict[str, Any]:
    """Return what risk tells of real women with one study: ``malignant`` and ``abnormal`` against the others."""
    finding = np.array([one for one, _ in found.real])
    rows = np.array([row[0] for _, row in found.real])
    measured: dict[str, Any] = {}
    for name, least in (("malignant", 2), ("abnormal", 1)):
        known = finding >= 0
        label = (finding[known] >= least).astype(float)
        if min((label == 1).sum(), (label == 0).sum()) >= FEWEST:
            value, low, high = metrics.auc_delong(label, rows[known])
            measured[name] = {
                "n": len(label), "events": int(label.sum()), "auc": value, "auc_ci": [low, high],
            }  # fmt: skip
    return measured


def _auc(label: NDArray[np.float64], said: NDArray[np.float64], whose: NDArray[np.str_]) -> dict[str, Any]:
    value, low, high = metrics.auc_delong(label, said, whose)
    return {"auc": value, "auc_ci": [low, high]}
