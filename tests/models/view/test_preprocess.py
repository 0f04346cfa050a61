"""View standardisation: what it keeps, what it removes, and the way back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.view.preprocess import NETWORK_SHAPE, ViewTransform, standardise


def drawn_breast(rows: int = 800, columns: int = 640, *, right: bool = False, air: int = 0) -> np.ndarray:
    """Half an ellipse at the left edge, brighter inside, with a marker in the empty corner."""
    image = np.full((rows, columns), air, np.uint8)
    cv2.ellipse(image, (0, rows // 2), (columns // 2, int(rows * 0.4)), 0, 0, 360, 90, -1)
    cv2.ellipse(image, (0, rows // 2), (columns // 3, int(rows * 0.25)), 0, 0, 360, 160, -1)
    cv2.circle(image, (columns // 5, rows // 2 + 40), 12, 240, -1)
    cv2.putText(image, "L CC", (int(columns * 0.75), 80), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3)
    return image[:, ::-1].copy() if right else image


def test_a_standard_view_has_the_networks_shape_and_range():
    view = standardise(drawn_breast())
    assert view.pixels.shape == (*NETWORK_SHAPE, 1)
    assert view.pixels.dtype == np.float32
    assert view.pixels.min() == 0
    assert view.pixels.max() <= 1


def test_the_chest_wall_comes_to_the_left_whichever_side_it_was():
    left, right = standardise(drawn_breast()), standardise(drawn_breast(right=True))
    assert not left.transform.flipped
    assert right.transform.flipped
    np.testing.assert_allclose(left.pixels, right.pixels, atol=0.02)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_bit_depth_does_not_matter(kind):
    image = drawn_breast()
    scaled = image.astype(kind) * (16 if np.dtype(kind).itemsize > 1 else 1)
    off = np.abs(standardise(scaled).pixels - standardise(image).pixels)
    assert np.quantile(off, 0.999) < 0.02, "only the outline's last pixel may differ"


def test_the_marker_is_removed_and_the_crop_follows_the_breast():
    view = standardise(drawn_breast())
    assert view.transform.x1 < 640 * 0.6, "the box ends at the nipple, not at the marker"
    across, _ = view.transform.to_network(640 * 0.8, 80)
    assert across > view.transform.scale * (view.transform.x1 - view.transform.x0)


def test_a_lit_film_margin_is_no_breast():
    image = drawn_breast(air=12)
    image[:, -18:] = 255
    image[:10] = 255
    view = standardise(image)
    assert not view.transform.flipped
    assert view.transform.x1 < 640 * 0.6


def test_a_bright_spot_is_found_again_in_the_original():
    for right in (False, True):
        image = drawn_breast(right=right)
        view = standardise(image)
        spot = cv2.GaussianBlur(view.pixels[:, :, 0], (0, 0), 2)
        row, column = np.unravel_index(spot.argmax(), spot.shape)
        x, y = view.transform.to_original(column + 0.5, row + 0.5)
        expected = 640 - 640 // 5 if right else 640 // 5
        assert abs(x - expected) < 6
        assert abs(y - (400 + 40)) < 6


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((400, 300), np.uint8),
        np.full((400, 300), 7, np.uint16),
        np.zeros((400, 300, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.full((400, 300), np.nan, np.float32),
        np.zeros((400, 300), complex),
    ],
)
def test_what_is_no_view_is_refused(image):
    with pytest.raises(ValueError):
        standardise(image)


@given(
    flipped=st.booleans(),
    x0=st.integers(0, 500),
    y0=st.integers(0, 500),
    scale=st.floats(0.05, 3),
    x=st.floats(0, 416),
    y=st.floats(0, 512),
)
@settings(max_examples=50, deadline=None)
def test_the_transform_undoes_itself(flipped, x0, y0, scale, x, y):
    transform = ViewTransform(flipped, x0, y0, x0 + 10, y0 + 10, scale, 1000)
    assert ViewTransform.from_json(transform.to_json()) == transform
    back = transform.to_network(*transform.to_original(x, y))
    np.testing.assert_allclose(back, (x, y), atol=1e-6)


def test_a_box_stays_a_box_when_the_image_was_mirrored():
    transform = ViewTransform(True, 0, 0, 100, 100, 1.0, 100)
    assert transform.box_to_network(10, 20, 30, 40) == (70, 20, 90, 40)


def test_every_film_of_mini_mias_holds_a_breast(shared_data):
    for path in sorted((shared_data / "mini_mias").glob("*.png"))[::12]:
        view = standardise(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        assert (view.pixels > 0).mean() > 0.15, path.name
