"""Verbs of the command line: benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.terminal import log, machine_failed, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.care.benchmark import Measured
    from core.settings import Settings


class What(StrEnum):
    """What is measured."""

    INTAKE = "intake"
    PAGES = "pages"
    SCALE = "scale"


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(benchmark)


def benchmark(
    what: Annotated[
        What,
        typer.Argument(
            help="intake: images taken in and scored, made up (about a minute). pages: the dashboard, on a copy of what "
            "is installed, or the demo cohort. scale: worklist and cohort of very many made-up women."
        ),
    ] = What.INTAKE,
    people: Annotated[int, typer.Option(min=1, max=1000, help="pages: how many people click at once.")] = 50,
    seconds: Annotated[
        float, typer.Option(min=5, help="pages: for how long they do; 3600 for an hour.")
    ] = 60,
    files: Annotated[
        int,
        typer.Option(
            min=40, max=20_000, help="intake: how many small files; 2000 to see that memory stays flat."
        ),
    ] = 200,
    women: Annotated[
        int, typer.Option(min=28, max=1_000_000, help="scale: how many women, of five scored visits each.")
    ] = 100_000,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Measure what people wait for on this machine, beside the installation, which is not touched."""
    from core.settings import Settings

    settings = Settings()
    if what is What.INTAKE:
        measured = _intake(settings, files)
    elif what is What.PAGES:
        measured = _pages(settings, people, seconds)
    else:
        measured = _scale(settings, women)
    if json:
        print_json({name: {"value": m.value, "unit": m.unit} for name, m in measured.items()})
    else:
        for name, m in measured.items():
            results.print(f"{name:<34} {m.value:>10g} {m.unit}", highlight=False)


def _intake(settings: Settings, files: int) -> Mapping[str, Measured]:
    from core.care import benchmark as measure
    from core.care import intake_speed

    try:
        return {
            **intake_speed.run(settings, _say, many=files),
            **measure.run(settings, on_step=_say),
        }
    except (LookupError, ValueError) as error:
        wrong_use(f"The model {settings.model!r} cannot be used: {error}")


def _pages(settings: Settings, people: int, seconds: float) -> Mapping[str, Measured]:
    from core.care import page_speed

    try:
        return page_speed.run(settings, page_speed.Load(people=people, seconds=seconds), _say)
    except page_speed.CannotMeasure as error:
        machine_failed(str(error))


def _scale(settings: Settings, women: int) -> Mapping[str, Measured]:
    from core.care import page_speed, scale

    try:
        return scale.run(settings, women, _say)
    except page_speed.CannotMeasure as error:
        machine_failed(str(error))


def _say(step: str) -> None:
    log.print(f"measuring {step} …", highlight=False)
