"""Files that training and evaluation are given: read whole, or told as wrong use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.terminal import failed, note, wrong_use

if TYPE_CHECKING:
    from core.sets import Manifest

__all__ = ["card_words", "manifests_of"]


def manifests_of(paths: list[Path]) -> tuple[list[Manifest], int]:
    """Read manifests, telling on stderr what was refused or ignored."""
    from core.sets import ManifestError, read_manifest

    read, refused = [], 0
    for path in paths:
        try:
            manifest = read_manifest(path)
        except (ManifestError, OSError) as error:
            failed(error)
        for notice in manifest.notices:
            note(f"{path}: {notice}")
        for bad in manifest.refused[:20]:
            note(f"{path}, line {bad.line}: {bad.reason}")
        if len(manifest.refused) > 20:
            note(f"{path}: {len(manifest.refused) - 20} more rows refused.")
        refused += len(manifest.refused)
        read.append(manifest)
    return read, refused


def card_words(path: Path | None) -> dict[str, Any]:
    """Return the words for a model's card that a file holds; end with a message where it cannot be used."""
    if path is None:
        return {}
    try:
        words = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        wrong_use(f"--card {path} cannot be read: {error}.")
    if not isinstance(words, dict):
        wrong_use(f'--card {path} must hold one JSON object, such as {{"title": "..."}}.')
    from models.store import check_card_words

    try:
        check_card_words(words, f"--card {path}")
    except ValueError as error:
        wrong_use(str(error))
    return dict(words)
