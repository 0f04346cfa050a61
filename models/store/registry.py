"""The models that are shipped: each a folder of `models/weights` with its files and a card that vouches for them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

__all__ = [
    "CARD",
    "IMAGE_KIND",
    "ModelCard",
    "card",
    "cards",
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


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model: whence it comes, what it is for, how well it does, and its files' sha256."""

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
    """Read the card of a model's folder.

    Raises
    ------
    ValueError
        If the card is missing, damaged or incomplete.
    """
    try:
        values = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{folder} holds no {CARD}: it is not a model's folder.") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{folder / CARD} is damaged: {error}.") from error
    needed = {item.name for item in fields(ModelCard)} - {"settings"}
    missing = sorted(needed - set(values)) if isinstance(values, dict) else sorted(needed)
    if missing:
        raise ValueError(f"{folder / CARD} lacks {', '.join(missing)}.")
    known = needed | {"settings"}
    return ModelCard(**{key: value for key, value in values.items() if key in known})


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
