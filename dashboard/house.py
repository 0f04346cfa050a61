"""The installation that this web process serves."""

from functools import cache

from core.installation import Installation


@cache
def here() -> Installation:
    """Return the one installation of this process, opened at the first call."""
    return Installation.open()
