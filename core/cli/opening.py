"""Opening an installation from the command line."""

from core.cli.terminal import wrong_use
from core.installation import Installation
from core.settings import Settings


def open_installation(settings: Settings | None = None) -> Installation:
    """Open the installation that the settings name, the surroundings' if none are given; a database of an earlier release is migrated first.

    One that cannot be used ends the command with a sentence and exit code 2.
    """
    from db.database import DatabaseUnavailable
    from db.images import StoreUnavailable
    from db.migrate import NewerDatabase, upgrade

    try:
        here = Installation.open(settings)
        upgrade(here.database)
    except (NewerDatabase, DatabaseUnavailable, StoreUnavailable) as error:
        wrong_use(str(error))
    return here
