"""What a function needs of who asks, said above it and checked before it runs; a refusal is written to the trail.

>>> @needs(Permission.SEE_PATIENTS)
... def record_of(here: Installation, mrn: str) -> PatientRecord | None: ...

Every function behind a door of `core` that takes an installation says what it needs, and a test walks them all
(`tests/core/test_declared.py`).
"""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Final, ParamSpec, TypeVar

from core.installation import Installation
from core.people import asking
from core.people.asking import Asker, System
from core.people.roles import AccessDenied, Permission, not_included


class Open(enum.StrEnum):
    """What may be asked for without a permission of its own."""

    PUBLIC = "anybody"
    SIGNED_IN = "signed in"
    """Whoever is known here, whatever her role: of what is told, nothing is a patient's but her own doing."""
    SYSTEM_ONLY = "on the command line"
    """The command line, the worker, and what the web process does for nobody in particular."""


PUBLIC: Final = Open.PUBLIC
SIGNED_IN: Final = Open.SIGNED_IN
SYSTEM_ONLY: Final = Open.SYSTEM_ONLY

P = ParamSpec("P")
R = TypeVar("R")
Need = Permission | Open
_PEOPLE = ("person", "by")
"""What the argument is called that holds who acts."""
_ABOUT = {"mrn": "patient", "study_uid": "study", "alert_id": "alert"}
"""What the arguments are called that name whom a call is about -> their kind in the trail."""

_inside: ContextVar[bool] = ContextVar("inside", default=False)


def is_met(need: Need, somebody: Asker | None) -> bool:
    """Return whether who asks has what is needed; nobody has only what is public."""
    if need is Open.PUBLIC:
        return True
    if somebody is None:
        return False
    if isinstance(need, Permission):
        return somebody.may(need)
    return need is Open.SIGNED_IN or isinstance(somebody, System)


def check(need: Need, somebody: Asker | None) -> None:
    """Raise `AccessDenied` where who asks has not what is needed."""
    if not is_met(need, somebody):
        raise AccessDenied(_words(need, somebody))


def need_of(thing: Any) -> Need | Callable[..., Need] | None:
    """Return what a function, or the making of a class, says that it needs; None where it says nothing."""
    said: Need | Callable[..., Need] | None = getattr(
        thing.__init__ if inspect.isclass(thing) else thing, "__needs__", None
    )
    return said


def needs(need: Need | Callable[..., Need]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare what a function needs; without it the call raises `AccessDenied`, and the trail says so.

    Checked is the person whom the call names (an argument `person` or `by`), or who asks (`core.people.asking`)
    where it names none. What the function calls in its turn, without naming anybody, is its own affair: an analyst's
    figure is made of records that she may not read. `need` may be a function of the same arguments that returns it.
    """

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        at = {name: place for place, name in enumerate(inspect.signature(function).parameters)}
        acts = next((name for name in _PEOPLE if name in at), None)

        def given(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            place = at.get(name, len(args))
            return args[place] if place < len(args) else kwargs.get(name)

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            person = given(acts, args, kwargs) if acts else None
            if person is None and _inside.get():
                return function(*args, **kwargs)
            # To find who asks of what is public would ask it of itself: a page's person is found by her sign-in.
            somebody = person if person is not None or need is Open.PUBLIC else asking.asker()
            said = need if isinstance(need, Permission | Open) else need(*args, **kwargs)
            with _refusals_noted(lambda name: given(name, args, kwargs), somebody, said, function):
                check(said, somebody)
                return function(*args, **kwargs)

        guarded.__needs__ = need  # type: ignore[attr-defined]
        return guarded

    return declare


@contextmanager
def _refusals_noted(
    given: Callable[[str], Any], somebody: Asker | None, need: Need, function: Callable[..., Any]
) -> Iterator[None]:
    """Write down that a call was refused, once, when whatever was begun in it has been put back."""
    outermost = not _inside.get()
    token = _inside.set(True)
    try:
        yield
    except AccessDenied:
        here = given("here")
        if outermost and isinstance(here, Installation):
            subject = next((f"{kind}:{given(name)}" for name, kind in _ABOUT.items() if given(name)), None)
            what = f"{function.__module__.removeprefix('core.')}.{function.__name__}"
            # By its name, and when it is needed: what writes the trail says itself what it needs.
            import_module("core.people.refused").note(here, somebody, str(need), subject, what=what)
        raise
    finally:
        _inside.reset(token)


def _words(need: Need, somebody: Asker | None) -> str:
    if somebody is None:
        return "Nobody is signed in who asks for this. Sign in first."
    if need is Open.SYSTEM_ONLY:
        return "This is done on the command line only."
    return not_included(need)
