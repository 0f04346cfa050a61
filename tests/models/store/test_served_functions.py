"""Networks as they are served: the same answers, in the same structure, of an image of any size."""

import keras
import numpy as np
import pytest
from keras import layers

from models.classifier.features import Zone, ZonePooling
from models.store import backend


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    view = keras.Input((64, 48, 1))
    inner = keras.Sequential(
        [keras.Input((None, None, 3)), layers.Conv2D(8, 3, padding="same", activation="relu")]
    )
    deep = layers.MaxPooling2D(4)(inner(layers.Concatenate()([layers.Rescaling(255.0)(view)] * 3)))
    return keras.Model(view, {"deep": deep, "pooled": ZonePooling((Zone.TISSUE,))([view, deep])})


def test_a_function_answers_what_its_network_does(network):
    picture = np.random.default_rng(0).random((1, 64, 48, 1)).astype(np.float32)
    said, expected = backend.as_function(network)(picture), network.predict_on_batch(picture)
    assert set(said) == set(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(said[key], value, rtol=1e-4, atol=1e-3)


def test_halved_products_change_answers_by_little_and_what_pools_them_not_at_all(network, monkeypatch):
    monkeypatch.setattr(backend, "_multiplies_half", lambda: True)
    halved = backend.in_half(network)
    kinds = {layer.name: layer.compute_dtype for layer in halved._flatten_layers() if layer.weights}
    assert "bfloat16" in kinds.values()
    assert all(layer.compute_dtype == "float32" for layer in halved.layers if isinstance(layer, ZonePooling))
    picture = np.random.default_rng(0).random((1, 64, 48, 1)).astype(np.float32)
    said, expected = backend.as_function(halved)(picture), network.predict_on_batch(picture)
    for key, value in expected.items():
        assert said[key].dtype == np.float32
        assert np.linalg.norm(said[key] - value) < 0.02 * np.linalg.norm(value)
    monkeypatch.setattr(backend, "_multiplies_half", lambda: False)
    assert backend.in_half(network) is network
