"""What is measured, and how many milliseconds it took."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Woman(BaseModel):
    """A woman to look at: her MRN, the key that addresses name her by, and the UIDs of her studies, oldest first."""

    model_config = ConfigDict(frozen=True)

    mrn: str
    key: str
    studies: tuple[str, ...]


class Job(BaseModel):
    """A dashboard that runs, who is signed in, whom to look at, and for how long."""

    model_config = ConfigDict(frozen=True)

    url: str
    pid: int
    tokens: tuple[str, ...]
    women: tuple[Woman, ...]
    rounds: int = 40
    """How often one person does each thing; in a browser a quarter as often."""
    people: int = 50
    seconds: float = 60.0
    compares: bool = False
    """Only compare the last two studies of the first woman, and nothing else."""
    of_many: bool = False
    """Only click through worklist and cohort, as where there are very many women, and nothing else."""
    analyst: str = ""
    """The sign-in of an analyst, to look at the cohort; empty where that is not measured."""


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least a share (0..1) of the values do not exceed; raises `ValueError` for none.

    >>> quantile([3.0, 1.0, 2.0, 4.0], 0.5)
    2.0
    """
    if not values:
        raise ValueError("There is nothing to take a quantile of.")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Return median and 95th percentile of a figure, in milliseconds."""
    return {
        f"{name}_p50": 1000 * quantile(seconds, 0.5),
        f"{name}_p95": 1000 * quantile(seconds, 0.95),
    }
