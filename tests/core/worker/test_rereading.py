"""What an earlier release read otherwise is read anew, and scored anew only where that shows."""

import numpy as np
import pytest
from sqlalchemy import select, update

from core.images import READING, Turn, open_rendition, rendition
from core.images.drawing import pack
from core.incoming import IncomingFile, take_in
from core.worker.rereading import Rereading
from db.tables import AuditEntry, Embedding, Image, Lesion, Measurement, Study, StudyStatus
from tests.pictures import breast, dicom

PIXELS = breast(rows=640, columns=480)


def stored(here) -> list[Image]:
    with here.database.read() as session:
        return list(session.scalars(select(Image).order_by(Image.id)))


def status_of(here) -> list[StudyStatus]:
    with here.database.read() as session:
        return list(session.scalars(select(Study.status).order_by(Study.id)))


def test_only_what_shows_otherwise_is_made_and_scored_anew(here):
    files = [
        IncomingFile("a.dcm", dicom(PIXELS, PatientID="A")),
        IncomingFile("b.dcm", dicom(breast(seed=3, rows=640, columns=480), PatientID="B")),
    ]
    take_in(here, files, statement=None, source="cli")
    same, other = stored(here)
    assert {image.reading for image in (same, other)} == {READING}
    header, pixels = open_rendition(rendition(here, other.sop_uid))
    with here.database.write() as session:
        # As if an earlier release had taken one of them for a negative.
        wrong = here.images.put(pack(header, 4095 - pixels))
        session.execute(update(Image).values(reading=0))
        session.execute(update(Image).where(Image.id == other.id).values(rendition_sha256=wrong))
        session.execute(update(Study).values(status=StudyStatus.SCORED))
        session.add_all(embedding(image.id) for image in (same, other))
    rereading = Rereading(here)
    assert [rereading.one_more() for _ in range(4)] == [True, True, False, False]
    now = stored(here)
    assert [image.reading for image in now] == [READING, READING]
    assert [image.rendition_sha256 for image in now] == [same.rendition_sha256, other.rendition_sha256]
    assert status_of(here) == [StudyStatus.SCORED, StudyStatus.PENDING]
    with here.database.read() as session:
        assert session.scalars(select(Embedding.image_id)).all() == [same.id]


def test_a_remark_that_is_new_asks_for_no_score(here):
    data = dicom(PIXELS, Laterality="L", SeriesDescription="R CC")
    take_in(here, [IncomingFile("a.dcm", data)], statement=None, source="cli")
    with here.database.write() as session:
        session.execute(
            update(Image).values(reading=0, quality_flags=["window_approximated", "spot_compression"])
        )
        session.execute(update(Study).values(status=StudyStatus.SCORED))
    # What an earlier release, or a person, took it for stays; what is new of it is added.
    assert Rereading(here).one_more()
    assert stored(here)[0].quality_flags == ["spot_compression", "contradictory_header"]
    assert status_of(here) == [StudyStatus.SCORED]


def test_an_image_that_can_no_longer_be_read_stays_as_it_is(here):
    take_in(here, [IncomingFile("a.dcm", dicom(PIXELS))], statement=None, source="cli")
    (image,) = stored(here)
    with here.database.write() as session:
        session.execute(update(Image).values(reading=0, sha256=here.images.put(b"no picture")))
        session.execute(update(Study).values(status=StudyStatus.SCORED))
    rereading = Rereading(here)
    assert [rereading.one_more() for _ in range(2)] == [True, False]
    assert stored(here)[0].rendition_sha256 == image.rendition_sha256
    assert status_of(here) == [StudyStatus.SCORED]


def embedding(image_id: int) -> Embedding:
    return Embedding(
        image_id=image_id,
        encoder_sha256="e" * 64,
        dimensions=1,
        vector=bytes(4),
        heat_map=bytes(2),
        heat_map_shape=[1, 1],
        transform={},
        finding={},
        density={},
    )


@pytest.mark.parametrize("turn", list(Turn))
def test_what_was_drawn_on_a_picture_that_is_turned_lies_on_the_same_spot(here, turn):
    pixels = PIXELS.copy()
    pixels[150:260, 40:160] += 900
    take_in(here, [IncomingFile("a.dcm", dicom(pixels))], statement=None, source="cli")
    (image,) = stored(here)
    back = {Turn.LEFT: Turn.RIGHT, Turn.RIGHT: Turn.LEFT}.get(turn, turn)
    before = back.of_pixels(pixels)
    rows, columns = before.shape
    with here.database.write() as session:
        # As an earlier release showed it, and a reader measured on it.
        shown = {**open_rendition(rendition(here, image.sop_uid))[0], "rows": rows, "columns": columns}
        earlier = here.images.put(pack(shown, before))
        session.execute(update(Image).values(reading=0, rendition_sha256=earlier, rows=rows, columns=columns))
        study = session.get_one(Study, image.study_id)
        lesion = Lesion(patient_id=study.patient_id, label="1", laterality=image.laterality)
        box = {"x0": 120.0, "y0": 230.0, "x1": 180.0, "y1": 250.0}
        axes = {"long": [120.0, 230.0, 180.0, 250.0]}
        lesion.measurements.append(Measurement(image_id=image.id, axes=axes, **box))
        session.add(lesion)
    assert Rereading(here).one_more()
    with here.database.read() as session:
        now = session.scalars(select(Measurement)).one()
        trail = session.scalars(select(AuditEntry.action)).all()
    x0, x1, y0, y1 = (int(edge) for edge in (now.x0, now.x1, now.y0, now.y1))
    assert np.array_equal(pixels[y0:y1, x0:x1], turn.of_pixels(before[230:250, 120:180]))
    assert sorted(now.axes["long"][::2]) == [now.x0, now.x1]
    assert sorted(now.axes["long"][1::2]) == [now.y0, now.y1]
    assert "measurements_turned" in trail
