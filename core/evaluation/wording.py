"""How figures of an evaluation are said: a value with its bounds, a share in per cent, the seeds of simulated sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "bounds",
    "known_seeds",
    "percent",
    "percent_with_bounds",
    "said_interval",
    "said_seeds",
    "with_bounds",
]

MOST_SAID = 10.0
"""Shares of more than this are not told in digits."""


def bounds(ends: Sequence[float], *, digits: int = 3, sign: bool = False) -> str:
    """Return the two ends of an interval: ``(0.800 to 0.900)``; `sign` writes a plus too, as differences need."""
    return f"({_number(ends[0], digits, sign)} to {_number(ends[1], digits, sign)})"


def with_bounds(value: float, ends: Sequence[float] | None, *, digits: int = 3, sign: bool = False) -> str:
    """Return a value with its interval: ``0.850 (0.800 to 0.900)``.

    Parameters
    ----------
    value
        In any unit.
    ends
        Of its interval, in the same unit; None: the value stands alone.
    digits
        After the point.
    sign
        Write a plus too, as differences need.
    """
    alone = _number(value, digits, sign)
    return alone if ends is None else f"{alone} {bounds(ends, digits=digits, sign=sign)}"


def said_interval(measured: dict[str, Any], name: str) -> str:
    """Return a measure ``name`` with its interval ``name_ci``; one that does not exist is said to be that."""
    value = measured.get(name)
    return "cannot be said" if value is None else with_bounds(value, measured.get(f"{name}_ci"))


def percent(share: float | None) -> str:
    """Return a share in whole per cent: ``85%``; None is an end of an interval that has no bound."""
    if share is None:
        return "no bound"
    # Of next to nothing a share can be anything; its digits say nothing.
    if abs(share) > MOST_SAID:
        return f"over {MOST_SAID:.0%}" if share > 0 else f"under -{MOST_SAID:.0%}"
    return f"{share:.0%}"


def percent_with_bounds(share: float | None, ends: Sequence[float | None] | None) -> str:
    """Return a share with its interval in whole per cent: ``90% (60% to 98%)``.

    Parameters
    ----------
    share
        None: there is no share.
    ends
        Of its interval, each None where it has no bound; None instead of both: the share stands alone.
    """
    alone = "no share" if share is None else percent(share)
    if ends is None:
        return alone
    if ends[0] is None and ends[1] is None:
        return f"{alone} (no bound)"
    return f"{alone} ({percent(ends[0])} to {percent(ends[1])})"


def said_seeds(seeds: Iterable[int]) -> str:
    """Return seeds of simulated sets for people, in order, each once."""
    return ", ".join(str(seed) for seed in sorted(set(seeds)))


def known_seeds(about: dict[str, Any]) -> str:
    """Return, for people, the seeds of an evaluated set whose women taught the model; empty if there is none.

    `about` is ``set`` of what `core.evaluation.longitudinal` measured.
    """
    return said_seeds(set(about["seeds"]) & set(about.get("model_learned_from_seeds", [])))


def _number(value: float, digits: int, sign: bool) -> str:
    return f"{value:{'+' if sign else ''}.{digits}f}"
