"""A network tuned beside a kernel head: what stays, what moves, what a killed run goes on from."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.special import softmax

from models.classifier.kernel_head import beside_logits, build_beside
from models.classifier.network import ImageConfig
from models.classifier.preprocess import ImageInput
from models.classifier.tuning import TuningRecipe, Variation, joined, shallow_maps, tune_network, varied
from models.store.stored_weights import rounded

CONFIG = ImageConfig(("benign", "malignant"), ImageInput((32, 32)), width=0.25, beside="compact")
RECIPE = TuningRecipe(epochs=4, batch=8, rate=3e-3, variants=3, save_every=0)
QUIET = lambda *_: None  # noqa: E731


def images(n, seed):
    random = np.random.default_rng(seed)
    label = np.arange(n) % 2
    pixels = random.integers(10, 90, (n, 32, 32)).astype(np.uint8)
    pixels[label == 1, 10:22, 10:22] = 230
    return pixels, label


def tuned(folder, recipe=RECIPE, report=QUIET):
    keras.utils.set_random_seed(0)
    network = build_beside(CONFIG)
    before = network.get_weights()
    pixels, label = images(32, 0)
    maps = shallow_maps(network, pixels, recipe, folder / "variants.npy", QUIET)
    curve = tune_network(network, maps, label, np.arange(32) < 24, recipe, folder / "state", report)
    return network, before, curve


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    return *tuned(folder, replace(RECIPE, epochs=20)), folder


def test_images_that_were_not_learned_from_are_told_apart(made):
    pixels, label = images(20, 5)
    said = beside_logits(made[0], CONFIG, pixels)
    assert (said.argmax(axis=1) == label).mean() > 0.8


def test_it_may_read_coarser_than_what_is_shown(made, tmp_path):
    pixels = np.repeat(np.repeat(images(6, 7)[0], 2, axis=1), 2, axis=2)
    config = replace(CONFIG, input=ImageInput((64, 64)), beside_shape=(32, 32))
    coarse = build_beside(config)
    assert coarse.input_shape == (None, 64, 64, 1)
    shallow = shallow_maps(coarse, pixels, RECIPE, tmp_path / "coarse.npy", QUIET)
    same = shallow_maps(build_beside(CONFIG), pixels[:, ::2, ::2], RECIPE, tmp_path / "same.npy", QUIET)
    assert shallow.shape == same.shape
    coarse.set_weights(made[0].get_weights())
    assert beside_logits(coarse, config, pixels) == pytest.approx(
        beside_logits(made[0], CONFIG, pixels[:, ::2, ::2]), abs=1e-4
    )


def test_shallow_layers_and_norms_stay_and_deep_layers_move(made):
    network, before, _, _ = made
    moved = {
        weight.path: not np.allclose(weight, old, atol=np.abs(old).max() / 50)
        for weight, old in zip(network.weights, rounded(before), strict=True)
    }
    assert not any(there for path, there in moved.items() if "stem" in path or "stage4" in path)
    assert not any(there for path, there in moved.items() if "_norm" in path)
    assert moved[next(path for path in moved if path.startswith("stage32/"))]


def test_weights_end_as_they_are_kept(made):
    weights = made[0].get_weights()
    for one, other in zip(weights, rounded(weights), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_a_run_that_is_done_is_not_done_again(made):
    network, _, curve, folder = made
    told = []
    again, _, same = tuned(folder, replace(RECIPE, epochs=20), lambda *a: told.append(a))
    assert same == curve
    assert not told
    for one, other in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_was_stopped_goes_on_at_the_epoch_it_had_reached(tmp_path):
    def stop(_stage, done, _figures):
        if done > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path, report=stop)
    told = []
    _, _, curve = tuned(tmp_path, report=lambda *a: told.append(a[1]))
    assert [record["epoch"] for record in curve] == [1, 2, 3, 4]
    assert min(told) > 0.5


def test_the_first_map_is_of_the_image_itself_and_the_others_are_not(made):
    maps = np.load(made[3] / "variants.npy")
    assert maps.shape[:2] == (1 + RECIPE.variants, 32)
    assert all(np.abs(maps[0].astype(float) - maps[k]).max() > 0.01 for k in range(1, len(maps)))


def test_a_variant_has_no_dark_border_and_is_the_image_where_nothing_may_differ():
    image = np.full((40, 60), 120, np.uint8)
    random = np.random.default_rng(1)
    still = Variation(0, False, 0, 0, 0, 0)
    np.testing.assert_allclose(varied(images(1, 0)[0][0], still, random), images(1, 0)[0][0] / 255, atol=1e-5)
    for _ in range(10):
        other = varied(image, Variation(contrast=0), random)
        assert other.shape == image.shape
        np.testing.assert_allclose(other, 120 / 255, atol=0.01)


def test_two_answers_are_joined_by_their_log_probabilities():
    one, other = np.array([[0.0, 2.0]]), np.array([[103.0, 100.0]])
    said = softmax(joined([one, other]))
    odds = np.exp((2.0 - 3.0) / 2)
    np.testing.assert_allclose(said, [[1 / (1 + odds), odds / (1 + odds)]])
