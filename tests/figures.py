"""Figures looked for in what is told."""

import re


def figures(*written: str) -> re.Pattern[str]:
    """Return what finds figures however they go on, and not within a time of day, a UID or a longer number.

    A time of 17:29:07.371 holds 7.37, and is not a risk.
    """
    return re.compile(r"(?<![\d.])(?:" + "|".join(written) + ")")


HERS = figures(r"0\.0737", r"7\.37", r"7\.4\b")
"""A risk of 0.0737 as files and pages write it."""
