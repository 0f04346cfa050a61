"""Where what is taken away comes from: the day, the release, the data, the model with its weights, the definition."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from functools import cache
from pathlib import Path

from core.cohorts.away.page import Made
from core.cohorts.away.told import sha256_of
from core.cohorts.definition import Definition, Population
from core.installation import Installation
from core.records import cards

__all__ = ["made_of", "model_said", "release"]

OWN = "the women of this installation"


def made_of(here: Installation, definition: Definition, sentence: str, on: date, table: str = "") -> Made:
    """Say where a file comes from that is made of a definition's women on a day; `table` names a cohort without images."""
    query = definition.to_json()
    return Made(
        on=on.isoformat(),
        release=release(),
        source=f"the table {table}" if table else OWN,
        model=model_said(here),
        sentence=sentence,
        query=json.dumps(query, ensure_ascii=False, indent=1),
        query_sha256=sha256_of(query),
        simulated="" if definition.kind is Population.REAL else definition.kind.value,
    )


def model_said(here: Installation) -> str:
    """Name the model that speaks, with its weights and calibration, so that somebody else can tell whether his is the same."""
    name = cards.speaking(here)
    card = cards.card_of(here, name)
    if card is None:
        return f"{name} (its card is not installed)"
    calibration = f", calibration {card.calibration}" if card.calibration else ""
    return f"{name}, weights SHA-256 {card.weights_sha256}{calibration}"


@cache
def release() -> str:
    """Return this release: the version, and the number of its tables."""
    from db.migrate import head

    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    version = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    return f"{version} (tables {head()})"
