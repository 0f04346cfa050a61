"""What every training run shares: why it cannot go on, the plan it must keep to, the curve it leaves."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.files import whole_file, write_whole

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    pass

__all__ = ["TrainingError", "same_plan", "write_curves"]


class TrainingError(ValueError):
    """Training cannot start or go on; the message says why and what to do."""


def same_plan(path: Path, plan: dict[str, Any], images: Sequence[Path], labels: Sequence[str]) -> None:
    """Refuse with `TrainingError` to mix two runs in one folder; `path` keeps what the first was asked for.

    `labels` is what is known of the images and women, and into which part they went: a run that goes on with others would
    measure on women who taught it.
    """

    def of(listing: Iterable[str]) -> str:
        return hashlib.sha256("\n".join(listing).encode()).hexdigest()

    # As it will be read again: a tuple comes back as a list.
    asked = json.loads(
        json.dumps(plan | {"images": of(str(image.resolve()) for image in images), "labels": of(labels)})
    )
    if path.is_file():
        before = json.loads(path.read_text("utf-8"))
        if before != asked:
            changed = ", ".join(sorted(key for key in asked if before.get(key) != asked[key]))
            raise TrainingError(
                f"{path.parent.parent} holds a run with other settings ({changed}). Choose another folder for --out, "
                "or remove that one."
            )
    write_whole(path, json.dumps(asked, indent=1))


def write_curves(path: Path, curve: Sequence[dict[str, Any]]) -> None:
    """Write the records of a training as CSV, a column for each figure."""
    names = sorted({key for record in curve for key in record}, key=lambda name: (name != "stage", name))
    with whole_file(path, text=True, newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(curve)
