"""The verbs ``films`` and ``lesions``: women with dated visits on real films, and lesions put into films for practice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from core.cli.manifests import manifests_of
from core.cli.terminal import SOME_REFUSED, log, note, wrong_use
from core.sets import Manifest
from core.settings import Settings
from seed_data.counting import counted
from seed_data.simulating import check_no_set, tell_set
from seed_data.women import cohort, insertion, moving
from seed_data.women.backgrounds import Background, UnusableBackground
from seed_data.women.films import MECHANISMS, FilmWomen, film_women
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
    manifests, refused = manifests_of(data)
    women = _women_of(manifests, lives)
    started = time.monotonic()
    plan = SetPlan(
        len(women.backgrounds), seed, CaseMix(cancer_rate, treated_rate=0.0), spacing_mm=pixel_spacing_mm,
        on_real=women.backgrounds, mechanisms=MECHANISMS[edition], anew=True,
    )  # fmt: skip
    with counted("Lives on films", len(women.backgrounds)) as count:
        description = cohort.simulate(out, plan, jobs=jobs or None, on_woman=count)
    log.print(f"{description['images']} images in {time.monotonic() - started:.0f} s.")
    tell_set(description, out, as_json)
    if refused or women.left_out:
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
    sets: Annotated[int, typer.Option(min=1, max=20, help="How often each mammogram is used.")] = 2,
    moved: Annotated[
        bool,
        typer.Option(
            "--moved/--drawn",
            help="Put the boxed lesions of other women of these manifests in, in place of drawn ones.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    pixel_spacing_mm: Annotated[float, typer.Option(min=0.1, max=1.0, help="Nominal pixel spacing.")] = 0.25,
    as_json: Annotated[bool, typer.Option("--json", help="Print the description as JSON.")] = False,
) -> None:
    """Put lesions into real mammograms without a finding, for a detector to practise on (`core train image --practice`).

    The tissue is real, the lesions are drawn as those of simulated women or, with --moved, are real ones of other women. The
    column `background` of manifest.csv says whose picture it is, `lesion_of` whose lesion was moved: where either woman is
    measured on, such a picture does not teach.
    """
    check_no_set(out)
    manifests, refused = manifests_of(data)
    _check_names(manifests)
    women = _women_of(manifests, lives=1)
    made = insertion.InsertedSet(sets, seed, pixel_spacing_mm, moved)
    views: Views = partial(
        insertion.inserted_views, seed=seed, spacing_mm=pixel_spacing_mm, settings=Settings()
    )
    left_out: list[str] = []
    if moved:
        found, left_out = moving.movable_lesions(manifests, pixel_spacing_mm)
        for why in left_out:
            note(why)
        views = _moving(found, made)
    try:
        with counted("Women", len(women.backgrounds)) as count:
            description = insertion.write_set(out, women.backgrounds, views, made, on_woman=count)
    except UnusableBackground as error:
        wrong_use(str(error))
    tell_set(description, out, as_json)
    if refused or women.left_out or left_out:
        raise typer.Exit(SOME_REFUSED)


Views = Callable[[Background, int], Iterator[insertion.InsertedView]]


def _women_of(manifests: list[Manifest], lives: int) -> FilmWomen:
    """Return the women whose films can be used, each `lives` times, telling which films cannot; end if there are none."""
    try:
        women = film_women(manifests, lives)
    except ValueError as error:
        wrong_use(str(error))
    for why in women.left_out:
        note(why)
    if not women.backgrounds:
        wrong_use("None of the pictures can carry findings.")
    return women


def _check_names(manifests: list[Manifest]) -> None:
    """End with a message where two manifests have a woman of one name, whether her films or her lesions would be used."""
    names = Counter(name for manifest in manifests for name in {row.patient_id for row in manifest.rows})
    twice = next((name for name, times in names.items() if times > 1), None)
    if twice is not None:
        wrong_use(
            f"Two manifests have a woman called {twice}: which of them a picture shows, or whose lesion, could not be told. "
            "Give each woman a patient_id of her own."
        )


def _moving(found: list[moving.Movable], made: insertion.InsertedSet) -> Views:
    """Return what moves lesions into a woman's views; end with a message where all are of one woman."""
    if len({one.woman for one in found}) < 2:
        wrong_use(
            "Lesions are moved from one woman to others: the manifests draw boxes (roi_x0 to roi_y1) around benign or malignant "
            "ones of two women at least."
        )
    turns = [moving.Turns(found, (made.seed, number)) for number in range(made.sets)]

    def views(background: Background, number: int) -> Iterator[insertion.InsertedView]:
        return moving.moved_views(background, number, turns[number], made.seed, made.spacing_mm, Settings())

    return views
