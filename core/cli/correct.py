"""Verbs of the command line: ``correct`` (what went in wrong is put right, and undone)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.correct_options import DAY, AsJson, DryRun, Films, How, NewWoman, Reason, Yes
from core.cli.groups import in_groups
from core.cli.opening import open_installation
from core.cli.terminal import SOME_REFUSED, log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.corrections import Ask, Preview
    from core.installation import Installation

correct = typer.Typer(
    help="Put right what went in wrong: side, view, kind, date, patient, name, birth date, sex, an unwanted film, two records "
    "of one woman. Says first what follows; asks; every correction can be undone. A FILM is a SOP UID or "
    "MRN/2021-06-01/R-CC, a STUDY a study UID or MRN/2021-06-01.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.add_typer(correct, name="correct")


@correct.command()
@in_groups
def side(
    films: Films, to: Annotated[str, typer.Option(metavar="L|R", help="The side that is right.")], how: How
) -> None:
    """Correct the side of films."""
    _films(films, how, laterality=to)


@correct.command()
@in_groups
def view(
    films: Films, to: Annotated[str, typer.Option(metavar="VIEW", help="CC, MLO, ML …")], how: How
) -> None:
    """Correct the view of films."""
    _films(films, how, view=to)


@correct.command()
@in_groups
def kind(
    films: Films,
    to: Annotated[
        list[str],
        typer.Option(
            metavar="KIND", help="standard, or spot_compression, magnification, synthetic …; may be repeated."
        ),
    ],
    how: How,
) -> None:
    """Correct what kind of picture films are: only standard views are read as views of the whole breast."""
    _films(films, how, kinds=frozenset(to) - {"standard"})


@correct.command(name="date")
@in_groups
def date_(
    study: Annotated[str, typer.Argument(help="Study UID, or MRN/2021-06-01.")],
    to: Annotated[date, typer.Option(parser=DAY, metavar="DATE", help="The day that is right.")],
    how: How,
) -> None:
    """Correct the date of a study."""

    def ask(here: Installation) -> Ask:
        from core.corrections import DateOf, study_named

        return DateOf(study_named(here, study), to)

    _put_right(ask, how)


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

    _put_right(ask, how)


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
    _put_right(_moved(what, to, new), how)


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
    _put_right(_moved(studies, to, new), how)


@correct.command()
@in_groups
def name(
    mrn: Annotated[str, typer.Argument(metavar="MRN")],
    to: Annotated[str, typer.Option(metavar="NAME", help="The name that is right; “unknown” for none.")],
    how: How,
) -> None:
    """Correct a woman's name."""
    _who(mrn, how, name=None if to == "unknown" else to)


@correct.command(name="birth-date")
@in_groups
def birth_date(
    mrn: Annotated[str, typer.Argument(metavar="MRN")],
    to: Annotated[str, typer.Option(metavar="DATE", help="The day that is right; “unknown” for none.")],
    how: How,
) -> None:
    """Correct a woman's birth date: her ages change, and all her scores are made anew."""
    _who(mrn, how, birth_date=None if to == "unknown" else DAY(to))


@correct.command()
@in_groups
def sex(
    mrn: Annotated[str, typer.Argument(metavar="MRN")],
    to: Annotated[str, typer.Option(metavar="F|M|O", help="The sex that is right; “unknown” for none.")],
    how: How,
) -> None:
    """Correct a woman's sex."""
    _who(mrn, how, sex=None if to == "unknown" else to)


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

    _put_right(ask, how)


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

    _put_right(ask, how)


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
    _undo_all(open_installation(), [correction], how)


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
        _tell(
            f"{entry.correction_id}  {entry.at:%Y-%m-%d %H:%M}  {entry.by}  {entry.mrn}: {entry.says}{undone} ({entry.reason})"
        )
    if not found:
        _tell("Nothing was corrected.")


def _films(films: list[str], how: How, **is_: Any) -> None:
    def ask(here: Installation) -> Ask:
        from core.corrections import FilmIs, FilmsAre, film_named

        truly = FilmIs(**is_)
        return FilmsAre({film_named(here, one): truly for one in films})

    _put_right(ask, how)


def _moved(names: list[str], to: str, new: NewWoman) -> Callable[[Installation], Ask]:
    def ask(here: Installation) -> Ask:
        from core.corrections import MovedTo, film_named, is_film_name, is_stored_film, study_named

        films = [one for one in names if is_film_name(one) or is_stored_film(here, one)]
        studies = tuple(study_named(here, one) for one in names if one not in films)
        return MovedTo(to, studies, tuple(film_named(here, one) for one in films), new.facts)

    return ask


def _who(mrn: str, how: How, **facts: Any) -> None:
    def ask(_here: Installation) -> Ask:
        from core.corrections import WhoSheIs

        return WhoSheIs(mrn, facts)

    _put_right(ask, how)


def _put_right(ask_of: Callable[[Installation], Ask], how: How) -> None:
    """Say what follows, ask, and do it."""
    from core.corrections import ChangedSince, CorrectionRefused, NotConfirmed, correct, preview

    here = open_installation()
    try:
        ask = ask_of(here)
        foretold = preview(here, ask)
        if how.dry_run:
            _answer(foretold, how, None)
            return
        if not how.reason.strip():
            wrong_use("Say why with --reason, or look only with --dry-run.")
        if not how.json:
            _show(foretold)
        if foretold.conflicts and not how.confirmed:
            raise NotConfirmed(foretold.conflicts)
        _confirm(how)
        made = correct(here, ask, reason=how.reason, stamp=foretold.stamp, confirmed=how.confirmed)
    except NotConfirmed as refused:
        _refused(f"{refused} If it is right all the same, add --despite-conflicts.")
    except ChangedSince as refused:
        _refused(str(refused))
    except CorrectionRefused as refused:
        wrong_use(str(refused))
    _answer(made.did, how, made.correction_id)


def _restore(films: list[str], how: How) -> None:
    from core.corrections import CorrectionRefused, set_aside_named

    here = open_installation()
    try:
        found = [set_aside_named(here, one) for one in films]
    except CorrectionRefused as refused:
        wrong_use(str(refused))
    _undo_all(here, list(dict.fromkeys(found)), how)


def _undo_all(here: Installation, corrections: list[int], how: How) -> None:
    from core.corrections import ChangedSince, CorrectionRefused, preview_undo
    from core.corrections import undo as undo_

    for one in corrections:
        try:
            foretold = preview_undo(here, one)
            if how.dry_run:
                _answer(foretold, how, None)
                continue
            if not how.json:
                _show(foretold)
            _confirm(how)
            made = undo_(here, one, reason=how.reason, stamp=foretold.stamp)
        except ChangedSince as refused:
            _refused(str(refused))
        except CorrectionRefused as refused:
            wrong_use(str(refused))
        if how.json:
            _answer(made.did, how, made.correction_id)
        else:
            _tell(f"Correction {one} is undone.")


def _confirm(how: How) -> None:
    if not (how.yes or how.json):
        typer.confirm("Put it right?", abort=True, err=True)


def _refused(why: str) -> None:
    log.print(f"Nothing is changed. {why}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(SOME_REFUSED)


def _show(foretold: Preview) -> None:
    for line in (*foretold.says, *foretold.sentences, *foretold.conflicts):
        log.print(line, markup=False, highlight=False, soft_wrap=True)


def _answer(did: Preview, how: How, correction_id: int | None) -> None:
    if how.json:
        print_json({"correction": correction_id, **did.to_json()})
    elif correction_id is None:
        for line in (*did.says, *did.sentences, *did.conflicts):
            _tell(line)
        _tell("Nothing is changed: this was a dry run.")
    else:
        _tell(f"Correction {correction_id} is made. Undo it: python -m core correct undo {correction_id}")


def _tell(line: str) -> None:
    results.print(line, markup=False, highlight=False, soft_wrap=True)
