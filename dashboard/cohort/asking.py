"""Whether a cohort is shown to a person, beside those that she was shown before."""

from __future__ import annotations

from functools import cache

from core.cohorts import Asked, Selection
from core.people import Person
from dashboard.cohort import source
from dashboard.house import here

__all__ = ["why_withheld", "why_withheld_of"]


# One of each source: to look at other women is not to forget what was shown of these.
@cache
def _asked(_database: str, table: str) -> Asked:
    return Asked(here().database, table)


def why_withheld(person: Person, selection: Selection) -> str:
    """Say why nothing of a cohort is shown to a person; empty where it may be, and is remembered."""
    return why_withheld_of(source.name(), person, selection)


def why_withheld_of(table: str, person: Person, selection: Selection) -> str:
    """Say the same of the women stored here (`table` empty), or of those that came as a table."""
    return selection.withheld or _asked(str(here().database.url), table).why_not(person.user_id, selection)
