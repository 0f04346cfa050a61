"""Verbs of the command line: benchmark."""

from typing import Annotated

import typer

from core.cli.terminal import log, print_json, results, wrong_use


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(benchmark)


def benchmark(json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False) -> None:
    """Measure what people wait for on this machine, on made-up pictures, beside the installation (about a minute)."""
    from core.care import benchmark as measure
    from core.settings import Settings

    settings = Settings()
    try:
        measured = measure.run(
            settings, on_step=lambda step: log.print(f"measuring {step} …", highlight=False)
        )
    except (LookupError, ValueError) as error:
        wrong_use(f"The model {settings.model!r} cannot be used: {error}")
    if json:
        print_json({name: {"value": m.value, "unit": m.unit} for name, m in measured.items()})
    else:
        for name, m in measured.items():
            results.print(f"{name:<34} {m.value:>10g} {m.unit}", highlight=False)
