"""Rules written as data: TOML files beside this module, each held against a schema when it is read."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

FOLDER = files("core.rules")

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Probability = Annotated[float, Field(ge=0, le=1)]


class RulesError(ValueError):
    """A file of rules cannot be used; the message names file, table and key, and says what is wrong."""


class Table(BaseModel):
    """One table of a file of rules: every key is known, nothing is changed after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(Table):
    """A whole file of rules; `edition` says which one is in force."""

    edition: Words


ADocument = TypeVar("ADocument", bound=Document)


def read(name: str, schema: type[ADocument], *, folder: Traversable = FOLDER) -> ADocument:
    """Read a file of rules and hold it against its schema.

    Raises
    ------
    RulesError
        If it is not there, is no TOML, or a key is missing, unknown or has a value that cannot be.
    """
    try:
        said = tomllib.loads(folder.joinpath(name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RulesError(f"{name} is missing. Take the file of this release again.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"{name} is no TOML: {error}. Put that line right.") from error
    try:
        return schema.model_validate(said)
    except ValidationError as error:
        wrong = "; ".join(_sentence(one["loc"], one["type"], one["msg"]) for one in error.errors())
        raise RulesError(f"{name}: {wrong}. Put it right, or take the file of this release again.") from error


def _sentence(place: Sequence[int | str], kind: str, message: str) -> str:
    """Say where in the file something is wrong, as in ``[[alert]] 2, key "above": …``, and what."""
    rest, parts = list(place), []
    if len(rest) > 1 or (rest and kind == "value_error"):
        table = rest.pop(0)
        numbered = bool(rest) and isinstance(rest[0], int)
        parts.append(f"[[{table}]] {int(rest.pop(0)) + 1}" if numbered else f"[{table}]")
    parts += [f'key "{key}"' for key in rest[:1]]
    where = ", ".join(parts) or "the file as a whole"
    said = {"missing": "is missing", "extra_forbidden": "is not known here"}.get(kind)
    what = message.removeprefix("Value error, ")
    return f"{where} {said}" if said else f"{where}: {what[:1].lower()}{what[1:]}"


def unique(values: Sequence[Any], what: str) -> None:
    """Refuse values that stand twice; raises `ValueError`, which a schema turns into its own error."""
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{what} {', '.join(twice)} stands there more than once")
