"""What a component in the browser may say, and what who says it has to be allowed: what is not declared is not heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from core.people import Permission, asking, refused
from core.people.needing import Need, is_met
from dashboard.house import here

MESSAGES: Mapping[str, Mapping[str, Need]] = {
    "account": {},
    "drop": {"arrived": Permission.ADD_STUDY},
    "worklist": {"open": Permission.SEE_PATIENTS, "order": Permission.SEE_PATIENTS},
    "viewer": {
        "choose": Permission.SEE_PATIENTS,
        "read": Permission.SEE_PATIENTS,
        "measure": Permission.ASSESS,
        "compare": Permission.SEE_PATIENTS,
        "leave": Permission.SEE_PATIENTS,
    },
    "reading": {"keep": Permission.ASSESS, "take_back": Permission.ASSESS},
    "place": {"box": Permission.ASSESS},
    "picture": {},
}
"""Component -> what it may say -> what that needs. A browser can be made to say anything: each is asked for anew."""


def guarded(name: str, mount: Callable[..., Any]) -> Callable[..., SimpleNamespace]:
    """Return a component that is heard as far as it is declared and as who is signed in may say it."""
    said = MESSAGES[name]

    def mounted(**given: Any) -> SimpleNamespace:
        for event, need in said.items():
            if callback := given.get(f"on_{event}_change"):
                given[f"on_{event}_change"] = _heard(callback, need, f"{name}.{event}")
        undeclared = {one for one in given if one.startswith("on_")} - {
            f"on_{event}_change" for event in said
        }
        if undeclared:
            raise LookupError(f"{name} says what is declared nowhere: {', '.join(sorted(undeclared))}")
        result = mount(**given)
        return SimpleNamespace(**{event: _value(result, event, need) for event, need in said.items()})

    return mounted


def _heard(callback: Callable[[], None], need: Need, what: str) -> Callable[[], None]:
    def heard() -> None:
        somebody = asking.asker()
        if is_met(need, somebody):
            callback()
        else:
            refused.note(here(), somebody, str(need), what=what)

    return heard


def _value(result: Any, event: str, need: Need) -> Any:
    """Return what was said in this run; nothing where that may not be said, or nobody listens."""
    value = getattr(result, event, None)
    return value if value is not None and is_met(need, asking.asker()) else None
