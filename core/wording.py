"""How figures are said on pages and in reports: probabilities, their intervals, changes, lengths, moments."""

from __future__ import annotations

from datetime import datetime

__all__ = [
    "NBSP",
    "UNKNOWN",
    "counted",
    "interval",
    "length",
    "millimetres",
    "moment",
    "percent",
    "points",
    "signed",
]

UNKNOWN = "–"
NBSP = "\u00a0"
LEAST_SAID = 0.001
"""A probability below it is said to be, without another figure."""


def percent(probability: float | None, *, unit: bool = True) -> str:
    """Return a probability (0..1) in percent: one decimal below 10, none above, "< 0.1" below that; "–" if unknown."""
    if probability is None:
        return UNKNOWN
    value = 100 * probability
    number = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    if 0 < probability < LEAST_SAID:  # what is small is not nothing
        number = f"<{NBSP}0.1"
    return f"{number}{NBSP}%" if unit else number


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of probabilities in percent, in brackets: (2.8–5.9); nothing where it is not known."""
    if low is None or high is None:
        return ""
    if 0 < high < LEAST_SAID:  # both ends say the same
        return f"({percent(high, unit=False)})"
    return f"({percent(low, unit=False)}–{percent(high, unit=False)})"


def points(change: float) -> str:
    """Return a change of a probability in percentage points, with its sign: +1.9."""
    return signed(change, digits=1)


def signed(change: float, *, digits: int = 2) -> str:
    """Return percentage points with a sign, minus as a minus."""
    value = round(100 * change, digits) + 0.0  # + 0.0 makes a rounded −0 a 0
    return f"{value:+.{digits}f}".replace("-", "−") if value else f"{value:.{digits}f}"


def millimetres(length: float | None) -> str:
    """Return a length: one decimal below 10 mm, none above; "–" where the pixel size is not known."""
    if length is None:
        return UNKNOWN
    return f"{length:.1f}{NBSP}mm" if length < 9.95 else f"{length:.0f}{NBSP}mm"


def length(mm: float | None) -> str:
    """Return a length of a lesion as `millimetres`; “gone” where it was looked for and is not there any more."""
    return "gone" if mm == 0 else millimetres(mm)


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with what it counts: 1 file, 2 files; `more` where the plural is not made by an s."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def moment(at: datetime | None) -> str:
    """Return a moment in local time, to the minute, with its offset from UTC, as a report is read elsewhere too."""
    return UNKNOWN if at is None else f"{at.astimezone():%Y-%m-%d %H:%M %z}"
