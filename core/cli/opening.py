"""Opening an installation from the command line."""

from core.cli.terminal import wrong_use
from core.installation import Installation


def open_installation() -> Installation:
    """Open the installation that the settings name; a database of an earlier release is migrated first."""
    from db.migrate import NewerDatabase, upgrade

    here = Installation.open()
    try:
        upgrade(here.database)
    except NewerDatabase as error:
        wrong_use(str(error))
    return here
