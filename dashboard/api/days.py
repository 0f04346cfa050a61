"""Days as programs send them: YYYY-MM-DD, and nothing that only looks like a number of seconds or a moment."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator

__all__ = ["Day"]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _said(value: Any) -> Any:
    if value is None or type(value) is date or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("is no day: YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_said)]
