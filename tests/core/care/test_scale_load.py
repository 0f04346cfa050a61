"""Women made up to measure with: they are as whole as those of an installation."""

from datetime import date

import pytest
from sqlalchemy import func, select

from core.care import scale_load
from core.care.records_agree import disagreements
from core.cohorts import frame_of, kept
from core.installation import Installation
from core.records import ready, record_of, worklist
from db.tables import Study


@pytest.mark.embedded("is measured in a home of its own on SQLite")
def test_made_up_women_stand_in_worklist_and_cohort_and_agree_with_themselves(here: Installation) -> None:
    scale_load.load(here, 30, today=date(2026, 11, 21))
    assert ready.bring_up_to_date(here) == 30
    kept.bring_up_to_date(here)
    differ = [one for one in disagreements(here) if "worklist" in one or "cohorts" in one]
    assert differ == []
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Study)) == 30 * scale_load.VISITS_A_WOMAN
    frame = frame_of(here)
    assert len(frame.women) == 30
    assert frame.visits["risk_5"].count() > 100
    found = worklist.counts(worklist.rows(here, today=date(2026, 11, 21)))
    assert found[worklist.Group.TO_READ] == 7
    record = record_of(here, "SC0000001")
    assert record is not None
    assert len(record.visits) == scale_load.VISITS_A_WOMAN
