"""The models that are shipped: each a folder of `models/weights` with its files and a card that vouches for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

__all__ = [
    "CARD",
    "IMAGE_KIND",
    "ModelCard",
    "card",
    "cards",
    "check_card_words",
    "check_files",
    "folder_of",
    "read_card",
    "sha256_of",
    "weights_folder",
]

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
CARD = "card.json"
IMAGE_KIND = "image"
"""What `settings["kind"]` says on the card of a model of single images; longitudinal models say nothing."""


# Strict: a card that says "no" for false is wrong, and is not to be read as a yes.
@dataclass(frozen=True, config=ConfigDict(strict=True, extra="ignore"))
class ModelCard:
    """What is known of a model: whence it comes, what it is for, how well it does, and its files' sha256.

    Its values are checked when it is made; `pydantic.ValidationError`, a ValueError, says which is of the wrong kind.
    """

    name: str
    title: str
    trained_on: str
    licence: str
    intended_use: str
    limits: str
    metrics: dict[str, Any]
    weights_sha256: str
    encoder_sha256: str
    calibration: str
    created: str
    files: dict[str, str]
    simulated_training: bool
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def of_single_images(self) -> bool:
        """Whether the model reads single images; else it is a longitudinal one."""
        return self.settings.get("kind") == IMAGE_KIND

    @property
    def calibrated_on_simulated(self) -> bool:
        """Whether the women that its probabilities were held against are simulated ones."""
        return bool(self.settings.get("calibrated_on_simulated", self.simulated_training))

    def to_json(self) -> dict[str, Any]:
        """Return the card as plain values, as it stands in `card.json`."""
        return asdict(self)


def weights_folder(name: str) -> Path:
    """Return the folder of the shipped model `name`.

    Raises
    ------
    LookupError
        If no such model is shipped; the message names those that are.
    """
    folder = WEIGHTS / name
    if Path(name).name != name or not (folder / CARD).is_file():
        known = ", ".join(sorted(path.parent.name for path in WEIGHTS.glob(f"*/{CARD}"))) or "none yet"
        raise LookupError(f"No model is called {name!r}. Shipped models: {known}.")
    return folder


def folder_of(name_or_folder: str | Path) -> Path:
    """Return a model's folder, given as such or by the name of a shipped model; LookupError if it is neither."""
    folder = Path(name_or_folder)
    return folder if folder.is_dir() else weights_folder(str(name_or_folder))


def card(name: str) -> ModelCard:
    """Return the card of the shipped model `name`; LookupError if there is none."""
    return read_card(weights_folder(name))


def cards() -> list[ModelCard]:
    """Return the cards of all shipped models, by name."""
    return [read_card(path.parent) for path in sorted(WEIGHTS.glob(f"*/{CARD}"))]


def read_card(folder: Path) -> ModelCard:
    """Read the card of a model's folder; what it says beyond `ModelCard` is left aside.

    Raises
    ------
    ValueError
        If the card is missing, damaged, incomplete, or says something of the wrong kind.
    """
    path = folder / CARD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{folder} holds no {CARD}: it is not a model's folder.") from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise ValueError(f"{path} is damaged: {error}.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} is damaged: it holds no JSON object.")
    return _checked(values, str(path))


def check_card_words(words: Mapping[str, Any], source: str) -> None:
    """Check what a model still to be made is to say on its card, before it is trained for hours.

    Parameters
    ----------
    words
        Some of the values of a card; what no card has is not looked at.
    source
        Where they stand, for the message.

    Raises
    ------
    ValueError
        If one is of the wrong kind.
    """
    blank: dict[str, Any] = dict.fromkeys(_WORDS, "") | {
        "metrics": {},
        "files": {},
        "simulated_training": False,
    }
    _checked(blank | dict(words), source)


_WORDS = (
    "name", "title", "trained_on", "licence", "intended_use", "limits", "weights_sha256", "encoder_sha256",
    "calibration", "created",
)  # fmt: skip
_KINDS = {"string_type": "text", "dict_type": "an object of names and values", "bool_type": "true or false"}


def _checked(values: dict[str, Any], source: str) -> ModelCard:
    try:
        return ModelCard(**values)
    except ValidationError as error:
        faults = error.errors()
    missing = sorted(str(fault["loc"][0]) for fault in faults if fault["type"] == "missing")
    wrong = [_sentence(fault) for fault in faults if fault["type"] != "missing"]
    lacks = [f"{source} lacks {', '.join(missing)}."] if missing else []
    raise ValueError(" ".join([*lacks, *(f"{source}: {one}" for one in wrong)]))


def _sentence(fault: ErrorDetails) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    said = json.dumps(fault["input"], ensure_ascii=False, default=str)
    return f"{where} is {said[:40]}, not {_KINDS.get(fault['type'], fault['msg'])}."


def check_files(folder: Path, vouched: ModelCard) -> None:
    """Compare every file with the sha256 on its card.

    Raises
    ------
    ValueError
        If a file is missing or is not the one the card vouches for.
    """
    for name, expected in vouched.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise ValueError(f"The model {vouched.name} lacks its file {name}. Fetch the model again.")
        if sha256_of(path) != expected:
            raise ValueError(
                f"{name} of the model {vouched.name} is not the file its card vouches for (sha256 differs). "
                "It is not used. Fetch the model again."
            )


def sha256_of(path: Path) -> str:
    """Return a file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
