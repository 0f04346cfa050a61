"""Verbs of the command line: ``cohort`` (groups of women, for an analyst)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.opening import open_installation
from core.cli.terminal import log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.cohorts import Definition, Selection
    from core.installation import Installation

cohort = typer.Typer(help="Groups of women: reports, tables, files of scores.", no_args_is_help=True)

DefinitionFile = Annotated[
    Path,
    typer.Option("--definition", help="The definition as JSON, as the cohort page hands it out."),
]
Table = Annotated[
    str, typer.Option(help="A cohort that came as a table (cohort import) in place of the women stored here.")
]
Out = Annotated[Path, typer.Option(help="The folder to write; it must not be there yet.")]
Json = Annotated[bool, typer.Option("--json", help="Write the summary as JSON to stdout.")]


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.add_typer(cohort, name="cohort")


@cohort.command()
def report(
    definition: DefinitionFile,
    out: Out,
    date: Annotated[
        str | None, typer.Option(help="The day that it is of. Default: SOURCE_DATE_EPOCH, else today.")
    ] = None,
    table: Table = "",
    json: Json = False,
) -> None:
    """Write every figure of the cohort page with its numbers: report.html, tables/, definition.json, report.json.

    The same definition, data, release and day give the same bytes. Nothing is told of few women; and what the command
    line has reported before is remembered, so that no two reports differ by a few.

    Exit code 0: done, also where nothing may be told of these women, and the report says so; 2: the definition cannot
    be used, it differs by a few women from one reported before, or the folder cannot be written.
    """
    from core.cohorts.away.report import CannotReport, day_of, make_report

    asked = _definition(definition)
    here = open_installation()  # a database of an earlier release is migrated first
    try:
        if refused := _why_not(here, asked, table):
            wrong_use(refused)
    finally:
        here.close()
    try:
        made = make_report(asked, out, day_of(date), table)
    except CannotReport as error:
        wrong_use(str(error))
    if json:
        print_json(made.to_json())
        return
    results.print(f"{out}: {made.figures} figures.", highlight=False, markup=False, soft_wrap=True)
    if made.withheld:
        log.print(made.withheld, highlight=False, markup=False, soft_wrap=True)


@cohort.command("import")
def import_table(
    path: Annotated[Path, typer.Argument(help="exams.csv of the BCSC's teaching set.")],
    name: Annotated[str, typer.Option(help="What the cohort is called here.")] = "bcsc",
    json: Json = False,
) -> None:
    """Take a table of screens without images in as a cohort that the cohort page opens beside the women stored here.

    It has no dates: a woman's screens are ordered by her age, and those at the same age are left unlinked.

    Exit code 0: done; 2: the file is no such table, and nothing was kept.
    """
    import hashlib

    from core.cohorts.bcsc import TableRefused, read_exams
    from core.cohorts.stored import keep

    here = open_installation()
    try:
        taken = read_exams(path)
        kept = keep(here, None, name, taken, hashlib.sha256(path.read_bytes()).hexdigest())
    except TableRefused as error:
        wrong_use(str(error))
    finally:
        here.close()
    if json:
        print_json(
            {
                "name": kept.name,
                "women": kept.women,
                "screens": kept.screens,
                "unlinked": taken.unlinked,
                "women_with_ties": taken.women_with_ties,
                "sha256": kept.sha256,
                "notes": list(kept.notes),
            }
        )
        return
    results.print(
        f"{kept.name}: {kept.screens} screens of {kept.women} women.", highlight=False, markup=False
    )
    for note in kept.notes[1:]:
        log.print(note, highlight=False, markup=False, soft_wrap=True)


@cohort.command("list")
def list_tables(json: Json = False) -> None:
    """List the cohorts that came as tables."""
    from core.cohorts.stored import tables

    here = open_installation()
    try:
        found = tables(here)
    finally:
        here.close()
    if json:
        print_json([one.__dict__ for one in found])
        return
    for one in found:
        results.print(
            f"{one.name}  {one.screens} screens of {one.women} women", highlight=False, markup=False
        )
    if not found:
        log.print("None came as a table.", highlight=False)


@cohort.command()
def remove(name: Annotated[str, typer.Argument(help="The cohort's name.")]) -> None:
    """Take a cohort that came as a table away; the file that it was read from is not touched."""
    from core.cohorts import stored
    from core.cohorts.bcsc import TableRefused

    here = open_installation()
    try:
        stored.remove(here, None, name)
    except TableRefused as error:
        wrong_use(str(error))
    finally:
        here.close()
    results.print(f"{name} is taken away.", highlight=False, markup=False, soft_wrap=True)


@cohort.command()
def manifest(
    definition: DefinitionFile,
    out: Out,
    deidentified: Annotated[
        bool,
        typer.Option(
            "--deidentified", help="Pseudonyms, moved days, ages in place of birth dates, clean images."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write the images of a cohort's women with an exam manifest, as training and evaluation take them. Rows are single women.

    The audit trail keeps that they went out.

    Exit code 0: done; 1: some images could not be written, and are named; 2: the definition cannot be used, or the
    folder cannot be written.
    """
    from core.cli.terminal import SOME_REFUSED
    from core.cohorts.away.manifest import CannotWrite, write_manifest

    here = open_installation()
    try:
        chosen = _chosen(here, definition)
        made = write_manifest(here, chosen, out, deidentified=deidentified)
    except CannotWrite as error:
        wrong_use(str(error))
    finally:
        here.close()
    if json:
        print_json(made.to_json())
    else:
        results.print(
            f"{out}: {made.rows} images of {made.women} women.", highlight=False, markup=False, soft_wrap=True
        )
        for name, why in made.refused:
            log.print(f"refused  {name}: {why}", highlight=False, markup=False, soft_wrap=True)
    if made.refused:
        raise typer.Exit(SOME_REFUSED)


@cohort.command()
def scores(
    definition: DefinitionFile,
    out: Annotated[
        Path, typer.Option(help="The file to write (model_results.json); it must not be there yet.")
    ],
    json: Json = False,
) -> None:
    """Write a cohort's scores with their outcomes in the form of BCRBench's model_results.json. Rows are single exams.

    The audit trail keeps that they went out.

    Exit code 0: done; 2: the definition cannot be used, or the file cannot be written.
    """
    from core.cohorts.away.bcrbench import scores_of, write_scores

    if out.exists():
        wrong_use(f"{out} is there already. Choose another name.")
    here = open_installation()
    try:
        made = scores_of(_chosen(here, definition))
        if not made.exams:
            wrong_use("No exam of these women has a score that may be told, and a known outcome.")
        write_scores(here, made, out)
    except OSError as error:
        wrong_use(f"{out} cannot be written: {error.strerror or error}.")
    finally:
        here.close()
    if json:
        print_json({"path": str(out), **made.summary()})
        return
    results.print(
        f"{out}: {made.exams} exams, {made.events} with cancer.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    for line in made.left_out_said:
        log.print(line, highlight=False, markup=False, soft_wrap=True)


def _definition(path: Path) -> Definition:
    from core.cohorts import Definition, DefinitionRefused

    try:
        return Definition.from_json(path.read_bytes())
    except OSError as error:
        wrong_use(f"{path} cannot be read: {error.strerror or error}.")
    except DefinitionRefused as error:
        wrong_use(f"{path}: {error}")


def _why_not(here: Installation, definition: Definition, table: str) -> str:
    """Say why a cohort is not reported beside those that were; empty where it may be, and is remembered."""
    from core.cohorts import Asked, frame_of, select
    from core.cohorts.bcsc import TableRefused
    from core.cohorts.stored import frame_of_table

    try:
        selection = select(frame_of_table(here, table) if table else frame_of(here), definition)
    except TableRefused:
        return ""  # said by who makes the report
    return "" if selection.withheld else Asked(here.database, table).why_not(None, selection)


def _chosen(here: Installation, path: Path) -> Selection:
    from core.cohorts import frame_of, select

    return select(frame_of(here), _definition(path))
