"""Verbs of the command line: ``correct`` (what went in wrong is put right, and undone)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import correct_one
from core.cli.correct_making import put_right, tell, undo_all
from core.cli.correct_options import DAY, AsJson, DryRun, Films, How, NewWoman, Reason, Yes
from core.cli.groups import in_groups
from core.cli.opening import open_installation
from core.cli.terminal import print_json, wrong_use

if TYPE_CHECKING:
    from core.corrections import Ask
    from core.installation import Installation

correct = typer.Typer(
    help="Put right what went in wrong: side, view, kind, date, patient, name, birth date, sex, an unwanted film, an event, two "
    "records of one woman. Says first what follows; asks; every correction can be undone. A FILM is a SOP UID or "
    "MRN/2021-06-01/R-CC, a STUDY a study UID or MRN/2021-06-01, an EVENT its number or MRN/2021-06-01/biopsy.",
    no_args_is_help=True,
)
correct_one.register(correct)  # first in the help


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.add_typer(correct, name="correct")


@correct.command()
@in_groups
def visits(
    films: Annotated[
        list[str] | None, typer.Argument(metavar="FILM=DATE...", help="Films with the day that is right.")
    ] = None,
    of_study: Annotated[
        str | None,
        typer.Option(
            "--by-file", metavar="STUDY", help="Give every film of this study the day that its own file says."
        ),
    ] = None,
    how: How = How(),  # noqa: B008 - taken apart by `in_groups`
) -> None:
    """Part one study that was several, by the days of its films."""

    def ask(here: Installation) -> Ask:
        from core.corrections import DaysOf, days_by_file, film_named, study_named

        if of_study is not None:
            return DaysOf(days_by_file(here, study_named(here, of_study)))
        if not films:
            wrong_use("Name films with their days (FILM=2021-06-01), or a study with --by-file.")
        parted = [one.rpartition("=") for one in films]
        return DaysOf({film_named(here, film): DAY(on) for film, _, on in parted})

    put_right(ask, how)


@correct.command()
@in_groups
def patient(
    what: Annotated[
        list[str], typer.Argument(metavar="STUDY|FILM...", help="Studies or films that are another woman's.")
    ],
    to: Annotated[str, typer.Option(metavar="MRN", help="Whose they are; a woman who is not known is made.")],
    new: NewWoman,
    how: How,
) -> None:
    """Move studies or films to the woman whose they are."""
    put_right(_moved(what, to, new), how)


@correct.command()
@in_groups
def split(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY...", help="The studies that are the other woman's.")
    ],
    to: Annotated[str, typer.Option(metavar="MRN", help="The other woman's MRN.")],
    new: NewWoman,
    how: How,
) -> None:
    """Part a record that is two women's: the studies named go to the other one."""
    put_right(_moved(studies, to, new), how)


@correct.command()
@in_groups
def film(
    films: Films,
    how: How,
    restore: Annotated[bool, typer.Option("--restore", help="Bring films back that were set aside.")] = False,
) -> None:
    """Set unwanted films aside: they are kept, shown nowhere and read by no model."""
    if restore:
        _restore(films, how)
        return

    def ask(here: Installation) -> Ask:
        from core.corrections import SetAside, film_named

        return SetAside(tuple(film_named(here, one) for one in films))

    put_right(ask, how)


@correct.command()
@in_groups
def merge(
    kept: Annotated[str, typer.Argument(metavar="KEPT", help="The MRN that stays.")],
    gone: Annotated[
        str,
        typer.Argument(
            metavar="GONE", help="The MRN whose record goes into it, and leads to her from then on."
        ),
    ],
    how: How,
) -> None:
    """Merge two records that are one woman."""

    def ask(_here: Installation) -> Ask:
        from core.corrections import Merged

        return Merged(kept, gone)

    put_right(ask, how)


@correct.command()
@in_groups
def event(
    events: Annotated[
        list[str], typer.Argument(metavar="EVENT...", help="Number of an event, or MRN/2021-07-01/biopsy.")
    ],
    how: How,
    to: Annotated[str | None, typer.Option(metavar="MRN", help="Whose it is; she has to be known.")] = None,
    on: Annotated[
        date | None, typer.Option("--on", parser=DAY, metavar="DATE", help="The day that is right.")
    ] = None,
    end: Annotated[
        date | None, typer.Option("--end", parser=DAY, metavar="DATE", help="When a therapy ended.")
    ] = None,
) -> None:
    """Give events the woman or the day that is right."""
    if to is None and on is None and end is None:
        wrong_use("Say whose they are with --to MRN, or of when with --on DATE.")

    def ask(here: Installation) -> Ask:
        from core.corrections import EventIs, EventsAre, event_named

        truly = EventIs(to, on, end)
        return EventsAre({event_named(here, one): truly for one in events})

    put_right(ask, how)


@correct.command()
def undo(
    correction: Annotated[int, typer.Argument(metavar="ID", help="As `core correct list` shows it.")],
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Undo a correction: all is as it was before, scores and alerts too."""
    how = How(reason, dry_run, yes, True, json)
    undo_all(open_installation(), [correction], how)


@correct.command(name="list")
def list_(
    mrn: Annotated[str | None, typer.Option("--patient", metavar="MRN", help="Only hers.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """List corrections, newest first, with who, when and why."""
    from core.corrections import all_corrections, corrections_of

    here = open_installation()
    found = all_corrections(here) if mrn is None else corrections_of(here, mrn)
    if json:
        print_json([entry.to_json() for entry in found])
        return
    for entry in found:
        undone = f" Undone by {entry.undone_by}." if entry.is_undone else ""
        tell(
            f"{entry.correction_id}  {entry.at:%Y-%m-%d %H:%M}  {entry.by}  {entry.mrn}: {entry.says}{undone} ({entry.reason})"
        )
    if not found:
        tell("Nothing was corrected.")


def _moved(names: list[str], to: str, new: NewWoman) -> Callable[[Installation], Ask]:
    def ask(here: Installation) -> Ask:
        from core.corrections import MovedTo, film_named, is_film_name, is_stored_film, study_named

        films = [one for one in names if is_film_name(one) or is_stored_film(here, one)]
        studies = tuple(study_named(here, one) for one in names if one not in films)
        return MovedTo(to, studies, tuple(film_named(here, one) for one in films), new.facts)

    return ask


def _restore(films: list[str], how: How) -> None:
    from core.corrections import CorrectionRefused, set_aside_named

    here = open_installation()
    try:
        found = [set_aside_named(here, one) for one in films]
    except CorrectionRefused as refused:
        wrong_use(str(refused))
    undo_all(here, list(dict.fromkeys(found)), how)
