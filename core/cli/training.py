"""Verbs of the command line: training."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
