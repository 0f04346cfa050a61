"""What the viewer fetches is made anew once where an older release made it, and the row then names what is kept."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from sqlalchemy import select

from core.care.verify import verify_objects
from core.images import drawing, renditions
from core.images.decoding import decode
from core.images.process import measure_and_draw
from core.images.quality.measures import measure
from core.images.reader import GuardedReader
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from db.tables import Image
from tests import engines
from tests.pictures import breast, dicom


@pytest.fixture
def stocked(here):
    take_in(here, [IncomingFile("a", dicom(SOPInstanceUID="1.2.3.4"))], statement=None, source="cli")
    return here


def older(stocked, sop_uid: str) -> str:
    """Put the rendition of an older release in the place of an image's; return its key."""
    key = stocked.images.put(b"LVR0" + renditions.rendition(stocked, sop_uid)[4:])
    with stocked.database.write() as session:
        image = session.scalars(select(Image).where(Image.sop_uid == sop_uid)).one()
        engines.lose(stocked.images, image.rendition_sha256)
        image.rendition_sha256 = key
    return key


def test_a_rendition_of_an_older_release_is_made_anew_once_and_kept(stocked, monkeypatch):
    first = renditions.rendition(stocked, "1.2.3.4")
    key = older(stocked, "1.2.3.4")
    found = verify_objects(stocked)
    assert (found.well, found.older, found.damaged, found.missing) == (True, [key], [], [])

    decoded = []
    prepare = GuardedReader.prepare
    monkeypatch.setattr(GuardedReader, "prepare", lambda *asked: decoded.append(asked) or prepare(*asked))
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: renditions.rendition(stocked, "1.2.3.4"), range(8))) == {first}
    assert len(decoded) == 1
    found = verify_objects(stocked)
    assert (found.well, found.older, found.orphans) == (True, [], [key])
    assert renditions._turns == {}


def test_a_lost_rendition_that_this_release_makes_otherwise_is_decoded_once_and_verify_is_well_again(
    stocked, monkeypatch
):
    engines.lose(stocked.images, older(stocked, "1.2.3.4"))
    assert not verify_objects(stocked).well
    renditions.rendition(stocked, "1.2.3.4")
    monkeypatch.setattr(GuardedReader, "prepare", None)
    assert drawing.open_rendition(renditions.rendition(stocked, "1.2.3.4"))
    assert verify_objects(stocked).well


def test_a_picture_is_shown_also_where_its_row_cannot_be_written(stocked):
    first = renditions.rendition(stocked, "1.2.3.4")
    older(stocked, "1.2.3.4")
    engines.waits(stocked.database, 0.05)
    with engines.held(stocked.database):
        assert renditions.rendition(stocked, "1.2.3.4") == first


@pytest.mark.parametrize(
    ("box", "shape"),
    [((0, 0, 40, 20), (160, 320)), ((10, 10, 11, 11), (320, 320))],
    ids=["within", "one pixel"],
)
def test_a_part_of_a_picture_is_what_stands_there(stocked, box, shape):
    png = cv2.imdecode(np.frombuffer(renditions.crop_png(stocked, "1.2.3.4", box), np.uint8), 0)
    assert png.shape == shape
    _, pixels = drawing.open_rendition(renditions.rendition(stocked, "1.2.3.4"))
    left, top, right, bottom = box
    part = pixels[top:bottom, left:right].astype(float)
    darker = (png > png.mean()) == (
        cv2.resize(part, png.shape[::-1], interpolation=cv2.INTER_LINEAR) > part.mean()
    )
    assert darker.mean() > 0.9 or part.std() == 0


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (20, 20, 10, 10), (10**6, 0, 10**6 + 9, 9), (-20, -20, -1, -1)]
)
def test_a_part_that_shows_nothing_is_none(stocked, box):
    with pytest.raises(ValueError, match="shows nothing"):
        renditions.crop_png(stocked, "1.2.3.4", box)
    with pytest.raises(KeyError):
        renditions.crop_png(stocked, "1.2.3.5", (0, 0, 9, 9))


def test_a_part_that_reaches_beyond_the_picture_keeps_its_scale_and_is_black_there(stocked):
    within = cv2.imdecode(np.frombuffer(renditions.crop_png(stocked, "1.2.3.4", (0, 0, 40, 40)), np.uint8), 0)
    beyond = cv2.imdecode(
        np.frombuffer(renditions.crop_png(stocked, "1.2.3.4", (-20, -20, 20, 20)), np.uint8), 0
    )
    assert beyond.shape == within.shape == (320, 320)
    assert beyond[:150].max() == beyond[:, :150].max() == 0
    assert np.abs(beyond[170:, 170:].astype(int) - within[10:160, 10:160]).max() <= 2


def test_a_part_does_not_blow_up_the_image(stocked):
    with pytest.raises(ValueError, match="far beyond"):
        renditions.crop_png(stocked, "1.2.3.4", (0, 0, 10**6, 10**6))


@pytest.mark.parametrize(("rows", "columns"), [(400, 300), (2000, 1500)])
def test_a_picture_is_measured_and_drawn_at_once_as_one_after_the_other(rows, columns):
    image = decode(dicom(breast("L", rows=rows, columns=columns)), max_pixels=4_000_000)
    drawn = measure_and_draw(image)
    assert drawn == drawing.make_pictures(image)
    assert image.measured == measure(image.pixels, image.bits_stored)
    assert np.array_equal(
        drawing.open_rendition(drawn[0])[1], drawing.reduced(image.pixels, drawing.LONGEST_SIDE)
    )
