"""The installation that this web process serves, and its desk."""

import atexit
from functools import cache

from core.desk import Desk
from core.installation import Installation

BUSY_SECONDS = 5.0
"""How long a page waits for a busy database: a person who waits in silence for longer takes it for broken.

What it gave up on is put back whole and can be tried again. Writes of other processes take well under a second.
"""


@cache
def here() -> Installation:
    """Return the one installation of this process, opened at the first call."""
    return Installation.open(busy_seconds=BUSY_SECONDS)


@cache
def desk() -> Desk:
    """Return the one desk of this process, where images are opened to be read; closed when the process ends."""
    made = Desk(here().settings)
    atexit.register(made.close)
    return made
