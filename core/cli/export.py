"""Verbs of the command line: handing out what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.sealing import Encrypt, KeyFile, PassphraseFile, decrypt, key_to_seal_with
from core.cli.terminal import log, print_json, results, wrong_use


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command("export")(export_records)
    app.command()(decrypt)


def export_records(
    out: Annotated[
        Path,
        typer.Argument(
            help="A folder for CSV tables, or a file that ends in .json (.json.age, with --encrypt)."
        ),
    ],
    patient: Annotated[
        list[str] | None, typer.Option(help="MRN of a patient; repeat it for more. Default: all.")
    ] = None,
    names: Annotated[
        bool, typer.Option("--names/--without-names", help="Names and birth dates, or neither.")
    ] = True,
    deidentified: Annotated[
        bool,
        typer.Option(
            "--deidentified",
            help="Pseudonyms, moved days and new UIDs; years of birth; none of the words that people wrote.",
        ),
    ] = False,
    encrypt: Encrypt = False,
    key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    json: Annotated[bool, typer.Option("--json", help="Write the summary as JSON to stdout.")] = False,
) -> None:
    """Write patients, studies, images, scores, events, risk factors, measurements and alerts to files.

    A folder gets one CSV a table; a name that ends in .json gets one document with a record a patient. Simulated
    women are marked in every row. Nothing is overwritten, and the audit trail keeps that records went out. With --encrypt
    the place is one file, which `decrypt` opens: the document, or a tar archive of the tables.

    Exit code 0: done; 2: an MRN is unknown, or the place cannot be written.
    """
    from rich.progress import Progress

    from core.cli.opening import open_installation
    from core.records import export

    key = key_to_seal_with(encrypt, key_file, passphrase_file)
    here = open_installation()
    try:
        with Progress(console=log, transient=True, disable=not log.is_terminal) as progress:
            task = progress.add_task("Writing records", total=None)
            made = export.export(
                here,
                out,
                mrns=patient or [],
                kind="json" if out.name.lower().endswith((".json", ".json.age")) else "csv",
                names=names,
                deidentified=deidentified,
                key=key,
                on_woman=lambda done, total: progress.update(task, completed=done, total=total),
            )
    except export.ExportError as error:
        wrong_use(str(error))
    finally:
        here.close()
    if json:
        print_json(made.to_json())
        return
    counts = ", ".join(f"{count} {table.replace('_', ' ')}" for table, count in made.rows.items())
    results.print(f"{made.path}: {counts}.", highlight=False, markup=False, soft_wrap=True)
    log.print(f"{made.simulated} of {made.rows['patients']} patients are simulated.", highlight=False)
