"""Opening an installation from the command line."""

from typing import NoReturn

from core.cli.terminal import machine_failed, wrong_use
from core.installation import Installation
from core.settings import Settings


def open_installation(settings: Settings | None = None) -> Installation:
    """Open the installation that the settings name, the surroundings' if none are given; a database of an earlier release is migrated first.

    One that cannot be used as it is set ends the command with a sentence and exit code 2; one that the machine keeps
    from being used now (locked, out of reach, on a full disk), with exit code 3.
    """
    from db.database import DatabaseUnavailable
    from db.images import StoreUnavailable
    from db.migrate import NewerDatabase, upgrade

    try:
        here = Installation.open(settings)
        upgrade(here.database)
    except (NewerDatabase, DatabaseUnavailable, StoreUnavailable) as error:
        cannot_open(error)
    return here


def cannot_open(error: Exception) -> NoReturn:
    """Leave with a sentence: exit code 3 where what is behind the error will pass, 2 where the settings are wrong."""
    from core.outages import outage

    said = outage(error.__cause__) if error.__cause__ is not None else None
    if said is None:
        wrong_use(str(error))
    machine_failed(f"{str(error).rstrip('.')}. {said}")
