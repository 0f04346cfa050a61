"""Registrations are made ready for the newest two studies of a woman, and nothing that fails there stops the worker."""

from datetime import date

import pytest
from sqlalchemy import select

from core.images import REGISTRATIONS
from core.records import record_of
from core.worker import registering
from core.worker.registering import MOST_STUDIES, Registering
from db.tables import Image, Study
from tests import factories
from tests.factories import VisitPlan

TWO = (("R", "CC"), ("L", "MLO"))
DAYS = [date(year, 3, 1) for year in (2020, 2022, 2024)]


@pytest.fixture
def studies(here) -> list[str]:
    """Return the studies of one woman, the oldest first; the last two have one view in common."""
    factories.woman(
        here,
        "1",
        [
            VisitPlan(DAYS[0], 0.01, views=TWO),
            VisitPlan(DAYS[1], 0.01, views=TWO),
            VisitPlan(DAYS[2], 0.01, views=TWO[:1]),
        ],
    )
    return [visit.study_uid for visit in record_of(here, "1").visits]


def test_the_views_that_both_have_are_registered_once(here, studies) -> None:
    work = Registering(here)
    work.remember(studies[-1])
    work.remember(studies[-1])
    assert work.one_more()
    assert not work.one_more()
    assert len(list((here.home / REGISTRATIONS).iterdir())) == 1


def test_it_is_the_current_study_with_the_one_before_it(here, studies, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(registering, "registration_of", lambda _here, *pair: asked.append(pair))
    work = Registering(here)
    for uid in studies[:2]:  # between older ones nobody waits
        work.remember(uid)
    assert not work.one_more()
    work.remember(studies[-1])
    while work.one_more():
        pass
    with here.database.read() as session:
        of = dict(
            session.execute(select(Image.sop_uid, Study.uid).join(Study, Study.id == Image.study_id)).all()
        )
    assert [tuple(of[sop] for sop in pair) for pair in asked] == [(studies[1], studies[2])]


def test_what_fails_is_left_and_the_next_is_done(here, studies, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(registering, "registration_of", fail)
    work = Registering(here)
    work.remember(studies[-1])
    work.remember("1.2.3")
    assert work.one_more()
    assert not work.one_more()


def test_a_bulk_is_not_all_remembered(here, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(registering, "_pairs", lambda _here, uid: seen.append(uid) or [])
    work = Registering(here)
    for number in range(3 * MOST_STUDIES):
        work.remember(f"{number}")
    assert not work.one_more()
    assert seen == [f"{number}" for number in reversed(range(2 * MOST_STUDIES, 3 * MOST_STUDIES))]


def test_what_was_scored_before_is_caught_up_with_after_what_is_scored_now(
    here, studies, monkeypatch
) -> None:
    asked = []
    monkeypatch.setattr(registering, "_pairs", lambda _here, uid: asked.append(uid) or [])
    factories.woman(here, "2", [VisitPlan(date(2025, 1, 1), 0.01, views=TWO)])
    (other,) = (visit.study_uid for visit in record_of(here, "2").visits)
    work = Registering(here)
    work.catch_up()
    work.remember("scored now")
    assert not work.one_more()
    assert asked == ["scored now", other, studies[-1]], (
        "then the newest study of each woman, the last one first"
    )
