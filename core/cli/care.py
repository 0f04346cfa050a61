"""Verbs of the command line: looking after an installation."""

from typing import Annotated

import typer

from core.cli.terminal import log, print_json


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(migrate)


def migrate(json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False) -> None:
    """Bring the database to this release's tables; safe to repeat."""
    from core.installation import Installation
    from db.migrate import current, upgrade

    here = Installation.open()
    before = current(here.database)
    upgrade(here.database)
    after = current(here.database)
    here.close()
    if json:
        print_json({"before": before, "after": after})
    elif before == after:
        log.print(f"The database is at revision {after} already.")
    else:
        log.print(f"The database went from {before or 'empty'} to revision {after}.")
