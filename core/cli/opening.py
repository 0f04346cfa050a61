"""Opening an installation from the command line."""

from core.cli.terminal import wrong_use
from core.installation import Installation


def open_installation() -> Installation:
    """Open the installation that the settings name; a database of an earlier release is migrated first.

    One that cannot be used ends the command with a sentence and exit code 2.
    """
    from db.database import DatabaseUnavailable
    from db.images import StoreUnavailable
    from db.migrate import NewerDatabase, upgrade

    try:
        here = Installation.open()
        upgrade(here.database)
    except (NewerDatabase, DatabaseUnavailable, StoreUnavailable) as error:
        wrong_use(str(error))
    return here
