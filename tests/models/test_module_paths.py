"""The shipped networks load wherever the classes that they are made of have moved to since they were saved."""

import json
import zipfile
from pathlib import Path

import pytest

from models.store import backend
from models.store.registry import WEIGHTS

NETWORKS = sorted(WEIGHTS.glob("*/*.keras"))


def _as_if_moved(node: object) -> object:
    """Return a saved network's description as if every class of ours had lived elsewhere when it was saved."""
    if isinstance(node, dict):
        moved = {key: _as_if_moved(value) for key, value in node.items()}
        if str(moved.get("module", "")).startswith("models."):
            moved["module"] = "models.where_nothing_lives_any_more"
        return moved
    return [_as_if_moved(one) for one in node] if isinstance(node, list) else node


def _saved_elsewhere(path: Path, copy: Path) -> int:
    """Write a copy of a network's file that names other modules; return how many modules are named otherwise."""
    with zipfile.ZipFile(path) as saved, zipfile.ZipFile(copy, "w") as rewritten:
        for name in saved.namelist():
            data = saved.read(name)
            if name == "config.json":
                data = json.dumps(_as_if_moved(json.loads(data))).encode()
                moved = data.count(b"where_nothing_lives")
            rewritten.writestr(name, data)
    return moved


def test_there_are_shipped_networks():
    assert len(NETWORKS) >= 5


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_shipped_network_loads_from_other_module_paths(path: Path, tmp_path: Path):
    backend.load()
    import keras
    import numpy as np

    import models.classifier.model
    import models.longitudinal.model  # noqa: F401  # both register the layers that files name

    copy = tmp_path / path.name
    assert _saved_elsewhere(path, copy) > 0

    network = keras.saving.load_model(copy, compile=False, safe_mode=True)

    original = keras.saving.load_model(path, compile=False, safe_mode=True)
    assert len(network.weights) == len(original.weights) > 0
    for loaded, shipped in zip(network.get_weights(), original.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, shipped)
