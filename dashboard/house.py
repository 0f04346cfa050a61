"""The installation that this web process serves, and its desk."""

import atexit
from functools import cache

from core.desk import Desk
from core.installation import Installation


@cache
def here() -> Installation:
    """Return the one installation of this process, opened at the first call."""
    return Installation.open()


@cache
def desk() -> Desk:
    """Return the one desk of this process, where images are opened to be read; closed when the process ends."""
    made = Desk(here().settings)
    atexit.register(made.close)
    return made
