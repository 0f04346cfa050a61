"""One image made ready: what is shown, where it came from, and what is done to its shades."""

import numpy as np
import pytest

from models.classifier.options import Step
from models.classifier.preprocess import AROUND, ImageInput, apply_step, check_box, prepare, tissue_box


@pytest.fixture
def picture():
    random = np.random.default_rng(0)
    return random.integers(20, 200, (90, 120)).astype(np.uint16)


@pytest.mark.parametrize("shape", [(40, 300), (300, 40), (64, 64), (700, 650)])
def test_images_of_any_size_come_out_in_one_shape(shape):
    pixels = np.random.default_rng(1).integers(0, 4000, shape).astype(np.uint16)
    shown = prepare(pixels, ImageInput((64, 96)))
    assert shown.pixels.shape == (64, 96)
    assert shown.pixels.dtype == np.float32
    assert 0 <= shown.pixels.min() < shown.pixels.max() <= 1


def test_bit_depth_does_not_matter(picture):
    eight = prepare(picture.astype(np.uint8), ImageInput((64, 64))).pixels
    sixteen = prepare(picture * 257, ImageInput((64, 64))).pixels
    np.testing.assert_allclose(eight, sixteen, atol=1e-5)


def test_the_middle_of_a_box_is_the_middle_of_what_is_shown(picture):
    picture[:] = 10
    picture[30:40, 50:60] = 250
    shown = prepare(picture, ImageInput((64, 64), "box"), (50, 30, 60, 40))
    assert shown.pixels[32, 32] > 0.9
    assert shown.pixels[2, 2] < 0.1
    x, y = shown.transform.to_original(32.0, 32.0)
    assert (x, y) == pytest.approx((55, 35), abs=1)


def test_a_box_at_the_edge_is_filled_up_with_dark(picture):
    shown = prepare(picture, ImageInput((64, 64), "box"), (0, 0, 30, 30))
    assert shown.pixels[:8].max() == 0


@pytest.mark.parametrize("box", [(-1, 0, 10, 10), (0, 0, 121, 10), (0, 0, 10, 91), (10, 0, 10, 5)])
def test_a_box_outside_or_empty_is_refused_in_words(box, picture):
    with pytest.raises(ValueError, match="box"):
        check_box(box, picture.shape)
    with pytest.raises(ValueError, match="box"):
        prepare(picture, ImageInput((64, 64)), box)


def test_a_model_of_regions_asks_for_a_box(picture):
    with pytest.raises(ValueError, match="a box is needed"):
        prepare(picture, ImageInput((64, 64), "box"))


@pytest.mark.parametrize("step", Step)
def test_each_step_changes_shades_and_keeps_them_in_range(step):
    image = np.random.default_rng(2).uniform(0.2, 0.7, (64, 64)).astype(np.float32)
    done = apply_step(image, step)
    assert done.shape == image.shape
    assert 0 <= done.min() <= done.max() <= 1
    assert np.abs(done - image).mean() > 0.003


def test_noise_reduction_quietens_and_sharpening_does_the_reverse():
    image = np.clip(0.5 + np.random.default_rng(3).normal(0, 0.05, (64, 64)), 0, 1).astype(np.float32)
    assert apply_step(image, "denoise").std() < image.std() < apply_step(image, "sharpen").std()


@pytest.mark.parametrize(
    "wrong", [{"region": "arm"}, {"steps": ("magic",)}, {"shape": (100, 64)}, {"shape": (0, 0)}]
)
def test_unknown_wishes_are_refused(wrong):
    with pytest.raises(ValueError):
        ImageInput(**wrong)


def test_a_box_of_normal_tissue_lies_in_the_breast_and_is_the_same_each_time():
    down, across = np.mgrid[0:400, 0:320]
    breast = (across / 200) ** 2 + ((down - 200) / 170) ** 2 < 1
    pixels = np.where(breast, 120 + across % 7, 3).astype(np.uint16)
    boxes = [tissue_box(pixels, 60, seed) for seed in range(8)]
    assert boxes == [tissue_box(pixels, 60, seed) for seed in range(8)]
    assert len(set(boxes)) > 4
    for x0, y0, x1, y1 in boxes:
        assert (x1 - x0, y1 - y0) == (60, 60)
        assert breast[int(y0) : int(y1), int(x0) : int(x1)].mean() > 0.75
    with pytest.raises(ValueError, match="smaller"):
        tissue_box(pixels, 500, 0)


@pytest.mark.parametrize("mirrored", [False, True])
def test_around_a_box_lies_the_standard_view_with_the_box_marked(mirrored):
    rows, columns = np.mgrid[0:640, 0:480]
    breast = ((columns / 300) ** 2 + ((rows - 320) / 260) ** 2 < 1) * (2000.0 + 5 * (rows % 50))
    breast[300:340, 100:140] = 4000
    box = (100.0, 300.0, 140.0, 340.0)
    if mirrored:
        breast, box = breast[:, ::-1], (340.0, 300.0, 380.0, 340.0)
    around = prepare(breast.astype(np.uint16), ImageInput((64, 64), "box", around=True), box).around
    assert around.shape == (*AROUND, 2)
    marked = around[..., 1] > 0
    assert around[..., 0][marked].mean() > around[..., 0][~marked & (around[..., 0] > 0)].mean() + 50
    assert prepare(breast.astype(np.uint16), ImageInput((64, 64), "box"), box).around is None
