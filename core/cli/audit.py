"""Verbs of the command line: ``audit``, who did what about whom, and ``audit head``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli import terminal
from core.cli.opening import open_installation

_DAY = ["%Y-%m-%d", "%Y%m%d"]


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    audit = typer.Typer(
        help="The audit trail: who did what about whom, newest first. Reading it is written in it.",
        invoke_without_command=True,
    )
    audit.callback(invoke_without_command=True)(show)
    audit.command(name="head")(head)
    app.add_typer(audit, name="audit")


def show(
    context: typer.Context,
    patient: Annotated[str | None, typer.Option(help="Only what was done about this woman (MRN).")] = None,
    user: Annotated[str | None, typer.Option(help="Only what this person did (user name).")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, as --json names it.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only what ended so: done, refused or failed.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=_DAY, help="From this day on (UTC).")] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Up to this day, it included (UTC).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many entries, at most.")] = 100,
    csv: Annotated[
        Path | None, typer.Option(help="Write all that are asked for to this file, as CSV.")
    ] = None,
    dicom: Annotated[
        Path | None,
        typer.Option(
            help="Write all that are asked for to this file, as DICOM audit messages (PS3.15 A.5), one a line."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Show the audit trail: who did what about whom, newest first."""
    if context.invoked_subcommand is not None:
        return
    from core.files import write_whole
    from core.trail import NoSuchWoman, Wanted, as_csv, as_messages, everything, find

    wanted = Wanted(
        user, patient, action, outcome, since.date() if since else None, until.date() if until else None
    )
    here = open_installation()
    try:
        if csv is not None:
            write_whole(csv, b"".join(as_csv(everything(here, None, wanted))))
        if dicom is not None:
            write_whole(dicom, "".join(as_messages(everything(here, None, wanted))).encode())
        if csv is not None or dicom is not None:
            return
        found = find(here, None, wanted, limit=limit)
    except NoSuchWoman as error:
        terminal.wrong_use(str(error))
    finally:
        here.close()
    if json:
        terminal.print_json([entry.to_json() for entry in found.entries])
        return
    table = Table("when (UTC)", "who", "from", "about", "what", box=None, pad_edge=False)
    for entry in found.entries:
        who = entry.person or "–"
        said = entry.said if entry.outcome == "done" else f"{entry.said} ({entry.outcome})"
        table.add_row(
            f"{entry.at:%Y-%m-%d %H:%M:%S}", escape(who), entry.address or "–",
            escape(", ".join(entry.patients[:3]) + (" …" if len(entry.patients) > 3 else "")) or "–", escape(said),
        )  # fmt: skip
    terminal.results.print(table)
    if found.older_than is not None:
        terminal.log.print(
            f"Older entries are left out: say a --limit over {limit}, or --until.", highlight=False
        )


def head(json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Print the last entry's number and digest, to be kept elsewhere: ``verify --head`` finds what was written anew."""
    from core import trail

    here = open_installation()
    last = trail.head(here)
    here.close()
    if json:
        terminal.print_json({"head": str(last), "entries": last.entry_id, "digest": last.digest})
    else:
        terminal.results.print(str(last), markup=False, highlight=False)
