"""What nets answer over the breast alone is what they answer there over the whole film."""

import keras
import numpy as np
import pytest
from keras import layers

from models.film.glance import Glance
from models.film.maps import Net, build_maps, inside_breast


def pools(strides, channels):
    """A network that sees no farther than its cells: it answers alike wherever a film is cut."""
    view = keras.Input((None, None, 1))
    wide = layers.Conv2D(channels, 1, activation="relu")(view)
    return keras.Model(view, [layers.AveragePooling2D(one, padding="same")(wide) for one in strides])


def film(broad, tall, shape=(192, 144)):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    random = np.random.default_rng(0).integers(60, 200, shape)
    return np.where((columns < broad) & (rows < tall), random, 0).astype(np.uint8)


@pytest.mark.parametrize(("broad", "tall"), [(40, 96), (100, 150), (144, 192), (1, 1)])
def test_over_the_breast_a_part_answers_as_the_whole_film_does(broad, tall):
    keras.utils.set_random_seed(0)
    backbones = {"lite0": pools((8, 16), 3), "lite2": pools((8, 32), 4), "vgg16": pools((4, 16), 5)}
    shown = film(broad, tall)
    said = Glance(backbones)(shown)
    whole = build_maps(backbones, shown.shape).predict_on_batch(
        shown[None, ..., None].astype(np.float32) / 255
    )
    inside = inside_breast(shown)
    for net in Net:
        expected = np.asarray(whole[net.value])[0]
        assert said[net].shape == expected.shape
        np.testing.assert_allclose(said[net][inside], expected[inside], atol=2e-5)
