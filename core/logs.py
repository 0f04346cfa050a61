"""Logs: one line an event to stderr, never to stdout, which belongs to results; no patient data in them."""

import os
import sys
from functools import cache
from typing import Any

import structlog

LEVEL = "LONGVIEW_LOG_LEVEL"
"""Environment variable: the least level that is written, one of debug, info, warning, error."""


@cache
def _set_up() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # The renderer's own tracebacks show local variables, and those hold names and record numbers.
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(os.environ.get(LEVEL, "info").lower()),
        # Looked up at each line, so that a redirected stderr is followed.
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def log_of(name: str) -> Any:
    """Return the log of one module; events are short sentences, facts go in as keywords."""
    _set_up()
    return structlog.get_logger(module=name)
