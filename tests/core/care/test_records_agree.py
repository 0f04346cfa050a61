"""What is written of women is looked through by verify: what does not agree is said, with whose it is and what to do."""

from datetime import date

import pytest
from sqlalchemy import select, update

from core.care.records_agree import disagreements
from core.care.verify import verify_objects
from core.people import Role, create_user
from core.records import Sizing, record_assessment, record_of, start_lesion
from db.tables import Image, Measurement, Study
from tests import factories
from tests.factories import VisitPlan


@pytest.fixture
def written(here):
    factories.woman(here, "1", [VisitPlan(date(2026, 3, 1), 0.01, views=(("R", "CC"),))])
    reader = create_user(here, "dr", "a long password", Role.ONCOLOGIST)
    record_assessment(
        here, reader, record_of(here, "1").visits[0].study_uid, right="2", left="1", density="B"
    )
    with here.database.read() as session:
        sop_uid = session.scalar(select(Image.sop_uid))
    start_lesion(here, reader, sop_uid, Sizing(long_axis=(10, 10, 40, 50), short_axis=(20, 40, 30, 30)))
    return here


def test_what_agrees_is_well(written):
    assert disagreements(written) == []
    assert verify_objects(written).well


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"bi_rads": "5"}, "BI-RADS"),
        ({"reader_density": None}, "density"),
        ({"assessment_note": "x"}, "note"),
    ],
)
def test_an_assessment_that_is_not_its_last_version_is_named(written, changed, what):
    with written.database.write() as session:
        session.execute(update(Study).values(**changed))
    (said,) = disagreements(written)
    assert said.startswith("patient 1, study ")
    assert f"({what})" in said
    assert "sign it anew" in said
    found = verify_objects(written)
    assert not found.well
    assert found.to_json()["records"] == [said]


def test_what_was_put_away_by_no_correction_or_lies_in_what_was_is_named(written):
    with written.database.write() as session:
        session.execute(update(Study).values(put_away_by_id=77))
    by_none, hidden = disagreements(written)
    assert "1 of study put away by no correction" in by_none
    assert "counts, but its study" in hidden


@pytest.mark.parametrize(
    "changed", [{"x1": 9999.0}, {"y0": -1.0}, {"axes": {"long": [10, 10, 40, 99999], "short": None}}]
)
def test_a_measurement_beside_its_image_is_named(written, changed):
    with written.database.write() as session:
        session.execute(update(Measurement).values(**changed))
    (said,) = disagreements(written)
    assert "patient 1, Finding 1" in said
    assert "measure it again" in said
