"""Verbs of ``correct`` that say one thing anew of films, a study or a woman: a table, and one way to run what stands in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.correct_making import put_right
from core.cli.correct_options import DAY, Films, How
from core.cli.groups import in_groups

if TYPE_CHECKING:
    from core.corrections import Ask
    from core.installation import Installation

__all__ = ["register"]

Study = Annotated[str, typer.Argument(help="Study UID, or MRN/2021-06-01.")]
Mrn = Annotated[str, typer.Argument(metavar="MRN")]
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verb:
    """A verb: what it is called and for, what it is about (`of`) and takes as right (`to`), and what it asks for."""

    name: str
    help: str
    of: Any
    to: Any
    ask: Callable[[Installation, Any, Any], Ask]


def register(correct: typer.Typer) -> None:
    """Add the verbs of the table."""
    for verb in VERBS:
        correct.command(name=verb.name)(in_groups(_running(verb)))


def _running(verb: Verb) -> Callable[..., None]:
    def run(what: Any, to: Any, how: How) -> None:
        put_right(lambda here: verb.ask(here, what, to), how)

    run.__name__, run.__doc__ = verb.name, verb.help
    run.__annotations__ = {"what": verb.of, "to": verb.to, "how": How}
    return run


def _films(fact: str, read: Callable[[Any], Any] = str) -> Callable[[Installation, Any, Any], Ask]:
    def ask(here: Installation, films: list[str], to: Any) -> Ask:
        from core.corrections import FilmIs, FilmsAre, film_named

        truly = FilmIs(**{fact: read(to)})
        return FilmsAre({film_named(here, one): truly for one in films})

    return ask


def _who(fact: str, read: Callable[[str], Any] = str) -> Callable[[Installation, Any, Any], Ask]:
    def ask(_here: Installation, mrn: str, to: str) -> Ask:
        from core.corrections import WhoSheIs

        return WhoSheIs(mrn, {fact: None if to == UNKNOWN else read(to)})

    return ask


def _date(here: Installation, study: str, to: date) -> Ask:
    from core.corrections import DateOf, study_named

    return DateOf(study_named(here, study), to)


def _text(metavar: str, help: str) -> Any:
    return Annotated[str, typer.Option(metavar=metavar, help=help)]


KINDS = Annotated[
    list[str],
    typer.Option(
        metavar="KIND", help="standard, or spot_compression, magnification, synthetic …; may be repeated."
    ),
]
VERBS = (
    Verb(
        "side",
        "Correct the side of films.",
        Films,
        _text("L|R", "The side that is right."),
        _films("laterality"),
    ),
    Verb("view", "Correct the view of films.", Films, _text("VIEW", "CC, MLO, ML …"), _films("view")),
    Verb(
        "kind",
        "Correct what kind of picture films are: only standard views are read as views of the whole breast.",
        Films,
        KINDS,
        _films("kinds", lambda to: frozenset(to) - {"standard"}),
    ),
    Verb(
        "date",
        "Correct the date of a study.",
        Study,
        Annotated[date, typer.Option(parser=DAY, metavar="DATE", help="The day that is right.")],
        _date,
    ),
    Verb(
        "name",
        "Correct a woman's name.",
        Mrn,
        _text("NAME", "The name that is right; “unknown” for none."),
        _who("name"),
    ),
    Verb(
        "birth-date",
        "Correct a woman's birth date: her ages change, and all her scores are made anew.",
        Mrn,
        _text("DATE", "The day that is right; “unknown” for none."),
        _who("birth_date", DAY),
    ),
    Verb(
        "sex",
        "Correct a woman's sex.",
        Mrn,
        _text("F|M|O", "The sex that is right; “unknown” for none."),
        _who("sex"),
    ),
)
