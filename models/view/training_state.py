"""What a training that may be killed keeps of each of its stages, to go on from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.store import DamagedCache, keep_arrays, kept_arrays

__all__ = ["KeptState", "TrainingState"]


@dataclass
class KeptState:
    """What `TrainingState` kept of a stage: weights now, weights to use, seconds and steps spent, curve, whether it ended."""

    weights: list[NDArray[Any]]
    average: list[NDArray[Any]]
    spent: float
    steps: int
    curve: list[dict[str, float | str]]
    done: bool


class TrainingState:
    """The state of a training that may be killed: one file a stage, replaced in one step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(
        self,
        stage: str,
        weights: list[NDArray[Any]],
        average: list[NDArray[Any]],
        spent: float,
        steps: int,
        curve: list[dict[str, float | str]],
        *,
        done: bool,
    ) -> None:
        """Put the state of a stage in the place of the one before, in one step."""
        facts = json.dumps({"spent": spent, "steps": steps, "curve": curve, "done": done, "n": len(weights)})
        arrays = {f"w{i}": value for i, value in enumerate(weights)}
        arrays |= {f"a{i}": value for i, value in enumerate(average)}
        keep_arrays(self.folder / f"{stage}.npz", facts=np.array(facts), **arrays)

    def read(self, stage: str) -> KeptState | None:
        """Return what was kept of a stage, or None; `DamagedCache` if it cannot be read."""
        path = self.folder / f"{stage}.npz"
        kept = kept_arrays(path)
        if kept is None:
            return None
        try:
            facts = json.loads(str(kept["facts"]))
            weights = [kept[f"w{i}"] for i in range(facts["n"])]
            average = [kept[f"a{i}"] for i in range(facts["n"])]
            return KeptState(weights, average, facts["spent"], facts["steps"], facts["curve"], facts["done"])
        except (KeyError, ValueError) as error:
            raise DamagedCache(path, f"it lacks {error}") from error
