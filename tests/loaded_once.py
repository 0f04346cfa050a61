"""A network that one test after another loads from the same files is loaded, and its functions are traced, once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from models.store import folder_of

_known: dict[object, Any] = {}


@contextmanager
def networks_loaded_once() -> Iterator[None]:
    """Hand out models that were loaded before, each as an object of its own that shares its networks with the first."""
    from models.classifier.model import ImageModel
    from models.longitudinal.model import LongitudinalModel

    with pytest.MonkeyPatch.context() as patch:
        for kind in (ImageModel, LongitudinalModel):
            patch.setattr(kind, "load", classmethod(_once(kind.load.__func__)))
        yield


def _once(load: Callable[[type, str | Path], Any]) -> Callable[[type, str | Path], Any]:
    def loaded(kind: type, name_or_folder: str | Path) -> Any:
        try:
            folder = folder_of(name_or_folder)
            files = tuple(
                sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir())
            )
        except (OSError, LookupError, ValueError):
            return load(kind, name_or_folder)  # which says what is wrong
        if (kind, files) not in _known:
            _known[kind, files] = load(kind, name_or_folder)
        return copy.copy(_known[kind, files])

    return loaded
