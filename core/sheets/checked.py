"""A table held against its fields and against what is stored, before any of it is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.installation import Installation
from core.people import Person, needs
from core.sheets import cells
from core.sheets.columns import Mapping, OrderSeen
from core.sheets.fields import FieldType
from core.sheets.keepers import FATE, KEEPERS, Fate, Keeper, Record
from core.sheets.sheet import Line, Sheet

PREVIEWED = 20
MOST_TOLD = 5_000
"""Bad lines that are told one by one; of more, the number."""
MOST_LINES = 50_000
"""Lines of one table: they are kept in one transaction, for which all others wait."""


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be kept: its number in the file, the column where there is one, and why."""

    line: int
    column: str
    reason: str


@dataclass
class Checked:
    """What a table would do: how many lines are new, filled in or there already, which are bad, and the first ones read.

    `order_asked` says that days and months cannot be told apart, and a person has to say which comes first.
    """

    fates: Counter[Fate] = field(default_factory=Counter)
    bad: list[BadLine] = field(default_factory=list)
    bad_lines: int = 0
    preview: list[dict[str, str]] = field(default_factory=list)
    order_asked: bool = False

    @property
    def to_keep(self) -> int:
        """Return how many lines change something."""
        return self.fates[Fate.NEW] + self.fates[Fate.FILLED]


@needs(lambda _here, _person, _sheet, mapping: KEEPERS[mapping.kind.key].permission)
def check(here: Installation, person: Person | None, sheet: Sheet, mapping: Mapping) -> Checked:
    """Hold every line of a table against its fields and what is stored; nothing is written."""
    found = Checked()
    mapping, found.order_asked = settled(sheet, mapping)
    with here.database.read() as session:
        keeper = KEEPERS[mapping.kind.key](session, person, sheet.name)
        for line, record, bad in judged(sheet, mapping, keeper, found.fates):
            if bad is not None:
                found.bad_lines += 1
                if len(found.bad) < MOST_TOLD:
                    found.bad.append(bad)
            elif record is not None and len(found.preview) < PREVIEWED:
                shown = {key: "" if value is None else _words(value) for key, value in record.items()}
                found.preview.append({"line": str(line.number), **shown})
    return found


def _words(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def settled(sheet: Sheet, mapping: Mapping) -> tuple[Mapping, bool]:
    """Return the mapping with the order of its dates, where all of them can only have one; and whether it is asked."""
    if mapping.dates is not None:
        return mapping, False
    dates = [key for key, one in mapping.kind.fields.items() if one.type is FieldType.DATE]
    places = [sheet.columns.index(mapping.columns[key]) for key in dates if key in mapping.columns]
    seen = OrderSeen()
    for line in sheet.lines():
        for place in places:
            if line.cells:
                seen.add(line.cells[place])
    return Mapping(mapping.kind, mapping.columns, seen.settled), seen.is_asked


def judged(
    sheet: Sheet, mapping: Mapping, keeper: Keeper, fates: Counter[Fate]
) -> Iterator[tuple[Line, Record | None, BadLine | None]]:
    """Yield each line with what it says, None where nothing has to be kept of it, or why it is bad."""
    places = {key: sheet.columns.index(column) for key, column in mapping.columns.items()}
    for number, line in enumerate(sheet.lines(), start=1):
        if number > MOST_LINES:
            reason = (
                f"A table may have {MOST_LINES:,} lines. Divide it; this line and all below it are left out."
            )
            yield line, None, BadLine(line.number, "", reason)
            return
        record, bad = _read(line, mapping, places)
        if record is not None:
            try:
                fate = keeper.judge(record)
            except ValueError as error:
                record, bad = None, BadLine(line.number, "", str(error))
            else:
                fates[fate] += 1
                record = {**record, FATE: fate}
        yield line, record, bad


def _read(line: Line, mapping: Mapping, places: dict[str, int]) -> tuple[Record | None, BadLine | None]:
    if line.trouble is not None:
        return None, BadLine(line.number, "", line.trouble)
    record: Record = {}
    for key, place in places.items():
        one = mapping.kind.fields[key]
        try:
            record[key] = cells.said(line.cells[place], one.type, mapping.dates)
        except ValueError as error:
            return None, BadLine(line.number, mapping.columns[key], str(error))
        if one.required and record[key] is None:
            return None, BadLine(line.number, mapping.columns[key], f"{one.words} is missing.")
    return record, None
