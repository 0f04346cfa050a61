"""What every training run shares: why it cannot go on, the plan it must keep to, the curve it leaves."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.files import whole_file, write_whole
from models.store import DamagedCache

__all__ = ["TrainingError", "keep_facts", "kept_facts", "same_plan", "write_curves"]

OPTIONS_GONE = {"lesion_steps"}
"""What releases before wrote into a plan that nothing asks for any more."""


class TrainingError(ValueError):
    """Training cannot start or go on; the message says why and what to do."""


def check_no_model(out: Path) -> None:
    """Raise `TrainingError` where a folder holds a model already: none is written over."""
    from models.store import CARD

    if (out / CARD).is_file():
        raise TrainingError(f"{out} holds a model. Choose another folder for --out.")


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
    before = kept_facts(path)
    if before is not None:
        before = {key: value for key, value in before.items() if key not in OPTIONS_GONE}
    if before is None:
        keep_facts(path, asked)
    elif before != asked:
        changed = ", ".join(sorted(key for key in asked | before if before.get(key) != asked.get(key)))
        raise TrainingError(
            f"{path.parent.parent} holds a run with other settings ({changed}). Choose another folder for --out, "
            "or remove that one."
        )


def keep_facts(path: Path, facts: dict[str, Any]) -> None:
    """Put what a run is to know when it goes on in the place of what was there, as JSON, in one step."""
    write_whole(path, json.dumps(facts, indent=1))


def kept_facts(path: Path) -> dict[str, Any] | None:
    """Return what `keep_facts` kept, or None if there is nothing; `DamagedCache` if it cannot be read."""
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedCache(path, error) from error
    if not isinstance(facts, dict):
        raise DamagedCache(path, "it holds no names")
    return facts


def write_curves(path: Path, curve: Sequence[dict[str, Any]]) -> None:
    """Write the records of a training as CSV, a column for each figure."""
    names = sorted({key for record in curve for key in record}, key=lambda name: (name != "stage", name))
    with whole_file(path, text=True, newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(curve)
