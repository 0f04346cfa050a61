"""Verbs of the command line: ``quarantine`` (files that were not taken in)."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import terminal
from core.cli.opening import open_installation
from core.quarantine.waiting import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.quarantine import Contents, Kept

quarantine = typer.Typer(
    help="Files that were not taken in: list them, look into one, send them in again, set them aside.",
    no_args_is_help=True,
)

Numbers = Annotated[list[int], typer.Argument(help="Numbers as `list` shows them.", metavar="NUMBER...")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
_DAY = ["%Y-%m-%d", "%Y%m%d"]


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.add_typer(quarantine, name="quarantine")


@contextmanager
def _told() -> Iterator[None]:
    """Tell as wrong use what cannot be done with the files that were named."""
    try:
        yield
    except (LookupError, ValueError) as error:
        terminal.wrong_use(str(error.args[0] if error.args else error))


@quarantine.command(name="list")
def list_(
    state: Annotated[
        State, typer.Option(help="Those that wait, or what became of the others.")
    ] = State.WAITING,
    reason: Annotated[str | None, typer.Option(help="Only those with this reason code.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 200,
    json: Json = False,
) -> None:
    """List files in quarantine, newest first, each with its reason and what to do."""
    from core.quarantine import count_waiting, kept_files

    here = open_installation()
    found = kept_files(here, state=state, reason=reason, limit=limit)
    if json:
        terminal.print_json({"files": [one.to_json() for one in found], "waiting": count_waiting(here)})
        return
    if not found:
        terminal.results.print("Nothing waits." if state is State.WAITING else "None.")
    for one in found:
        _print(one)


@quarantine.command()
def show(
    number: Annotated[int, typer.Argument(help="A number as `list` shows it.")], json: Json = False
) -> None:
    """Look into one file: what it says of itself, as far as it can be read; the look stands in the audit trail."""
    from core.quarantine import kept_file, look_into

    here = open_installation()
    with _told():
        kept = kept_file(here, number)
        inside = look_into(here, number, None)
    says = _says(inside)
    if json:
        terminal.print_json(kept.to_json() | {"says": says, "unreadable": inside.unreadable})
        return
    _print(kept)
    for what, value in says.items():
        _line(f"  {what.replace('_', ' ')}: {value}")
    if inside.unreadable:
        _line(f"  {inside.unreadable}")


@quarantine.command()
def resubmit(
    numbers: Numbers,
    patient: Annotated[str | None, typer.Option(help="MRN of the patient that the files belong to.")] = None,
    study_date: Annotated[datetime | None, typer.Option(formats=_DAY, help="Day of the study.")] = None,
    view: Annotated[
        str | None, typer.Option(help="Side and view of the files, as L-CC.", metavar="SIDE-VIEW")
    ] = None,
    a_mammogram: Annotated[
        bool, typer.Option("--a-mammogram", help="The pictures are mammograms, though they do not look it.")
    ] = False,
    json: Json = False,
) -> None:
    """Send files in again with what was missing or wrong; what is not said comes from each file.

    Each file is answered as `import` answers it, and what is refused again waits with its new reason. Exit code 0: all
    taken or there already; 1: some refused again.
    """
    from core.people import OwnAdminNeeded
    from core.quarantine import Said
    from core.quarantine import resubmit as send_again

    here = open_installation()
    side, _, seen = (view or "").upper().partition("-")
    with _told():
        said = Said(
            mrn=patient.strip() if patient else None,
            study_date=study_date.date() if study_date else None,
            side=side or None,
            view=seen or None,
            a_mammogram=a_mammogram,
        )
        try:
            report = send_again(here, numbers, said)
        except OwnAdminNeeded as needed:
            terminal.wrong_use(f"{needed} Take her in by import --admin NAME first.")
    if json:
        terminal.print_json(report.to_json())
    else:
        for item in report.items:
            _line(f"{item.outcome}  {item.path}  {item.text or ''}".rstrip())
    if report.cut_short is not None:
        terminal.machine_failed(report.cut_short)
    if report.count("quarantined"):
        raise typer.Exit(terminal.SOME_REFUSED)


@quarantine.command(name="set-aside")
def set_aside_(
    numbers: Numbers, reason: Annotated[str, typer.Option(help="Why they are not wanted.")]
) -> None:
    """Say that files are not wanted, and why. They stay kept, and can be brought back."""
    from core.quarantine import set_aside

    with _told():
        number = set_aside(open_installation(), numbers, reason)
    _line(f"{number} set aside.")


@quarantine.command(name="bring-back")
def bring_back_(numbers: Numbers) -> None:
    """Let files that were set aside wait again."""
    from core.quarantine import bring_back

    with _told():
        number = bring_back(open_installation(), numbers)
    _line(f"{number} wait again.")


def _print(kept: Kept) -> None:
    _line(f"{kept.item_id}  {kept.at.astimezone():%Y-%m-%d %H:%M}  {kept.name}  [{kept.reason}]")
    _line(f"  {kept.text}")
    if kept.settled_at is not None:
        why = f": {kept.settled_why}" if kept.settled_why else ""
        _line(f"  {kept.state.value.replace('_', ' ')} by {kept.settled_by}{why}")


def _says(inside: Contents) -> dict[str, Any]:
    header = inside.header
    if header is None:
        return {}
    facts = {
        "patient": header.patient_id,
        "name": header.patient_name,
        "birth_date": header.birth_date.isoformat() if header.birth_date else None,
        "study_date": header.study_date.isoformat() if header.study_date else None,
        "modality": header.modality,
        "laterality": header.laterality,
        "view": header.view,
        "size": f"{inside.columns} × {inside.rows}",
        "doubt": inside.doubt,
        "contradictions": " ".join(inside.contradictions) or None,
    }
    return {what: value for what, value in facts.items() if value is not None}


def _line(text: str) -> None:
    terminal.results.print(text, markup=False, highlight=False)
