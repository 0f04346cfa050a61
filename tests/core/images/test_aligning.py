"""Who asks for a registration never waits: it is kept, being made, or it is known that it cannot be made."""

import threading
import time
from collections.abc import Callable
from datetime import date

import pytest

from core.images import NotAligned, aligned, aligning
from core.installation import Installation
from core.records import record_of
from tests import factories
from tests.factories import VisitPlan

CC = (("R", "CC"),)


@pytest.fixture
def pair(here: Installation) -> tuple[str, str]:
    days = (date(2022, 3, 1), date(2024, 3, 1))
    factories.woman(here, "1", [VisitPlan(day, 0.01, views=CC) for day in days])
    prior, current = (visit.images[0].sop_uid for visit in record_of(here, "1").visits)
    return prior, current


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aligning, "_beside", aligning._Beside())


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_not_kept_is_made_beside_and_then_there(here: Installation, pair) -> None:
    assert aligned(here, *pair) is None
    until(lambda: aligned(here, *pair))
    assert aligned(here, *pair).is_usable


def test_one_pair_is_made_once_however_often_it_is_asked_for(here: Installation, pair, monkeypatch) -> None:
    made, go_on = [], threading.Event()

    def slow(_here: Installation, *sops: str) -> None:
        made.append(sops)
        go_on.wait(20)

    monkeypatch.setattr(aligning, "registration_of", slow)
    for _ in range(5):
        assert aligned(here, *pair) is None
    until(lambda: made)
    go_on.set()
    assert made == [pair]


def test_what_cannot_be_made_is_said_and_not_tried_again_at_once(
    here: Installation, pair, monkeypatch
) -> None:
    tried = []

    def away(_here: Installation, *sops: str) -> None:
        tried.append(sops)
        raise FileNotFoundError("the pixels are away")

    monkeypatch.setattr(aligning, "registration_of", away)
    assert aligned(here, *pair) is None

    def told() -> bool:
        try:
            aligned(here, *pair)
        except NotAligned as error:
            return "the pixels are away" in str(error)
        return False

    until(told)
    assert told()
    assert tried == [pair]


def test_what_is_asked_for_last_comes_first_and_no_more_wait_than_can_be_remembered(
    here: Installation, monkeypatch
) -> None:
    made, go_on = [], threading.Event()

    def slow(_here: Installation, *sops: str) -> None:
        made.append(sops[0])
        go_on.wait(20)

    monkeypatch.setattr(aligning, "registration_of", slow)
    monkeypatch.setattr(aligning.time, "sleep", lambda _: None)
    beside = aligning._beside
    beside.ask(here, ("first", ""))
    until(lambda: made)
    names = [str(number) for number in range(2 * aligning.MOST_WAITING)]
    for name in names:
        beside.ask(here, (name, ""))
    go_on.set()
    until(lambda: not beside._works)
    assert made == ["first", *reversed(names[aligning.MOST_WAITING :])]


def test_an_image_that_there_is_not_is_said_at_once(here: Installation, pair) -> None:
    with pytest.raises(KeyError):
        aligned(here, pair[0], "1.2.3")
