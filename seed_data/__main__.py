"""``python -m seed_data``: simulated women for training, for tests and for the demo."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from core.cli.opening import open_installation
from core.cli.terminal import (
    DONE,
    SOME_REFUSED,
    Verbs,
    check_surroundings,
    failed,
    log,
    print_json,
    results,
    wrong_use,
)
from core.files import AS_ASKED, write_whole
from seed_data import adapters
from seed_data import demo as demo_cohort
from seed_data.checks import detector as detector_check
from seed_data.checks import mechanism_gains, published
from seed_data.checks import report as margins_report
from seed_data.checks import sensitivity as sensitivity_table
from seed_data.checks import vectors as perfect_vectors
from seed_data.counting import counted
from seed_data.on_films import films, lesions
from seed_data.simulating import Edition, simulate
from seed_data.women.life import CaseMix
from seed_data.women.mechanisms import EDITIONS
from seed_data.women.visibility import MEASURED, fitted

app = typer.Typer(
    name="python -m seed_data",
    cls=Verbs,
    help="Simulated women, none of them real; and public data sets turned into exam manifests (adapt).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.callback()(check_surroundings)
app.command()(films)
app.command()(lesions)
app.command()(simulate)


@app.command()
def demo(
    women: Annotated[int, typer.Option(min=1, max=200, help="Number of women.")] = 28,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The demo's today; default: today.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes that draw; 0: one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Load the simulated demo cohort into the configured database; what is there already stays as it is."""
    here = open_installation()
    try:
        with counted("Loading the demo cohort", women) as count:
            told = demo_cohort.load(
                here,
                women=women,
                until=until.date() if until else date.today(),
                jobs=jobs or os.cpu_count() or 1,
                on_woman=count,
            )
    finally:
        here.close()
    if as_json:
        print_json(asdict(told))
    else:
        results.print(
            f"Demo cohort: {told.women} simulated women, {told.studies} studies; "
            f"{told.women_new} women and {told.images_new} images were new.",
            highlight=False,
        )
    raise typer.Exit(SOME_REFUSED if told.refused else DONE)


DataSet = StrEnum("DataSet", {name.upper().replace("-", "_"): name for name in adapters.SETS})  # type: ignore[misc]


@app.command(
    help="Turn a public data set on your disk, as published, into an exam manifest. Images stay where they lie.\n\n"
    "Writes manifest.csv, adapt.json (what it holds, what its words mean) and left_out.csv (rows that cannot be "
    "used, and why).\n\nExit code 0: all used; 1: some rows left out; 2: the folder is not that data set.\n\n"
    + "\n\n".join(f"{one.name}: {one.title}. {one.layout}" for one in adapters.SETS.values())
)
def adapt(
    name: Annotated[DataSet, typer.Argument(help="Which data set it is.", metavar="NAME")],
    src: Annotated[Path, typer.Argument(help="The folder that holds it.")],
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for manifest.csv.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Turn a public data set into an exam manifest."""
    columns = TextColumn("{task.description}"), TextColumn("{task.completed} rows"), TimeElapsedColumn()
    try:
        with Progress(*columns, console=log, transient=True, disable=not log.is_terminal) as progress:
            task = progress.add_task(f"Reading {name.value}", total=None)
            told = adapters.adapt(
                name.value, src, out, on_row=lambda rows: progress.update(task, completed=rows)
            )
    except adapters.CannotAdapt as error:
        wrong_use(str(error))
    if as_json:
        print_json(told.to_json())
    else:
        for line in told.sentences():
            results.print(line, highlight=False, markup=False)
    raise typer.Exit(SOME_REFUSED if told.account.left_out else DONE)


@app.command()
def lives(
    out: Annotated[Path, typer.Option("--out", help="Truth table to write (CSV).")],
    women: Annotated[int, typer.Option(min=1, help="Number of lives.")] = 20000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same lives.")] = 9001,
    cancer_rate: Annotated[
        float, typer.Option(min=0.0, max=0.6, help="Expected share of women with a cancer in follow-up.")
    ] = 0.30,
    benign_per_woman: Annotated[float, typer.Option(min=0.0, help="Mean number of benign findings.")] = 0.9,
    growth_speed: Annotated[float, typer.Option(min=0.1, help="Divides the doubling times.")] = 1.0,
    detection_noise: Annotated[
        float, typer.Option(min=0.0, help="SD (logit) of how conspicuous cancers are.")
    ] = 0.7,
    mechanisms: Annotated[
        Edition,
        typer.Option(
            help="How cancer grows and announces itself: the edition that weights are proved on is 2025."
        ),
    ] = Edition.OF_2025,
    vectors: Annotated[
        Path | None,
        typer.Option(
            help="Also write what each study shows as vectors (CSV), for `core train sequence --embeddings`."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
) -> None:
    """Write the truth of simulated lives without pictures, for `core evaluate --oracle-data` to learn from."""
    for path in (out, vectors):
        if path is not None and path.exists():
            wrong_use(f"{path} is there already. Choose another file, or remove that one.")
    mix = CaseMix(
        cancer_rate,
        benign_per_woman,
        growth_speed=growth_speed,
        detection_noise=detection_noise,
    )
    with counted("Drawing lives", women) as count:
        sensitivity_table.write_lives(
            out, women=women, seed=seed, mix=mix, mechanisms=EDITIONS[mechanisms.value],
            jobs=jobs or os.cpu_count() or 1,
            on_women=count,
        )  # fmt: skip
    if vectors is not None:
        perfect_vectors.write_vectors(
            vectors, women=women, seed=seed, mix=mix, mechanisms=EDITIONS[mechanisms.value],
            jobs=jobs or os.cpu_count() or 1,
        )  # fmt: skip
    results.print(f"{women} simulated lives without pictures: {out}", highlight=False)


@app.command()
def sensitivity(
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Folder for sensitivity.json and sensitivity.csv.")
    ],
    women: Annotated[
        int, typer.Option(min=500, help="Lives each reader learns from; half as many try it.")
    ] = 12000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same lives.")] = 9101,
    evaluated: Annotated[
        list[Path] | None,
        typer.Option(
            "--evaluated", help="metrics.json of `core evaluate`: the model's gain on a set of that mix."
        ),
    ] = None,
    drawn: Annotated[
        list[Path] | None,
        typer.Option(help="Drawn sets to learn anew from which findings show; default: constants measured."),
    ] = None,
    of_mechanisms: Annotated[
        bool,
        typer.Option(
            "--mechanisms",
            help="With and without each mechanism, beside what is published, in place of case mixes.",
        ),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="With --mechanisms: only this line, such as 'edition 2026'. Give it again for more."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show how the gain of history moves with benign look-alikes, growth speed and detection noise; or mechanisms."""
    if of_mechanisms:
        if evaluated:
            wrong_use("--mechanisms and --evaluated cannot go together.")
        _by_mechanism(out, women, seed, only or [], drawn, jobs, as_json)
        return
    if only:
        wrong_use("--only goes with --mechanisms.")
    try:
        mixes = sum(len(values) for values in sensitivity_table.MOVED.values())
        with counted("Case mixes", mixes) as count:
            found = sensitivity_table.sensitivity(
                women, seed, model=fitted(drawn) if drawn else MEASURED, jobs=jobs or os.cpu_count() or 1,
                on_setting=count,
            )  # fmt: skip
        rows = sensitivity_table.with_evaluations(found, evaluated or [])
    except (ValueError, OSError) as error:
        failed(error)
    sensitivity_table.write_table(out, rows)
    if as_json:
        print_json(rows)
        return
    results.print(sensitivity_table.printed(rows))
    results.print(
        "What all visits add to the AUC of the last visit, for perfect readers of simulated women (95 %). "
        f"Written to {out}.",
        highlight=False,
    )


def _by_mechanism(
    out: Path, women: int, seed: int, only: list[str], drawn: list[Path] | None, jobs: int, as_json: bool
) -> None:
    known = mechanism_gains.SETTINGS
    unknown = [name for name in only if name not in known]
    if unknown:
        wrong_use(f"--mechanisms has no line {unknown[0]!r} for --only; there are: {'; '.join(known)}.")
    chosen = {name: known[name] for name in only or known}
    try:
        with counted("Mechanisms", len(chosen)) as count:
            found = mechanism_gains.mechanism_gains(
                women, seed, settings=chosen, model=fitted(drawn) if drawn else MEASURED, jobs=jobs or os.cpu_count() or 1,
                on_setting=count,
            )  # fmt: skip
    except (ValueError, OSError) as error:
        failed(error)
    rows = mechanism_gains.rows_of(found)
    mechanism_gains.write_table(out, rows)
    if as_json:
        print_json(rows)
        return
    results.print(mechanism_gains.printed(found))
    results.print(
        "What all studies add to the AUC of the last, for perfect readers of simulated women (95 %); nothing is fitted "
        f"to the published gain. Written to {out}.",
        highlight=False,
    )


@app.command()
def detector(
    seen: Annotated[
        Path,
        typer.Option("--seen", help="CSV of what the rule sees of each study; made where it is not there."),
    ],
    women: Annotated[int, typer.Option(min=40, help="Women to be imaged on each machine.")] = 120,
    times: Annotated[int, typer.Option(min=1, help="Years drawn for each pair of machines.")] = 20,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Measure how soon a change of detector is noticed on the Cohort page, and how often one is that was none."""
    if not seen.exists():
        with counted("Women imaged on each machine", women) as count:
            made = detector_check.signals(
                women,
                jobs=jobs or os.cpu_count() or 1,
                on_woman=count,
            )
        write_whole(seen, made.write_csv(), mode=AS_ASKED)
    try:
        found = detector_check.measure(detector_check.read(seen), times=times)
    except (ValueError, OSError) as error:
        failed(error)
    if as_json:
        print_json(found.to_json())
        return
    results.print(
        f"{found.changes} changes of detector among {found.women} women: half are noticed after {found.median:.0f} studies, 95 of "
        f"100 after {found.late:.0f}; the hardest is {found.hardest}, 95 of 100 after {found.worst_late:.0f}. Within "
        f"{detector_check.WITHIN} studies: {100 * found.within:.1f} of 100. Without a change: "
        f"{found.false_alarms_a_year:.2f} false alarms a year, over {found.quiet_years} years.",
        highlight=False,
    )


@app.command()
def report(
    women: Annotated[int, typer.Option(min=1000, help="Number of lives drawn at natural incidence.")] = 20000,
    bcsc: Annotated[
        Path | None, typer.Option(help="The BCSC exams.csv, for the joint table by age and BMI.")
    ] = None,
    longitudinal: Annotated[
        bool,
        typer.Option(
            "--longitudinal",
            help="Only the second table: published longitudinal facts, both editions side by side.",
        ),
    ] = False,
    mechanisms: Annotated[
        list[Edition] | None, typer.Option(help="Editions for the second table; default: both.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show simulated women beside what is published: margins, then facts of their course over the years.

    Images are drawn for texture, none is kept. The first table is of edition 2025; the second follows a quarter as many
    women of each edition. As JSON: the margins, or with --longitudinal the facts.
    """
    if bcsc is not None and not bcsc.is_file():
        wrong_use(f"There is no file {bcsc}.")
    found = [] if longitudinal else margins_report.margins(women, bcsc)
    if as_json and not longitudinal:
        print_json([{**asdict(margin), "met": margin.met} for margin in found])
        return
    if found:
        results.print(_margins(found))
    rows = []
    for edition in dict.fromkeys(mechanisms or Edition):
        log.print(f"Following women of edition {edition.value}")
        rows += published.beside_facts(
            max(women // 4, 1000), EDITIONS[edition.value], jobs=jobs or os.cpu_count() or 1
        )
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    results.print(published.printed(rows))
    results.print(
        "Simulated value (95 %, bootstrap over women) beside the published one and its range. *: a constant of that "
        "edition was taken from this fact. ≥: of a real reader, which a perfect one should reach. none: that edition has "
        "no such thing.",
        highlight=False,
    )


def _margins(found: list[margins_report.Margin]) -> Table:
    table = Table("topic", "what", "simulated", "target", "", "n", "source")
    for margin in found:
        verdict = {True: "met", False: "NOT MET", None: ""}[margin.met]
        target = "" if margin.target is None else f"{margin.target:.4g}"
        table.add_row(
            margin.topic, margin.what, f"{margin.simulated:.4g}", target, verdict, str(margin.n), margin.source
        )  # fmt: skip
    return table


if __name__ == "__main__":
    app()
