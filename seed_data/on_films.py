"""The verbs ``films`` and ``lesions``: women with dated visits on real films, and lesions drawn into films for practice."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from core.cli.terminal import SOME_REFUSED, log, wrong_use
from seed_data.counting import counted
from seed_data.simulating import check_no_set, tell_set
from seed_data.women import cohort, insertion
from seed_data.women.backgrounds import UnusableBackground
from seed_data.women.films import MECHANISMS, film_women
from seed_data.women.life import CaseMix
from seed_data.women.plan import SetPlan

__all__ = ["films", "lesions"]


def films(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            help="Exam manifest of real mammograms; those without finding are used. Give it again for more.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    lives: Annotated[
        int, typer.Option(min=1, max=50, help="Lives that each real woman's pictures carry.")
    ] = 4,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    cancer_rate: Annotated[
        float,
        typer.Option(min=0.0, max=0.6, help="Expected share of lives with a cancer found in follow-up."),
    ] = 0.45,
    edition: Annotated[
        str, typer.Option("--mechanisms", help="2025 or 2026: how cancer grows, and what looks like it.")
    ] = "2026",
    pixel_spacing_mm: Annotated[float, typer.Option(min=0.1, max=1.0, help="Nominal pixel spacing.")] = 0.3,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the description as JSON.")] = False,
) -> None:
    """Turn real films into women with dated visits, each positioned, exposed and digitised anew; lesions grow in some.

    Lesions, dates and outcomes are simulated (`simulate`), the tissue is real. The column `background` of manifest.csv says
    whose picture it is: lives on one woman's pictures belong together, in one fold.
    """
    check_no_set(out)
    if edition not in MECHANISMS:
        wrong_use(f"--mechanisms is {edition!r}, not one of {', '.join(MECHANISMS)}.")
    try:
        women = film_women(data, lives)
    except (ValueError, OSError) as error:
        wrong_use(str(error))
    for why in women.left_out:
        log.print(why)
    started = time.monotonic()
    plan = SetPlan(
        len(women.backgrounds), seed, CaseMix(cancer_rate, treated_rate=0.0), spacing_mm=pixel_spacing_mm,
        on_real=women.backgrounds, mechanisms=MECHANISMS[edition], anew=True,
    )  # fmt: skip
    with counted("Lives on films", len(women.backgrounds)) as count:
        description = cohort.simulate(out, plan, jobs=jobs or None, on_woman=count)
    log.print(f"{description['images']} images in {time.monotonic() - started:.0f} s.")
    tell_set(description, out, as_json)
    if women.left_out:
        raise typer.Exit(SOME_REFUSED)


def lesions(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            help="Exam manifest of real mammograms; those without finding are used. Give it again for more.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    sets: Annotated[int, typer.Option(min=1, max=20, help="How often each mammogram is drawn into.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    pixel_spacing_mm: Annotated[float, typer.Option(min=0.1, max=1.0, help="Nominal pixel spacing.")] = 0.25,
    as_json: Annotated[bool, typer.Option("--json", help="Print the description as JSON.")] = False,
) -> None:
    """Draw lesions into real mammograms without a finding, for a detector to practise on (`core train image --practice`).

    The tissue is real, the lesions are drawn as those of simulated women. The column `background` of manifest.csv says whose
    picture it is: where she is measured on, what was drawn into her pictures does not teach.
    """
    check_no_set(out)
    try:
        women = film_women(data, lives=1)
    except (ValueError, OSError) as error:
        wrong_use(str(error))
    names = Counter(woman.patient_id for woman in women.backgrounds)
    twice = next((name for name, times in names.items() if times > 1), None)
    if twice is not None:
        wrong_use(
            f"Two manifests have a woman called {twice}: which of them a picture shows could not be told."
        )
    for why in women.left_out:
        log.print(why)
    try:
        with counted("Women", len(women.backgrounds)) as count:
            description = insertion.write_set(
                out, women.backgrounds, sets, seed, pixel_spacing_mm, on_woman=count
            )
    except UnusableBackground as error:
        wrong_use(str(error))
    tell_set(description, out, as_json)
    if women.left_out:
        raise typer.Exit(SOME_REFUSED)
