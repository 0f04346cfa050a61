"""What is computed of a question is computed once, and kept as long as the question is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

__all__ = ["once"]

Asked = TypeVar("Asked", bound=Callable[..., Any])


def once(compute: Asked) -> Asked:
    """Keep on its first argument what a function or method returned for the others; what it raises is not kept."""
    name = f"once {compute.__module__}.{compute.__qualname__}"

    @wraps(compute)
    def kept(of: Any, *more: Any) -> Any:
        known = of.__dict__.setdefault(name, {})
        if more not in known:
            known[more] = compute(of, *more)
        return known[more]

    return cast(Asked, kept)
