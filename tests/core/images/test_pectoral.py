"""Which way up a mammogram is, where the chest muscle tells; false answers on real pictures are counted here."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from core.images.decoding import decode
from core.images.pectoral import is_upside_down
from tests.pictures import breast, dicom, png

ROOM = {"max_pixels": 60_000_000}


def oblique(laterality: str = "L") -> np.ndarray:
    """A breast with a bright muscle in its upper corner at the chest wall."""
    pixels = breast(rows=640, columns=480)
    rows, columns = np.nonzero(pixels > 500)
    top, left = rows.min(), columns.min()
    y, x = np.mgrid[:640, :480]
    muscle = (y >= top) & ((y - top) / 300 + (x - left) / 200 < 1)
    pixels[muscle] = 3600
    return pixels if laterality == "L" else np.ascontiguousarray(pixels[:, ::-1])


@pytest.mark.parametrize("laterality", ["L", "R"])
def test_a_picture_on_its_head_is_hung_upright(laterality):
    upright = oblique(laterality)
    assert not is_upside_down(upright)
    for turned in (upright[::-1, ::-1], upright[::-1]):
        image = decode(png(np.ascontiguousarray(turned)), **ROOM)
        assert "turned_upright" in image.quality_flags
        assert not is_upside_down(image.pixels)
    assert np.array_equal(decode(png(np.ascontiguousarray(upright[::-1, ::-1])), **ROOM).pixels, upright)
    assert "turned_upright" not in decode(png(upright), **ROOM).quality_flags


@pytest.mark.parametrize("said", [None, ["X", "Y"]])
def test_a_file_that_does_not_say_how_it_lies_is_hung_as_it_looks(said):
    tags = {"ViewPosition": "MLO"} | ({"PatientOrientation": said} if said else {})
    image = decode(dicom(np.ascontiguousarray(oblique()[::-1, ::-1]), **tags), **ROOM)
    assert np.array_equal(image.pixels, oblique())


def test_feet_above_as_the_file_says_and_the_picture_shows_are_put_below():
    flipped = np.ascontiguousarray(oblique()[::-1])
    image = decode(dicom(flipped, ViewPosition="MLO", PatientOrientation=["A", "HL"]), **ROOM)
    assert np.array_equal(image.pixels, oblique())
    against = decode(dicom(flipped, ViewPosition="MLO", PatientOrientation=["A", "FR"]), **ROOM)
    assert np.array_equal(against.pixels, flipped)
    assert any("feet" in sentence for sentence in against.contradictions)


def test_no_real_mammogram_is_taken_to_stand_on_its_head_and_most_oblique_ones_that_do_are_found(shared_data):
    shown = [(shared_data / "ffdm", row) for row in rows(shared_data / "ffdm")]
    for name, every in (("mini_mias", 8), ("kau_films", 1), ("mgreg_pairs", 1), ("mini_ddsm10", 2)):
        shown += [(shared_data / name, row) for row in rows(shared_data / name)[::every]]
    found = {"MLO": [], "CC": []}
    for folder, row in shown:
        with Image.open(io.BytesIO((folder / row["path"]).read_bytes())) as picture:
            pixels = np.asarray(picture.convert("L"), np.uint16)
        assert not is_upside_down(pixels), row["path"]
        if row["view"] in found:
            found[row["view"]].append(is_upside_down(np.ascontiguousarray(pixels[::-1])))
    assert not any(found["CC"])
    assert sum(found["MLO"]) >= 0.75 * len(found["MLO"])


def rows(folder) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
