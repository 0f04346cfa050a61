"""Opening an installation from the command line."""

from core.installation import Installation


def open_installation() -> Installation:
    """Open the installation that the settings name; a database of an earlier release is migrated first."""
    from db.migrate import upgrade

    here = Installation.open()
    upgrade(here.database)
    return here
