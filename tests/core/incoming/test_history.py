from datetime import date

import pytest

from core.incoming import history
from core.incoming.history import EventNote, RiskNote
from db.tables import Patient


@pytest.fixture
def patient(here):
    with here.database.write() as session:
        session.add(Patient(mrn="00017"))
    return "00017"


def test_history_handed_over_twice_is_written_once(here, patient):
    events = [EventNote("surgery", date(2024, 3, 1), laterality="L", detail="breast-conserving surgery")]
    risk = [RiskNote(date(2024, 1, 1), bmi=24.5, postmenopausal=True)]
    assert history.record_history(here, patient, events=events, risk_factors=risk) == 2
    assert history.record_history(here, patient, events=events, risk_factors=risk) == 0
    with here.database.read() as session:
        woman = session.query(Patient).one()
        assert [event.detail for event in woman.events] == ["breast-conserving surgery"]
        assert woman.risk_factors[0].bmi == 24.5
        assert woman.risk_factors[0].hormone_therapy is None


def test_nothing_is_written_if_one_entry_is_wrong(here, patient):
    good = EventNote("biopsy", date(2024, 3, 1))
    for wrong in (
        EventNote("therapy", date(2024, 3, 1), date(2024, 2, 1)),
        EventNote("holiday", date(2024, 3, 1)),
    ):
        with pytest.raises(ValueError):
            history.record_history(here, patient, events=[good, wrong])
    with here.database.read() as session:
        assert session.query(Patient).one().events == []


def test_an_unknown_patient_has_no_studies_and_takes_no_history(here):
    assert history.studies_held(here, "nobody") == {}
    with pytest.raises(ValueError, match="MRN"):
        history.record_history(here, "nobody")
