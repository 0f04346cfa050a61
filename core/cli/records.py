"""Verbs of the command line: records from a table."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.terminal import SOME_REFUSED, log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.sheets import Imported, Mapping, Sheet


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command("import-records")(import_records)
    app.command("set-aside-records")(set_aside_records)


def import_records(
    file: Annotated[Path, typer.Argument(help="A CSV file.", metavar="FILE")],
    kind: Annotated[str, typer.Option(help="patients, risk-factors, events or readings.")],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="Which column says what; repeat it. Others are matched by name.",
            metavar="COLUMN=FIELD",
        ),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(help="What 03/04/2020 means: dmy or mdy. Needed only where the dates leave it open."),
    ] = None,
    only_good: Annotated[
        bool, typer.Option("--only-good", help="Keep the good lines of a table that has bad ones.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be kept; keep nothing.")] = False,
    errors: Annotated[Path | None, typer.Option(help="Write the bad lines to this CSV file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Take in patients, risk factors, events or readings from a CSV file, in one transaction.

    Columns are matched by their names, or as --map says; a field is one of those that --dry-run --json lists. A table with
    bad lines is kept only with --only-good. What is there already is not kept twice, and what is stored otherwise is never
    changed: such a line is bad. set-aside-records takes a whole table out again.

    Exit code 0: kept or there already; 1: some lines were bad; 2: wrong use.
    """
    from core import sheets
    from core.cli.opening import open_installation

    if not file.is_file():
        wrong_use(f"There is no file {file}.")
    if kind not in sheets.kinds():
        wrong_use(f"There is no kind {kind}. Kinds are {', '.join(sheets.kinds())}.")
    try:
        sheet = sheets.open_sheet(file)
        mapping = _mapping(sheet, kind, columns or [], dates)
        with closing(open_installation()) as here:
            if dry_run:
                done = sheets.Imported(None, sheets.check(here, None, sheet, mapping))
            else:
                done = sheets.import_records(here, None, sheet, mapping, only_good=only_good)
    except ValueError as error:
        wrong_use(f"{error}{' Add --dates dmy or --dates mdy.' if 'which comes first' in str(error) else ''}")
    if errors is not None:
        errors.write_bytes(sheets.errors_csv(done.checked))
    _tell(sheet, mapping, done, json=json, dry_run=dry_run)
    if done.checked.bad_lines:
        raise typer.Exit(SOME_REFUSED)


def _mapping(sheet: Sheet, kind: str, said: list[str], dates: str | None) -> Mapping:
    from core import sheets

    found = sheets.kinds()[kind]
    chosen = sheets.matched(sheet.columns, found)
    for text in said:
        column, separator, field = text.rpartition("=")
        if not separator or column not in sheet.columns or field not in found.fields:
            raise ValueError(
                f"--map {text!r} is not COLUMN=FIELD. Columns are {', '.join(sheet.columns)}; fields are "
                f"{', '.join(found.fields)}."
            )
        chosen = {key: one for key, one in chosen.items() if one != column} | {field: column}
    if dates is not None and dates not in set(sheets.DateOrder):
        raise ValueError("--dates is dmy or mdy.")
    mapping = sheets.Mapping(found, chosen, sheets.DateOrder(dates) if dates else None)
    if mapping.missing:
        raise ValueError(f"No column says: {', '.join(mapping.missing)}. Say it with --map COLUMN=FIELD.")
    return mapping


def _tell(sheet: Sheet, mapping: Mapping, done: Imported, *, json: bool, dry_run: bool) -> None:
    """Write what became of the table."""
    checked = done.checked
    fates = {fate.value: n for fate, n in (checked.fates if done.number is None else done.kept).items()}
    for notice in sheet.notices:
        log.print(notice, highlight=False, markup=False)
    if json:
        print_json(
            {
                "import": done.number,
                "kind": mapping.kind.key,
                "columns": mapping.columns,
                "fields": list(mapping.kind.fields),
                "order_asked": checked.order_asked,
                "lines": fates,
                "bad_lines": checked.bad_lines,
                "bad": [vars(one) for one in checked.bad],
                "in_part": done.in_part,
                "preview": checked.preview if dry_run else [],
            }
        )
        return
    for one in checked.bad:
        where = f" ({one.column})" if one.column else ""
        results.print(f"line {one.line}{where}: {one.reason}", markup=False, highlight=False)
    words = ", ".join(f"{n} {what}" for what, n in fates.items()) or "nothing"
    if dry_run:
        log.print(f"It would be: {words}, {checked.bad_lines} bad. Nothing is kept.", highlight=False)
    elif done.number is None and checked.bad_lines:
        log.print(
            f"Nothing is kept: {checked.bad_lines} lines are bad. Mend them, or add --only-good.",
            highlight=False,
        )
    elif done.number is None:
        log.print("All of it is there already.", highlight=False)
    else:
        log.print(f"Kept as table {done.number}: {words}, {checked.bad_lines} bad.", highlight=False)
        if done.note:
            log.print(done.note, highlight=False)


def set_aside_records(
    number: Annotated[int, typer.Argument(help="The number that import-records told.", metavar="NUMBER")],
) -> None:
    """Take out what a table of records made, as far as nothing else stands on it."""
    from core import sheets
    from core.cli.opening import open_installation

    with closing(open_installation()) as here:
        try:
            done = sheets.set_aside(here, None, number)
        except ValueError as error:
            wrong_use(str(error))
    removed = ", ".join(f"{n} {table}" for table, n in done.removed.items()) or "nothing"
    log.print(f"Taken out: {removed}. {done.kept} rows stay, as they are in use or gone.", highlight=False)
