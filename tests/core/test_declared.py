"""Everything behind a door of core that takes an installation says what it needs, and refuses who has not that."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest

from core.installation import Installation
from core.people import AccessDenied, Permission, Person, Role, accounts, asking, audit, needs
from core.people.needing import PUBLIC, SIGNED_IN, SYSTEM_ONLY, Need, is_met, need_of
from core.trail import in_words
from db.tables import AuditEntry

CORE = Path(__file__).resolve().parents[2] / "core"
ROOMS = sorted(door.parent.name for door in CORE.glob("*/__init__.pyi"))


def behind(door: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in door.__all__:
        thing = getattr(door, name)
        if inspect.ismodule(thing):
            for inner, one in vars(thing).items():
                if not inner.startswith("_") and getattr(one, "__module__", "") == thing.__name__:
                    yield f"{name}.{inner}", one
        else:
            yield name, thing


def takes(thing: Any) -> dict[str, str]:
    """The names of what it is called with, and of what kind that is."""
    try:
        return {name: str(one.annotation) for name, one in inspect.signature(thing).parameters.items()}
    except (TypeError, ValueError):
        return {}


def walked() -> list[tuple[str, Any]]:
    """All that an outsider can call with an installation; who has a transaction open already is no outsider."""
    found = []
    for room in ROOMS:
        for name, thing in behind(importlib.import_module(f"core.{room}")):
            if not (inspect.isfunction(thing) or inspect.isclass(thing)):
                continue
            asked = takes(thing)
            if "Installation" in asked.get("here", "") and "session" not in asked:
                found.append((f"{room}.{name}", thing))
    return found


WALKED = walked()


def test_everything_behind_the_doors_says_what_it_needs() -> None:
    assert len(WALKED) > 100
    assert [name for name, thing in WALKED if need_of(thing) is None] == []


WHO: dict[str, Person | None] = {
    "nobody": None,
    **{role.value: Person(1, "somebody", "Some Body", role) for role in Role},
}


@pytest.mark.parametrize("who", WHO)
def test_nothing_runs_for_who_may_not(here: Installation, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused is before anything is looked at: what else it is called with is nonsense."""
    monkeypatch.setattr(asking, "_whole_process", None)
    monkeypatch.setattr(asking, "_found_by", None)
    person, refused, answered = WHO[who], 0, []
    for name, thing in WALKED:
        need = need_of(thing)
        if not isinstance(need, Need) or is_met(need, person):
            continue
        asking.begins(person)
        try:
            called(thing, here, person)
        except AccessDenied:
            refused += 1
        else:
            answered.append(name)
    asking.begins(None)
    assert answered == []
    assert refused > (10 if person else 100)


def called(thing: Any, here: Installation, person: Person | None) -> None:
    function = thing.__init__ if inspect.isclass(thing) else thing
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "here":
            given[name] = here
        elif name in {"person", "by"}:
            given[name] = person
        elif parameter.default is inspect.Parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            given[name] = None
    function(**given)


@needs(Permission.CORRECT)
def change(here: Installation, mrn: str, *, by: Person | None = None) -> str:
    return look(here) if by is None else mrn


@needs(Permission.SEE_MODELS)
def look(here: Installation) -> str:
    return "seen"


def test_whom_the_call_names_counts_and_who_asks_where_it_names_none(here: Installation) -> None:
    staff, analyst = WHO["staff"], WHO["analyst"]
    assert change(here, "00017", by=staff) == "00017"
    with asking.asked_by(analyst), pytest.raises(AccessDenied, match="correct"):
        change(here, "00017")
    with asking.asked_by(analyst):
        assert change(here, "00017", by=staff) == "00017"
        with pytest.raises(AccessDenied):
            change(here, "00017", by=analyst)


def test_a_thread_begins_with_nobody_unless_it_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_whole_process", None)
    monkeypatch.setattr(asking, "_found_by", None)
    found: list[object] = []
    with asking.asked_by(WHO["staff"]):
        for do in (
            lambda: found.append(asking.asker()),
            asking.on_behalf(lambda: found.append(asking.asker())),
        ):
            thread = Thread(target=do)
            thread.start()
            thread.join()
    assert found == [None, WHO["staff"]]


def test_a_refusal_stands_in_the_trail_with_who_what_and_whom(here: Installation) -> None:
    analyst = accounts.create_user(here, "ana", "a long password", Role.ANALYST)
    for _ in range(3):  # once a minute, however often it is asked for
        with pytest.raises(AccessDenied):
            change(here, "00017", by=analyst)
    with here.database.read() as session:
        (row,) = session.query(AuditEntry).filter_by(action="not_allowed")
        assert (row.user_id, row.outcome, row.subject) == (analyst.user_id, "refused", "patient:00017")
        assert "correct" in in_words(row.action, row.detail)
        assert row.detail["act"].endswith("change")


def test_a_refusal_leaves_nothing_of_what_was_begun(here: Installation) -> None:
    analyst = accounts.create_user(here, "ana", "a long password", Role.ANALYST)

    @needs(SIGNED_IN)
    def half(here: Installation, person: Person) -> None:
        with here.database.write() as session:
            audit.record(session, person, "exported")
            change(here, "00017", by=person)

    with pytest.raises(AccessDenied):
        half(here, analyst)
    assert [entry.action for entry in audit.latest(here)][:1] == ["not_allowed"]
    assert not audit.latest(here, action="exported")


def test_open_needs() -> None:
    assert is_met(PUBLIC, None)
    assert not is_met(SIGNED_IN, None)
    assert is_met(SIGNED_IN, WHO["analyst"])
    assert not is_met(SYSTEM_ONLY, WHO["admin"])
    assert is_met(SYSTEM_ONLY, asking.SYSTEM)
