"""Options of a verb in groups: a dataclass whose fields are options, handed to the verb as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

from core.cli.terminal import wrong_use

__all__ = ["in_groups", "or_wrong_use"]


def in_groups(verb: Callable[..., None]) -> Callable[..., None]:
    """Let each parameter of a verb whose type is a dataclass stand for the options that its fields are.

    A field's type is ``Annotated[…, typer.Option(…)]`` as a parameter's would be; one without a default is required. A
    group refuses with `ValueError` what it does not take: the sentence is told as wrong use, before the verb runs.
    """
    hints = get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    options: dict[str, inspect.Parameter] = {}
    for name, given in inspect.signature(verb).parameters.items():
        own = [given.replace(annotation=hints[name])] if name not in groups else _options_of(groups[name])
        for one in own:
            if one.name in options:
                raise TypeError(f"Two groups of {verb.__name__} hold an option {one.name}.")
            options[one.name] = one.replace(kind=inspect.Parameter.KEYWORD_ONLY)

    @wraps(verb)
    def run(**values: Any) -> None:
        made = {
            name: or_wrong_use(kind)(**{one.name: values.pop(one.name) for one in fields(kind)})
            for name, kind in groups.items()
        }
        verb(**values, **made)

    run.__signature__ = inspect.Signature(list(options.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: one.annotation for name, one in options.items()}
    return run


def or_wrong_use(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose `ValueError` is told as wrong use; a parser of an option, for one."""

    @wraps(make, updated=())
    def made(*given: Any, **named: Any) -> Any:
        try:
            return make(*given, **named)
        except ValueError as error:
            wrong_use(str(error))

    return made


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(group)
    ]
