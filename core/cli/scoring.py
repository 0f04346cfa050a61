"""Verbs of the command line: scoring."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
