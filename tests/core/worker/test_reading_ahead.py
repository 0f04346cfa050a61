"""Reading ahead of the networks says the same as reading when asked, and gets in nobody's way."""

from datetime import date

import numpy as np
import pytest
from sqlalchemy import select

from core.images.reader import GuardedReader
from core.refusals import Refusal
from core.worker.reading_ahead import MOST_AHEAD, ReadingAhead, WaitingImage
from core.worker.scoring import score_pending
from db.images import StoreUnavailable
from db.tables import Image
from models.view.preprocess import NETWORK_SHAPE, standardise
from tests.core.worker.test_scoring import Counting, add_visit, model, scores, statuses

__all__ = ["model"]  # a fixture


def waiting(here):
    """The images there are, as the scorer would name them."""
    with here.database.read() as session:
        return [
            WaitingImage(image.id, image.sha256, image.source_name)
            for image in session.scalars(select(Image))
        ]


def test_what_was_read_ahead_is_what_reading_gives(here):
    add_visit(here, date(2020, 1, 1))
    images = waiting(here)
    with (
        ReadingAhead(here, images, readers=2, shape=NETWORK_SHAPE) as ahead,
        GuardedReader(here.settings) as reader,
    ):
        for image in reversed(images):
            now = standardise(reader.read(here.images.get(image.sha256), image.name).pixels)
            early = ahead.take(image.id)
            assert early is not None
            assert np.array_equal(early.pixels, now.pixels)
            assert early.transform == now.transform


def test_an_image_is_handed_out_once_and_a_stranger_never(here):
    add_visit(here, date(2020, 1, 1))
    first, *_ = images = waiting(here)
    with ReadingAhead(here, images, readers=1, shape=NETWORK_SHAPE) as ahead:
        assert ahead.take(first.id) is not None
        assert ahead.take(first.id) is None
        assert ahead.take(999_999) is None


def test_what_cannot_be_read_is_told_to_who_asks(here):
    broken = here.images.put(b"not an image")
    with (
        ReadingAhead(here, [WaitingImage(1, "0" * 64, "gone.dcm")], readers=1, shape=NETWORK_SHAPE) as ahead,
        pytest.raises(FileNotFoundError),
    ):
        ahead.take(1)
    with (
        ReadingAhead(here, [WaitingImage(2, broken, "broken.png")], readers=1, shape=NETWORK_SHAPE) as ahead,
        pytest.raises(Refusal),
    ):
        ahead.take(2)


def test_no_more_is_read_than_is_soon_needed(here, monkeypatch):
    read = []
    monkeypatch.setattr(ReadingAhead, "_standardised", lambda _self, image: read.append(image.id))
    images = [WaitingImage(k, "0" * 64, "x") for k in range(3 * MOST_AHEAD)]
    with ReadingAhead(here, images, readers=2, shape=NETWORK_SHAPE):
        pass
    assert len(read) <= MOST_AHEAD
    with ReadingAhead(here, images, readers=2, shape=NETWORK_SHAPE) as ahead:
        for image in images:
            ahead.take(image.id)
    assert set(read) == {image.id for image in images}


def test_reading_goes_on_after_images_that_nobody_takes(here, monkeypatch):
    """Another worker has scored their studies."""
    monkeypatch.setattr(ReadingAhead, "_standardised", lambda _self, image: image.id)
    images = [WaitingImage(k, "0" * 64, "x") for k in range(4 * MOST_AHEAD)]
    with ReadingAhead(here, images, readers=2, shape=NETWORK_SHAPE) as ahead:
        assert ahead.take(MOST_AHEAD + 5) is None, "it was not read yet: who asks reads it"
        for k in range(MOST_AHEAD + 6, 4 * MOST_AHEAD):
            assert ahead.take(k) == k, "reading goes on from there"


def test_what_the_machine_failed_in_ahead_is_read_when_asked_for(here, monkeypatch):
    def fail(_self, _image):
        raise StoreUnavailable("The image store is away.")

    monkeypatch.setattr(ReadingAhead, "_standardised", fail)
    with ReadingAhead(here, [WaitingImage(1, "0" * 64, "x")], readers=1, shape=NETWORK_SHAPE) as ahead:
        assert ahead.take(1) is None


def test_a_bulk_scores_every_study_and_encodes_every_image_once(here, model):
    days = [date(2018, 1, 1), date(2019, 2, 1), date(2020, 3, 1)]
    for mrn in ("MRN-1", "MRN-2"):
        for day in days:
            add_visit(here, day, mrn=mrn)
    counting = Counting(model)
    report = score_pending(here, model=counting, readers=2)
    assert len(report.items) == 6
    assert set(statuses(here)) == {"scored"}
    assert counting.encoded == 12
    score_pending(here, everything=True, model=model)
    for said in scores(here).values():
        assert len(said) == 4
        assert set(said[:2]) == set(said[2:])
