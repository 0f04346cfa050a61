"""``python -m core``: the verbs of Longview's command line."""

import importlib

import typer

from core.cli.terminal import Verbs, check_surroundings
from core.files import keep_private

app = typer.Typer(
    name="python -m core",
    cls=Verbs,
    help="Longview: follow women's mammograms over the years. Research software, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

app.callback()(check_surroundings)

GROUPS = (
    "launch",
    "intake",
    "quarantine",
    "network",
    "watch",
    "records",
    "scoring",
    "training",
    "evaluating",
    "films",
    "images",
    "quality",
    "registration",
    "people",
    "audit",
    "correct",
    "care",
    "export",
    "report",
    "deidentify",
    "response",
    "cohort",
    "benchmark",
)

for group in GROUPS:
    importlib.import_module(f"core.cli.{group}").register(app)

if __name__ == "__main__":
    keep_private()
    app()
