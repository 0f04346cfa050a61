"""Verbs of the command line: intake."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
