"""The verb of the command line that watches a folder."""

from __future__ import annotations

import json as json_
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.intake import line_of
from core.cli.terminal import SOME_REFUSED, log, machine_failed, results, wrong_use

if TYPE_CHECKING:
    from core.incoming import ItemReport


def register(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command("watch")(watch)


def watch(
    folder: Annotated[
        Path, typer.Argument(help="The folder whose files are taken in as they appear.", metavar="DIR")
    ],
    done: Annotated[
        Path | None,
        typer.Option(
            help="Move files that are stored to this folder; without it nothing is moved.", metavar="DIR"
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Take in what is there, and end: for cron.")] = False,
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds that a file has to stand still before it is read.")
    ] = 5.0,
    json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object a file and line to stdout.")
    ] = False,
) -> None:
    """Take in mammograms as they appear in a folder: files, folders and ZIP archives, each once.

    Whose they are and of when comes from the files, as with import. A file is read when it has stood still, and is asked
    again only if it changes; what was refused stays where it is and is kept in quarantine with its reason. Stopped
    (Ctrl-C, SIGTERM) or killed, it goes on where it was when it begins again. Hidden files and manifest.csv are left
    alone.

    Exit code 0: all accepted or there already, or stopped; 1 with --once: some quarantined; 2: wrong use; 3: the machine
    failed (without --once it waits and tries again by itself).
    """
    from contextlib import closing

    from core.cli.opening import open_installation
    from core.people import OwnAdminNeeded
    from core.watching import Watch, WatchedTwice

    if not folder.is_dir():
        wrong_use(f"There is no folder {folder}.")
    if done is not None and done.exists() and not done.is_dir():
        wrong_use(f"{done} is no folder.")

    def tell(item: ItemReport) -> None:
        _tell(item, json)

    with closing(open_installation()) as here:
        watching = Watch(here, folder, done=done, settle_seconds=settle, on_item=tell, on_trouble=_trouble)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watching.stop())
        try:
            with watching.alone():
                if not once:
                    log.print(
                        f"Watching {folder}. Ctrl-C stops it.", highlight=False, markup=False, soft_wrap=True
                    )
                    watching.forever()
                    return
                report = watching.once()
        except (OwnAdminNeeded, WatchedTwice) as error:
            more = " python -m core user add makes one." if isinstance(error, OwnAdminNeeded) else ""
            wrong_use(f"{error}{more}")
    counts = ", ".join(f"{n} {outcome}" for outcome, n in report.counts().items())
    waits = " Some files are still being written and wait for the next time." if watching.waits() else ""
    log.print(f"{counts}.{waits}", highlight=False)
    if report.cut_short is not None:
        machine_failed(report.cut_short)
    if report.count("quarantined"):
        raise typer.Exit(SOME_REFUSED)


def _trouble(sentence: str) -> None:
    log.print(sentence, highlight=False, markup=False, soft_wrap=True)


def _tell(item: ItemReport, json: bool) -> None:
    """Write what became of one file, at once."""
    if json:
        sys.stdout.write(json_.dumps({**asdict(item), "detail": item.text}) + "\n")
    else:
        results.print(line_of(item), markup=False, highlight=False)
    sys.stdout.flush()
