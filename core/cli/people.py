"""Verbs of the command line: people."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
