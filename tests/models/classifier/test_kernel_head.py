"""Kernel heads: what they read of maps is kept with them, tells pictures apart and shows where that lies."""

import json

import numpy as np
import pytest

from models.classifier.features import layout_of
from models.classifier.kernel_head import KernelHead, build_feature_network, kernel_features
from models.classifier.kernel_regression import fit_regression
from models.classifier.network import ImageConfig
from models.classifier.preprocess import ImageInput

WAYS = {"plain": {}, "rooted": {"rooted": True}, "rooted, without muscle": {"rooted": True, "gland": True}}
QUIET = lambda *_: None  # noqa: E731


def views(n, seed):
    """Draw breasts, chest wall at the left; every second has a bright spot, low and far from the muscle."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((n, 64, 64), np.uint8)
    pixels[:, 2:62, :50] = random.integers(40, 90, (n, 60, 50))
    pixels[1::2, 40:56, 24:40] = 240
    return pixels, np.arange(n) % 2


def config_of(way):
    shown = ImageInput((64, 64), "breast")
    return ImageConfig(("none", "spot"), shown, width=0.25, head="kernel", mirror=False, **WAYS[way])


@pytest.fixture(scope="module", params=WAYS)
def head(request, tmp_path_factory):
    config = config_of(request.param)
    network = build_feature_network(config)
    pixels, label = views(24, 0)
    path = tmp_path_factory.mktemp("features") / "features.npz"
    features = kernel_features(network, config, pixels, path, QUIET)
    fitted = fit_regression(features, label, np.arange(24) // 2 % 4, layout_of(network).blocks, 2)
    return KernelHead(network, config, fitted.regression)


def test_it_tells_unseen_pictures_apart_each_by_itself(head):
    pixels, label = views(12, 1)
    shown = pixels.astype(np.float32) / 255
    seen = head.seen(shown, None)
    assert seen.logits.argmax(axis=1).tolist() == label.tolist()
    np.testing.assert_allclose(head.seen(shown[3:4], None).logits[0], seen.logits[3], atol=1e-5)


def test_loaded_again_it_reads_the_same_of_its_maps(head, tmp_path):
    head.save(tmp_path)
    config = ImageConfig.from_json(json.loads(json.dumps(head.config.to_json())))
    assert config == head.config
    loaded, pixels = KernelHead.load(tmp_path, config), views(4, 2)[0]
    np.testing.assert_allclose(loaded.logits(pixels), head.logits(pixels), atol=1e-5)
    np.testing.assert_allclose(loaded.vectors(pixels), head.vectors(pixels), atol=1e-6)


def test_how_unlike_a_picture_is_does_not_hang_on_whether_the_head_reads_roots():
    vectors = []
    for way in ("plain", "rooted"):
        config = config_of(way)
        network = build_feature_network(config)
        network.set_weights([np.full(one.shape, 0.01) for one in network.get_weights()])
        vectors.append(KernelHead(network, config, None).vectors(views(3, 3)[0]))
    np.testing.assert_allclose(*vectors, rtol=1e-5)


class Rises:
    """Answers the sum of the means and spreads of the deepest map, whether it is told them or their roots."""

    def __init__(self, network):
        self.layout = layout_of(network)

    def logits(self, features):
        return np.zeros((len(features), 2))

    def slope(self, features, _towards):
        rise = np.zeros_like(features)
        for place in (self.layout.deep_mean, self.layout.deep_spread):
            rise[place] = 2 * np.abs(features[place]) if self.layout.rooted else 1
        return rise


def test_the_heat_map_is_the_same_whether_an_answer_is_read_of_means_and_spreads_or_of_their_roots():
    shown, heat, weights = views(2, 4)[0].astype(np.float32) / 255, [], None
    for way in ("plain", "rooted"):
        config = config_of(way)
        network = build_feature_network(config)
        weights = network.get_weights() if weights is None else weights
        network.set_weights(weights)
        heat.append(KernelHead(network, config, Rises(network)).seen(shown, None).heat)
    assert np.ptp(heat[0]) > 0.5
    np.testing.assert_allclose(*heat, atol=2e-3)


def test_a_head_of_a_release_that_knew_no_roots_reads_none():
    written = config_of("plain").to_json()
    del written["rooted"]
    assert ImageConfig.from_json(written) == config_of("plain")
