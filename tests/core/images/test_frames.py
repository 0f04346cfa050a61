"""Frames of a stack: each is what the file holds, hung as the one that stands for all, read once and never far from the store."""

import numpy as np
import pytest
from sqlalchemy import select, update

from core.images import frame_rendition, rendition, view_rendition
from core.images.drawing import open_rendition, pack
from core.images.reader import GuardedReader
from core.images.tiles import FOLDER
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from db.tables import Image
from tests.pictures import breast, dicom

UID = "1.2.3.4"


@pytest.fixture
def stack(here):
    """Take in a tomosynthesis of five slices that lies upside down, the last one all but black; return it upright."""
    slices = np.stack([breast("L", seed=n) // (n + 1) for n in range(4)] + [np.full_like(breast("L"), 7)])
    slices[4, 3, 2] = 900
    lying = np.ascontiguousarray(slices[:, ::-1, ::-1])
    said = {"ViewPosition": "MLO", "PatientOrientation": ["P", "H"], "NumberOfFrames": "5"}
    data = dicom(lying[0], SOPInstanceUID=UID, PixelData=lying.tobytes(), **said)
    take_in(here, [IncomingFile("a", data)], statement=None, source="cli")
    return slices


def test_each_frame_is_the_files_own_and_hangs_as_the_one_that_stands_for_all(here, stack):
    facts, pixels = open_rendition(rendition(here, UID))
    assert (facts["frames"], facts["frame"]) == (5, 3)
    assert np.array_equal(pixels, stack[2])
    for number in (1, 3, 5):
        assert np.array_equal(open_rendition(frame_rendition(here, UID, number))[1], stack[number - 1])


def test_a_frame_is_read_once_and_again_when_its_copy_is_gone_or_damaged(here, stack, monkeypatch):
    read, times = GuardedReader.frame, []
    monkeypatch.setattr(GuardedReader, "frame", lambda self, *what: times.append(1) or read(self, *what))
    first = frame_rendition(here, UID, 1)
    assert frame_rendition(here, UID, 1) == first
    assert len(times) == 1
    (copy,) = (here.home / FOLDER).iterdir()
    assert copy.stat().st_mode & 0o077 == 0, "others may not read it"
    copy.write_bytes(b"")
    assert frame_rendition(here, UID, 1) == first
    copy.unlink()
    assert frame_rendition(here, UID, 1) == first
    assert len(times) == 3


@pytest.mark.parametrize("number", [0, 6, 10**9])
def test_a_frame_that_is_not_there_is_said(here, stack, number):
    with pytest.raises(IndexError):
        frame_rendition(here, UID, number)


def test_an_image_of_one_frame_has_that_one_alone(here):
    take_in(
        here, [IncomingFile("a", dicom(breast(), SOPInstanceUID="1.2.3.5"))], statement=None, source="cli"
    )
    assert frame_rendition(here, "1.2.3.5", 1) == rendition(here, "1.2.3.5")
    with pytest.raises(IndexError):
        frame_rendition(here, "1.2.3.5", 2)
    with here.database.read() as session:
        assert session.scalars(select(Image)).one().rows == breast().shape[0]


@pytest.fixture
def counted(monkeypatch):
    """How often frames were counted in a file."""
    count, times = GuardedReader.count_frames, []
    monkeypatch.setattr(
        GuardedReader, "count_frames", lambda self, *what: times.append(1) or count(self, *what)
    )
    return times


def stored_before(here, uid):
    """Keep the picture of an image as a release did that said nothing of frames."""
    facts, pixels = open_rendition(rendition(here, uid))
    said = {name: value for name, value in facts.items() if name not in ("frames", "frame")}
    key = here.images.put(pack(said, pixels))
    with here.database.write() as session:
        session.execute(update(Image).where(Image.sop_uid == uid).values(rendition_sha256=key))


def test_a_picture_of_an_earlier_release_tells_its_frames_when_it_is_looked_at(here, stack, counted):
    stored_before(here, UID)
    assert "frames" not in open_rendition(rendition(here, UID))[0]
    for _ in range(2):
        facts, pixels = open_rendition(view_rendition(here, UID))
        assert (facts["frames"], facts["frame"]) == (5, 3)
        assert np.array_equal(pixels, stack[2])
    assert len(counted) == 1, "what was counted is kept with the picture"
    stored_before(here, UID)
    assert np.array_equal(open_rendition(frame_rendition(here, UID, 5))[1], stack[4])


def test_a_picture_of_one_frame_is_counted_once_at_most_and_stays_as_it_is(here, stack, counted):
    lone = dicom(breast("R", seed=9), SOPInstanceUID="1.2.3.5", ImageLaterality="R")
    take_in(here, [IncomingFile("b", lone)], statement=None, source="cli")
    with here.database.write() as session:
        session.execute(update(Image).where(Image.sop_uid == "1.2.3.5").values(view="US"))
    before = rendition(here, "1.2.3.5")
    assert [view_rendition(here, "1.2.3.5") for _ in range(3)] == [before] * 3
    assert len(counted) == 1
