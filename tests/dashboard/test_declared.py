"""Pages and components say what they need of who is signed in; who has it not sees nothing and is not heard."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.installation import Installation
from core.people import Permission, Person, Role, accounts, asking, audit
from core.people.needing import SIGNED_IN, is_met
from dashboard import house, pages
from dashboard.components import VIEWER, VIEWER_PARTS, declared

COMPONENTS = Path(declared.__file__).parent
CALLED = re.compile(r'_component\("(\w+)"')


def test_every_component_says_what_may_be_said() -> None:
    called = set(CALLED.findall((COMPONENTS / "__init__.py").read_text()))
    assert called == set(declared.MESSAGES)
    for name, said in declared.MESSAGES.items():
        parts = (*VIEWER_PARTS, name) if name == VIEWER else (name,)
        script = "".join((COMPONENTS / f"{part}.js").read_text() for part in parts)
        sent = set(re.findall(r'set(?:Trigger|State)Value\(\s*"(\w+)"', script))
        assert sent <= set(said), name


@pytest.mark.parametrize("role", [None, *Role])
def test_a_component_is_heard_from_who_may_say_it_alone(
    here: Installation, monkeypatch: pytest.MonkeyPatch, role: Role | None
) -> None:
    person = accounts.create_user(here, "somebody", "a long password", role) if role else None
    monkeypatch.setattr(declared, "here", lambda: here)
    monkeypatch.setattr(asking, "_whole_process", None)
    monkeypatch.setattr(asking, "_found_by", None)
    heard: list[str] = []
    for name, said in declared.MESSAGES.items():

        def mount(said=said, **given):
            for callback in given.values():
                callback()
            return SimpleNamespace(**dict.fromkeys(said, "said"))

        asking.begins(person)
        events = {f"on_{event}_change": lambda event=event: heard.append(event) for event in said}
        result = declared.guarded(name, mount)(**events)
        asking.begins(None)
        if role and any(not is_met(need, person) for need in said.values()):
            with asking.asked_by(asking.SYSTEM):
                assert audit.latest(here, action="not_allowed") != []
        for event, need in said.items():
            may = is_met(need, person)
            assert (event in heard) is may, (name, event)
            assert (getattr(result, event) == "said") is may


def test_what_is_declared_nowhere_cannot_be_listened_to() -> None:
    with pytest.raises(LookupError, match="on_more_change"):
        declared.guarded("place", lambda **_: SimpleNamespace())(on_more_change=lambda: None)


def test_every_page_needs_more_than_an_address() -> None:
    assert all(isinstance(screen.needs, Permission) or screen.needs is SIGNED_IN for screen in pages.PAGES)


@pytest.mark.parametrize("screen", pages.PAGES, ids=lambda screen: screen.name)
def test_a_page_is_drawn_for_the_roles_that_have_what_it_needs(
    here: Installation, monkeypatch: pytest.MonkeyPatch, screen: pages.Screen
) -> None:
    """By what `main` asks before it runs a page: the page's own file is not reached by others."""
    from dashboard import session

    monkeypatch.setattr(house, "here", lambda: here)
    stopped: list[Role] = []
    monkeypatch.setattr(session.st, "stop", lambda: stopped.append(role))
    monkeypatch.setattr(session.st, "info", lambda *_: None)
    monkeypatch.setattr(session.look, "heard_title", lambda *_: None)
    monkeypatch.setattr(session, "here", lambda: here)
    may = [role for role in Role if is_met(screen.needs, Person(1, "", "", role))]
    for role in Role:
        monkeypatch.setattr(session, "person", lambda role=role: Person(1, "a", "A", role))
        session.shown_to_whom_it_is_for(screen.needs)
    assert [role for role in Role if role not in stopped] == may
