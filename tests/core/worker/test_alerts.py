"""Alerts: raised by the newest study's score, kept when acknowledged, superseded by what comes after."""

from datetime import date

import pytest
from sqlalchemy import select

from core.rules import RiskEnds, rules_in_force
from core.worker.alerts import hold_against_new_rules, raise_alerts, raise_alerts_before
from db.tables import Alert, EventKind, Patient, Role, Score, Study, StudyStatus, User, utc_now
from tests import factories
from tests.factories import VisitPlan

CALM = {
    "risk_5y": 0.012,
    "risk_2y": 0.004,
    "malignancy_left": 0.01,
    "malignancy_right": 0.02,
    "progression": 0.1,
}


def add_score(session, study: Study, **said) -> Score:
    values = {**CALM, **said}
    risks = {f"risk_{year}y{end}": 0.01 for year in range(1, 6) for end in ("", "_low", "_high")}
    made = {"model": "m", "weights_sha256": "a" * 64, "calibration": "c", "trust_level": "trusted"}
    row = Score(
        study_id=study.id, inputs={}, priors=0,
        density_a=0.25, density_b=0.25, density_c=0.25, density_d=0.25, trust_doubt=None, **{**made, **risks, **values},
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


@pytest.fixture
def session(here):
    with here.database.write() as session:
        yield session


@pytest.fixture
def studies(session) -> list[Study]:
    patient = Patient(mrn="1")
    session.add(patient)
    session.flush()
    made = [
        Study(uid=f"1.{year}", patient_id=patient.id, study_date=date(year, 1, 1)) for year in (2022, 2024)
    ]
    session.add_all(made)
    session.flush()
    return made


def messages(session, *, still_open: bool = True) -> list[str]:
    rows = session.scalars(select(Alert).order_by(Alert.id)).all()
    return [row.message for row in rows if (row.acknowledged_at is None) == still_open]


def test_a_calm_score_raises_nothing(session, studies):
    assert raise_alerts(session, add_score(session, studies[1]), None) == []


@pytest.mark.parametrize(
    ("said", "rule", "message"),
    [
        ({"risk_5y": 0.041}, "risk_high", "5-year risk crossed 3.0 %: 4.1 %"),
        ({"malignancy_left": 0.31}, "malignancy", "Suspicious breast: left 31 %"),
        ({"malignancy_right": 0.5, "malignancy_left": None}, "malignancy", "Suspicious breast: right 50 %"),
        ({"progression": 0.7}, "progression", "Probable progression: 70 %"),
    ],
)
def test_a_score_above_a_threshold_raises_its_alert(session, studies, said, rule, message):
    (alert,) = raise_alerts(session, add_score(session, studies[1], **said), None)
    assert (alert.rule, alert.message, alert.study_id) == (rule, message, studies[1].id)


@pytest.mark.parametrize("said", [{"risk_5y": 0.030}, {"malignancy_left": 0.02}, {"progression": 0.5}])
def test_a_score_at_a_threshold_raises_nothing(session, studies, said):
    assert raise_alerts(session, add_score(session, studies[1], **said), None) == []


def test_a_jump_since_the_visit_before_is_an_alert(session, studies):
    before = add_score(session, studies[0], risk_5y=0.005)
    (alert,) = raise_alerts(session, add_score(session, studies[1], risk_5y=0.021), before)
    assert alert.message == "Risk ×4.2 in 24 months: 0.5 % to 2.1 %, +1.6 points"


def test_only_the_newest_study_raises_alerts(session, studies):
    assert raise_alerts(session, add_score(session, studies[0], malignancy_left=0.9), None) == []


def test_a_newest_study_that_is_refused_leaves_the_alerts_to_the_one_before(session, studies):
    before, newest = studies
    raise_alerts(session, add_score(session, before, malignancy_left=0.9), None)
    before.status, newest.status = StudyStatus.SCORED, StudyStatus.REFUSED
    (alert,) = raise_alerts_before(session, newest, "m")
    assert (alert.study_id, messages(session)) == (before.id, ["Suspicious breast: left 90 %"])
    # Scored anew, it is still the newest that has a score.
    (again,) = raise_alerts(session, add_score(session, before, malignancy_left=0.8), None)
    assert (again.id, messages(session)) == (alert.id, ["Suspicious breast: left 80 %"])


def test_a_study_that_was_scored_before_it_was_refused_keeps_its_alerts(session, studies):
    before, newest = studies
    add_score(session, before, malignancy_left=0.9)
    raise_alerts(session, add_score(session, newest, malignancy_left=0.4), None)
    before.status, newest.status = StudyStatus.SCORED, StudyStatus.REFUSED
    assert raise_alerts_before(session, newest, "m") == []
    assert raise_alerts(session, add_score(session, before, malignancy_left=0.9), None) == []
    assert messages(session) == ["Suspicious breast: left 40 %"]


def test_scoring_again_renews_and_withdraws(session, studies):
    raise_alerts(session, add_score(session, studies[1], malignancy_left=0.3), None)
    raise_alerts(session, add_score(session, studies[1], malignancy_left=0.4), None)
    assert messages(session) == ["Suspicious breast: left 40 %"]
    raise_alerts(session, add_score(session, studies[1]), None)
    assert messages(session) == []
    assert "withdrawn" in messages(session, still_open=False)[0]
    raise_alerts(session, add_score(session, studies[1], malignancy_left=0.5), None)
    assert messages(session) == ["Suspicious breast: left 50 %"]


def test_an_acknowledged_alert_stays_acknowledged(session, studies):
    person = User(username="o", display_name="o", password_hash="x", role=Role.ONCOLOGIST)
    session.add(person)
    (alert,) = raise_alerts(session, add_score(session, studies[1], malignancy_left=0.3), None)
    session.flush()
    alert.acknowledged_at, alert.acknowledged_by_id = utc_now(), person.id
    raise_alerts(session, add_score(session, studies[1], malignancy_left=0.4), None)
    assert messages(session, still_open=False) == ["Suspicious breast: left 30 %"]


def test_a_newer_study_supersedes_the_open_alerts_of_earlier_ones(session, studies):
    newest = studies.pop()
    session.delete(newest)
    session.flush()
    raise_alerts(session, add_score(session, studies[0], malignancy_left=0.3), None)
    later = Study(uid="1.9", patient_id=studies[0].patient_id, study_date=date(2025, 1, 1))
    session.add(later)
    session.flush()
    raise_alerts(session, add_score(session, later), None)
    assert messages(session) == []
    assert "superseded by the study of 2025-01-01" in messages(session, still_open=False)[0]


@pytest.mark.parametrize("other", [{"weights_sha256": "b" * 64}, {"calibration": "d"}, {"model": "n"}])
def test_scores_that_the_pages_do_not_compare_raise_no_jump(session, studies, other):
    before = add_score(session, studies[0], risk_5y=0.005, **other)
    assert raise_alerts(session, add_score(session, studies[1], risk_5y=0.025), before) == []


def test_a_score_that_cannot_be_compared_leaves_a_jump_as_it_is(session, studies):
    before = add_score(session, studies[0], risk_5y=0.005)
    raise_alerts(session, add_score(session, studies[1], risk_5y=0.026), before)
    jump = messages(session)
    others = {"weights_sha256": "b" * 64}
    (alert,) = raise_alerts(session, add_score(session, studies[1], risk_5y=0.006, **others), before)
    assert (alert.rule, messages(session)) == ("change", jump)
    # Now the visit before is scored by the same weights: there is no jump.
    before = add_score(session, studies[0], risk_5y=0.005, **others)
    assert raise_alerts(session, add_score(session, studies[1], risk_5y=0.006, **others), before) == []
    assert messages(session) == []


def test_an_earlier_alert_stays_open_until_a_score_can_be_set_beside_its_study(session, studies):
    before, newest = studies
    newest.status = StudyStatus.REFUSED
    raise_alerts(session, add_score(session, before, malignancy_left=0.9), None)
    newest.status = StudyStatus.PENDING
    others = {"weights_sha256": "b" * 64}
    raise_alerts(session, add_score(session, newest, **others), None)
    assert messages(session) == ["Suspicious breast: left 90 %"]
    add_score(session, before, malignancy_left=0.8, **others)
    raise_alerts(session, add_score(session, newest, **others), None)
    assert messages(session) == []


def test_a_refused_study_leaves_the_alerts_of_scores_that_are_not_compared(session, studies):
    """The visit before it was scored by other weights than the one before that."""
    first, last = studies
    refused = Study(
        uid="1.9", patient_id=last.patient_id, study_date=date(2025, 1, 1), status=StudyStatus.REFUSED
    )
    session.add(refused)
    session.flush()
    add_score(session, first, risk_5y=0.005, weights_sha256="b" * 64)
    add_score(session, last, risk_5y=0.025)
    first.status = last.status = StudyStatus.SCORED
    assert raise_alerts_before(session, refused, "m") == []


DIAGNOSED = RiskEnds(diagnosed_on=date(2023, 5, 1))


def test_after_a_diagnosis_only_growth_raises_an_alert(session, studies):
    loud = {"risk_5y": 0.4, "malignancy_left": 0.9, "progression": 0.7}
    before = add_score(session, studies[0], risk_5y=0.02)
    raised = raise_alerts(session, add_score(session, studies[1], **loud), before, DIAGNOSED)
    assert [alert.rule for alert in raised] == ["progression"]
    later = raise_alerts(session, add_score(session, studies[1], **loud), before, RiskEnds(date(2024, 1, 2)))
    assert {alert.rule for alert in later} == {"malignancy", "change", "progression", "risk_high"}


@pytest.mark.parametrize("end", ["died_on", "both_gone_on"])
def test_from_her_death_on_or_without_a_breast_nothing_raises_an_alert_nor_closes_one(session, studies, end):
    before = add_score(session, studies[0], risk_5y=0.02)
    loud = add_score(session, studies[1], risk_5y=0.4, malignancy_left=0.9, progression=0.7)
    raised = {alert.rule for alert in raise_alerts(session, loud, before)}
    assert {"malignancy", "progression"} <= raised
    quiet = add_score(session, studies[1], risk_5y=0.01)
    assert raise_alerts(session, quiet, before, RiskEnds(**{end: studies[1].study_date})) == []
    open_still = session.scalars(select(Alert).where(Alert.acknowledged_at.is_(None)))
    assert {alert.rule for alert in open_still} == raised


def test_a_score_after_a_diagnosis_closes_no_alert_of_risk(session, studies):
    newest = studies.pop()
    session.delete(newest)
    session.flush()
    raise_alerts(session, add_score(session, studies[0], malignancy_left=0.3, progression=0.8), None)
    later = Study(uid="1.9", patient_id=studies[0].patient_id, study_date=date(2025, 1, 1))
    session.add(later)
    session.flush()
    raise_alerts(session, add_score(session, later), None, DIAGNOSED)
    assert messages(session) == ["Suspicious breast: left 30 %"]


def test_what_positioning_makes_raises_nothing(session, studies):
    noisy, surer = {"smallest_change": 2.5}, {"smallest_change": 2.0}
    before = add_score(session, studies[0], risk_5y=0.01, **noisy)
    now = {"risk_5y": 0.09}
    assert raise_alerts(session, add_score(session, studies[1], **now, **noisy), before) == []
    before = add_score(session, studies[0], risk_5y=0.01, **surer)
    raised = raise_alerts(session, add_score(session, studies[1], **now, **surer), before)
    assert {alert.rule for alert in raised} == {"change", "risk_high"}
    # Known to be noise after all, as when the noise is measured anew: the alerts are withdrawn.
    before = add_score(session, studies[0], risk_5y=0.01, **noisy)
    raise_alerts(session, add_score(session, studies[1], **now, **noisy), before)
    assert messages(session) == []


def test_a_level_that_was_crossed_is_told_again_until_somebody_has_acknowledged_it(session, studies):
    person = User(username="o", display_name="o", password_hash="x", role=Role.ONCOLOGIST)
    session.add(person)
    newest = studies.pop()
    session.delete(newest)
    session.flush()
    raise_alerts(session, add_score(session, studies[0], risk_5y=0.05), None)
    scores = []
    for year in (2024, 2025, 2026):
        study = Study(uid=f"2.{year}", patient_id=studies[0].patient_id, study_date=date(year, 1, 1))
        session.add(study)
        session.flush()
        before = scores[-1] if scores else session.scalars(select(Score)).one()
        scores.append(add_score(session, study, risk_5y=0.05))
        raised = raise_alerts(session, scores[-1], before)
        again = raise_alerts(session, add_score(session, study, risk_5y=0.05), before)
        assert raised == again
        if year < 2026:
            assert [(one.rule, one.study_id) for one in raised] == [("risk_high", study.id)]
        if year == 2025:
            raised[0].acknowledged_at, raised[0].acknowledged_by_id = utc_now(), person.id
    assert raised == []
    assert messages(session) == []


def test_after_a_diagnosis_growth_is_judged_as_it_is_told_then(session, studies):
    said = {"progression": 0.2, "progression_after": 0.7}
    (alert,) = raise_alerts(session, add_score(session, studies[1], **said), None, DIAGNOSED)
    assert alert.message == "Probable progression: 70 %"
    assert raise_alerts(session, add_score(session, studies[1], **said), None) == []


def test_a_refused_study_brings_back_no_score_that_is_withheld_by_now(session, studies):
    before, newest = studies
    before.status, newest.status = StudyStatus.SCORED, StudyStatus.REFUSED
    add_score(session, before, malignancy_left=0.9)
    add_score(session, before, malignancy_left=0.9, weights_sha256="b" * 64, trust_level="withheld")
    assert raise_alerts_before(session, newest, "m") == []


def test_rules_of_another_edition_are_held_against_the_newest_scores_once(here, monkeypatch):
    before, last = date(2024, 1, 1), date(2026, 1, 1)
    factories.woman(here, "rose", [VisitPlan(before, 0.005), VisitPlan(last, 0.024)])
    factories.woman(
        here, "fell", [VisitPlan(before, 0.05), VisitPlan(last, 0.01, alerts=[("risk_high", "above")])]
    )
    factories.woman(here, "unlike", [VisitPlan(last, 0.5, trust=("withheld", "unlike_pictures"))])
    found = [(EventKind.DIAGNOSIS, date(2025, 1, 1), None, "left")]
    factories.woman(here, "known", [VisitPlan(before, 0.005), VisitPlan(last, 0.5)], events=found)

    def open_alerts() -> list[tuple[str, str]]:
        with here.database.read() as session:
            query = select(Patient.mrn, Alert.rule).join(Alert, Alert.patient_id == Patient.id)
            return [tuple(row) for row in session.execute(query.where(Alert.acknowledged_at.is_(None)))]

    assert open_alerts() == [("fell", "risk_high")]
    assert hold_against_new_rules(here, "longitudinal-sim") == 4
    assert open_alerts() == [("rose", "change")]
    assert hold_against_new_rules(here, "longitudinal-sim") is None
    other = rules_in_force().model_copy(update={"edition": "another"})
    monkeypatch.setattr("core.worker.alerts.rules_in_force", lambda: other)
    assert hold_against_new_rules(here, "longitudinal-sim") == 4
    assert open_alerts() == [("rose", "change")]
