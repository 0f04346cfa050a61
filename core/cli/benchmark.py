"""Verbs of the command line: benchmark."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
