"""Features of frozen backbones: zones, their layout, mirror images."""

import numpy as np
import pytest

from models.classifier.features import ZonePooling, layout_of, looks_at
from models.classifier.kernel_head import build_feature_network
from models.classifier.network import ImageConfig, predict
from models.classifier.preprocess import ImageInput


def pooled(zones, view, features, **how):
    return np.asarray(ZonePooling(zones, **how)([view[None, ..., None], features[None]]))[0]


def test_a_zone_gives_mean_highest_and_spread_of_each_channel():
    features = np.random.default_rng(0).random((4, 4, 2)).astype(np.float32)
    said = pooled(("whole",), np.ones((16, 16), np.float32), features).reshape(3, 2)
    np.testing.assert_allclose(said[0], features.mean(axis=(0, 1)), rtol=1e-3)
    np.testing.assert_allclose(said[1], features.max(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(said[2], features.std(axis=(0, 1)), rtol=1e-2)


def test_rooted_a_zone_gives_roots_of_mean_and_spread_with_their_signs_and_nothing_of_the_highest():
    features = np.random.default_rng(0).random((4, 4, 2)).astype(np.float32) - [[[0, 2]]]
    said = pooled(("whole",), np.ones((16, 16), np.float32), features, rooted=True).reshape(2, 2)
    mean, spread = features.mean(axis=(0, 1)), features.std(axis=(0, 1))
    np.testing.assert_allclose(said[0], np.sign(mean) * np.sqrt(np.abs(mean)), rtol=1e-3)
    np.testing.assert_allclose(said[1], np.sqrt(spread), rtol=1e-2)


def test_the_middle_sees_nothing_of_the_border_and_tissue_nothing_of_the_background():
    features = np.ones((4, 4, 1), np.float32)
    features[1:3, 1:3] = 5
    view = np.ones((16, 16), np.float32)
    assert pooled(("middle",), view, features)[0] == pytest.approx(5, rel=1e-3)
    view[:, 4:] = 0
    assert pooled(("tissue",), view, features)[1] == pytest.approx(1, rel=1e-3)


def test_the_gland_is_the_breast_without_the_corner_of_the_muscle_if_anything_is_left():
    rows, columns = np.mgrid[:16, :16].astype(np.float32)
    view = np.ones((64, 64), np.float32)
    muscle = np.where(rows / (0.55 * 16) + columns / (0.8 * 16) < 1, 9.0, 1.0)[..., None].astype(np.float32)
    assert pooled(("tissue",), view, muscle)[0] > 2
    assert pooled(("gland",), view, muscle)[:2] == pytest.approx([1, 1], rel=1e-2)
    view[2:, 2:] = 0
    whole, alone = (pooled((zone,), view, muscle)[0] for zone in ("tissue", "gland"))
    assert whole == pytest.approx(alone)


@pytest.mark.parametrize(
    ("region", "how"),
    [
        ("image", {}),
        ("breast", {"gland": True}),
        ("box", {}),
        ("image", {"rooted": True}),
        ("breast", {"gland": True, "rooted": True}),
    ],
)
def test_the_layout_says_where_the_deepest_map_is(region, how):
    config = ImageConfig(("a", "b"), ImageInput((64, 64), region), width=0.25, head="kernel", **how)
    network = build_feature_network(config)
    layout = layout_of(network)
    out = predict(network, np.random.default_rng(0).random((2, 64, 64)).astype(np.float32))
    mean, spread = out["deep"].mean(axis=(1, 2)), np.sqrt(out["deep"].var(axis=(1, 2)) + 1e-6)
    if layout.rooted:
        mean, spread = np.sign(mean) * np.sqrt(np.abs(mean)), np.sqrt(spread)
    assert sum(layout.blocks) == out["pooled"].shape[1]
    np.testing.assert_allclose(out["pooled"][:, layout.deep_mean], mean, rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(out["pooled"][:, layout.deep_spread], spread, rtol=1e-2)


def test_a_mirror_image_is_a_look_of_its_own():
    pixels = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)

    def corner(some):
        return {"pooled": some[:, 0, :1].astype(np.float32), "deep": some}

    both, _ = looks_at(pixels, corner, mirror=True, chunk=2)
    assert both[:, :, 0].tolist() == [[0, 3], [16, 19], [32, 35]]
    turned, _ = looks_at(pixels, corner, mirror=False, turns=True)
    assert turned[0, :, 0].tolist() == [0, 3, 15, 12]
    assert looks_at(pixels, corner, mirror=True, turns=True)[0].shape == (3, 8, 1)
    assert looks_at(pixels, corner, mirror=False)[0].shape == (3, 1, 1)
    assert looks_at(pixels, corner, mirror=False, outline=True)[0].shape == (3, 1, 34)
