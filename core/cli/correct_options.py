"""Options that the verbs of ``correct`` share: why, whether only to look, who a new woman is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import typer

from core.cli.groups import or_wrong_use


def day_of(text: str) -> date:
    """Return a day as it is written on the command line; raises ValueError for what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text} is no date. Write it as 2021-06-01.") from error


DAY = or_wrong_use(day_of)

Films = Annotated[list[str], typer.Argument(metavar="FILM...", help="SOP UID, or MRN/2021-06-01/R-CC.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stays in the record with what was wrong.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what follows, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout; does not ask.")]


@dataclass
class How:
    """What every correction is told beside what is right."""

    reason: Reason = ""
    dry_run: DryRun = False
    yes: Yes = False
    confirmed: Annotated[
        bool,
        typer.Option(
            "--despite-conflicts", help="What speaks against it was seen, and it is right all the same."
        ),
    ] = False
    json: AsJson = False


@dataclass
class NewWoman:
    """Who a woman is who is not known here yet."""

    name: Annotated[str | None, typer.Option(help="Name of a woman who is new here.")] = None
    birth_date: Annotated[
        date | None, typer.Option(parser=DAY, metavar="DATE", help="Birth date of a woman who is new here.")
    ] = None
    sex: Annotated[str | None, typer.Option(help="Sex of a woman who is new here: F, M or O.")] = None

    @property
    def facts(self) -> dict[str, Any]:
        """Return what is known."""
        said = {"name": self.name, "birth_date": self.birth_date, "sex": self.sex}
        return {fact: value for fact, value in said.items() if value is not None}
