"""Tiles are the image's own pixels, decoded once; what is kept for them can go at any time."""

import numpy as np
import pytest
from sqlalchemy import select

from core.images import TILE_SIDE, tiles
from core.images.drawing import open_rendition
from core.images.reader import GuardedReader
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from db.tables import Image
from tests.pictures import breast, dicom

UID = "1.2.3.4"


@pytest.fixture
def truth(here):
    """Take in an image of odd size, and return its pixels."""
    pixels = breast(rows=1301, columns=1030)
    pixels += np.random.default_rng(0).integers(0, 50, pixels.shape).astype(pixels.dtype)
    take_in(here, [IncomingFile("a", dicom(pixels, SOPInstanceUID=UID))], statement=None, source="cli")
    with here.database.read() as session:
        image = session.scalars(select(Image)).one()
        data = here.images.get(image.sha256)
    with GuardedReader(here.settings) as reader:
        return reader.read(data, "a").pixels


def whole(here, level, shape):
    """Put the tiles of a level together."""
    rows = []
    for down in range(-(-shape[0] // (TILE_SIDE << level))):
        across = range(-(-shape[1] // (TILE_SIDE << level)))
        rows.append(np.hstack([open_rendition(tiles.tile(here, UID, level, x, down))[1] for x in across]))
    return np.vstack(rows)


def test_tiles_of_full_resolution_are_the_pixels_themselves_and_coarser_ones_their_means(here, truth):
    assert np.array_equal(whole(here, 0, truth.shape), truth)
    half = whole(here, 1, truth.shape)
    assert half.shape == (651, 515)
    assert np.array_equal(
        half[:650, :515], (truth[:1300].reshape(650, 2, 515, 2).mean(axis=(1, 3)) + 0.5).astype(int)
    )


def test_an_image_is_decoded_once_and_again_when_its_copy_is_gone_or_damaged(here, truth, monkeypatch):
    read = GuardedReader.read
    times = []
    monkeypatch.setattr(GuardedReader, "read", lambda self, *what: times.append(1) or read(self, *what))
    first = tiles.tile(here, UID, 0, 1, 2)
    assert tiles.tile(here, UID, 0, 1, 2) == first
    assert len(times) == 1
    (copy,) = (here.home / tiles.FOLDER).iterdir()
    assert copy.stat().st_mode & 0o077 == 0, "others may not read it"
    copy.write_bytes(b"damaged")
    assert tiles.tile(here, UID, 0, 1, 2) == first
    assert len(times) == 2


def test_the_copies_looked_at_longest_ago_make_room(here, truth, monkeypatch):
    older = here.home / tiles.FOLDER / "older.npy"
    older.parent.mkdir()
    older.write_bytes(bytes(1000))
    monkeypatch.setattr(tiles, "MOST_BYTES", truth.nbytes + 500)
    tiles.tile(here, UID, 0, 0, 0)
    assert [path.name for path in older.parent.iterdir() if path != older] != []
    assert not older.exists()


def test_a_disk_that_is_full_keeps_no_tile_from_the_reader(here, truth, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiles, "keep_copy", full)
    assert np.array_equal(open_rendition(tiles.tile(here, UID, 0, 0, 0))[1], truth[:512, :512])


@pytest.mark.parametrize("place", [(0, 3, 0), (0, 0, 3), (-1, 0, 0), (5, 0, 0), (0, -1, 0), (10**9, 0, 0)])
def test_a_place_outside_is_no_tile(here, truth, place):
    with pytest.raises(LookupError):
        tiles.tile(here, UID, *place)
