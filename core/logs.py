"""Logs: one line an event to stderr, never to stdout, which belongs to results; no patient data in them."""

import os
import sys
from functools import cache
from typing import Any

import structlog

LEVEL = "LONGVIEW_LOG_LEVEL"
"""Environment variable: the least level that is written, one of `LEVELS`."""
LEVELS = ("debug", "info", "warning", "error")


def level() -> str:
    """Return the least level that is written; `ValueError` if the environment names none of `LEVELS`."""
    said = os.environ.get(LEVEL) or "info"
    if said.lower() not in LEVELS:
        raise ValueError(f"{LEVEL} is {said!r}. It can be {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.")
    return said.lower()


@cache
def _set_up() -> None:
    try:
        least, wrong = level(), None
    except ValueError as error:
        # The command line ends here (`core.cli.terminal.check_surroundings`); a server goes on, and says it.
        least, wrong = "info", error
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # The renderer's own tracebacks show local variables, and those hold names and record numbers.
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        # Looked up at each line, so that a redirected stderr is followed.
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    if wrong:
        structlog.get_logger(module=__name__).warning(str(wrong))


def log_of(name: str) -> Any:
    """Return the log of one module; events are short sentences, facts go in as keywords."""
    _set_up()
    return structlog.get_logger(module=name)
