"""Verbs of the command line: care."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
