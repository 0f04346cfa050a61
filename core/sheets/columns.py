"""Which column says what: matched by its name, or as a person says; and the order of day and month, never guessed."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.sheets.fields import Kind

_SLASHED = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})")


class DateOrder(enum.StrEnum):
    """What 03/04/2020 means. Dates that begin with the year, or name the month, need none."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"


@dataclass(frozen=True)
class Mapping:
    """Column by field, and how dates are written where that is not plain."""

    kind: Kind
    columns: dict[str, str] = field(default_factory=dict)
    dates: DateOrder | None = None

    @property
    def missing(self) -> list[str]:
        """Return in words the fields that are needed and have no column."""
        return [one.words for one in self.kind.field if one.required and one.key not in self.columns]


def matched(columns: Iterable[str], kind: Kind) -> dict[str, str]:
    """Return column by field where the name of just one column is that of the field or one of its synonyms."""
    columns = list(columns)
    found: dict[str, str] = {}
    for one in kind.field:
        for names in ({_plain(one.key), _plain(one.words)}, {_plain(name) for name in one.synonyms}):
            called = [
                column for column in columns if _plain(column) in names and column not in found.values()
            ]
            if len(called) == 1:
                found[one.key] = called[0]
                break
    return found


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(one for one in letters if not unicodedata.combining(one))
    return " ".join(re.findall(r"\w+", letters.replace("_", " ")))


class OrderSeen:
    """What the dates of a table show of their order."""

    def __init__(self) -> None:
        self.day_first = self.month_first = self.unclear = 0

    def add(self, cell: str) -> None:
        """Look at one date."""
        match = _SLASHED.match(cell)
        if match is None:
            return
        first, second = int(match[1]), int(match[2])
        if first > 12 >= second:
            self.day_first += 1
        elif second > 12 >= first:
            self.month_first += 1
        elif first != second:
            self.unclear += 1

    @property
    def settled(self) -> DateOrder | None:
        """Return the order that the dates can only have; None where both are possible, or both occur."""
        if self.day_first and not self.month_first:
            return DateOrder.DAY_FIRST
        if self.month_first and not self.day_first:
            return DateOrder.MONTH_FIRST
        return None

    @property
    def is_asked(self) -> bool:
        """Return whether a person has to say the order."""
        return self.settled is None and (self.unclear > 0 or (self.day_first > 0 and self.month_first > 0))
