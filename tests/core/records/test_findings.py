"""Findings: kept on a study with their measurement, shown, taken back, and always in the audit trail."""

from datetime import date

import pytest
from sqlalchemy import select

from core.people.accounts import Role, create_user
from core.people.roles import AccessDenied, Person
from core.records import findings
from db.tables import AuditEntry, Image, Measurement
from tests import factories
from tests.factories import VisitPlan

SAID = {"tumour": {"benign": 0.3, "malignant": 0.7}, "model": "tumour-x"}


@pytest.fixture
def woman(here) -> str:
    factories.woman(here, "00017", [VisitPlan(date(2024, 5, 1)), VisitPlan(date(2025, 5, 1))])
    with here.database.read() as session:
        return session.scalars(select(Image.sop_uid).order_by(Image.id)).first()


@pytest.fixture
def oncologist(here) -> Person:
    return create_user(here, "onco", "a long password", Role.ONCOLOGIST)


def actions(here) -> list[str]:
    with here.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [e.action for e in entries if (e.subject or "") == "patient:00017"]


def test_a_finding_is_measured_in_millimetres_and_keeps_what_the_model_said(here, woman, oncologist):
    kept = findings.keep(here, oncologist, woman, (100, 200, 150, 220), reading=SAID)
    assert kept.diameter_mm == pytest.approx(50 * 0.28)
    assert (kept.label, kept.reading["malignant"], kept.reading_by) == ("Finding 1", 0.7, "tumour-x")
    assert kept.study_date == date(2024, 5, 1)
    assert findings.of_patient(here, "00017") == [kept] == findings.of_image(here, woman)
    assert actions(here) == ["finding_kept"]


def test_without_pixel_spacing_there_is_no_size(here, woman, oncologist):
    with here.database.write() as session:
        session.scalars(select(Image).where(Image.sop_uid == woman)).one().pixel_spacing_mm = None
    assert findings.keep(here, oncologist, woman, (0, 0, 10, 10)).diameter_mm is None


def test_findings_of_a_woman_are_numbered_on_even_after_one_was_taken_back(here, woman, oncologist):
    first = findings.keep(here, oncologist, woman, (0, 0, 10, 10))
    second = findings.keep(here, oncologist, woman, (10, 10, 30, 30))
    findings.remove(here, oncologist, first.finding_id)
    third = findings.keep(here, oncologist, woman, (0, 0, 5, 5))
    assert [second.label, third.label] == ["Finding 2", "Finding 3"]


def test_a_finding_taken_back_is_shown_nowhere_and_leaves_its_trace(here, woman, oncologist):
    kept = findings.keep(here, oncologist, woman, (0, 0, 10, 10))
    findings.remove(here, oncologist, kept.finding_id)
    findings.remove(here, oncologist, kept.finding_id)
    assert findings.of_patient(here, "00017") == findings.of_image(here, woman) == []
    with here.database.read() as session:
        (row,) = session.scalars(select(Measurement)).all()
        assert row.removed_by_id == oncologist.user_id
    assert actions(here) == ["finding_kept", "finding_removed"]


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (-1, 0, 5, 5), (0, 0, 513, 5), (0, 0, float("nan"), 5)])
def test_a_box_outside_the_image_is_not_kept(here, woman, oncologist, box):
    with pytest.raises(ValueError, match="does not lie in the image"):
        findings.keep(here, oncologist, woman, box)
    assert findings.of_patient(here, "00017") == []


def test_only_an_oncologist_keeps_and_takes_back(here, woman, oncologist):
    kept = findings.keep(here, oncologist, woman, (0, 0, 10, 10))
    for role in (Role.STAFF, Role.ANALYST, Role.ADMIN):
        other = create_user(here, f"other-{role.value}", "a long password", role)
        with pytest.raises(AccessDenied):
            findings.keep(here, other, woman, (0, 0, 10, 10))
        with pytest.raises(AccessDenied):
            findings.remove(here, other, kept.finding_id)


def test_whose_image_it_is_can_be_said(here, woman):
    with here.database.read() as session:
        sha256 = session.scalars(select(Image.sha256).where(Image.sop_uid == woman)).one()
    place = findings.place_of(here, sha256)
    assert (place.sop_uid, place.mrn, place.study_date) == (woman, "00017", date(2024, 5, 1))
    assert (place.laterality, place.view, place.simulated) == ("R", "CC", True)
    assert findings.place_of(here, "0" * 64) is None
