"""Whether a cohort is shown to a person, beside those that she was shown before."""

from __future__ import annotations

from functools import cache

from core.cohorts import Asked, Selection
from core.people import Person
from dashboard.cohort import source
from dashboard.house import here

__all__ = ["why_withheld"]


# One of each source: to look at other women is not to forget what was shown of these.
@cache
def _asked(_database: str, table: str) -> Asked:
    return Asked(here().database, table)


def why_withheld(person: Person, selection: Selection) -> str:
    """Say why nothing of a cohort is shown to a person; empty where it may be, and is remembered."""
    if selection.withheld:
        return selection.withheld
    return _asked(str(here().database.url), source.name()).why_not(person.user_id, selection)
