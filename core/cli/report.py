"""Verbs of the command line: a report of one woman's study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.terminal import log, print_json, results, wrong_use
from core.reports import Format


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command("report")(make_report)


def make_report(
    patient: Annotated[str, typer.Option(help="MRN of the patient.")],
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    format: Annotated[
        Format, typer.Option(help="pdf for people, html for a browser, fhir and sr for other systems.")
    ],
    study: Annotated[str | None, typer.Option(help="UID of one of her studies. Default: the last.")] = None,
    heat_map: Annotated[
        Path | None,
        typer.Option(
            help="With sr: a folder for the heat maps, as secondary capture; it must not be there yet."
        ),
    ] = None,
    deidentified: Annotated[
        bool,
        typer.Option(
            "--deidentified",
            help="A pseudonym, moved days, no name, and none of the words that people wrote.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write the summary as JSON to stdout.")] = False,
) -> None:
    """Write a report of one study, as of its day: a PDF in the order of BI-RADS, a web page, FHIR R4 or DICOM SR.

    What is withheld is a number in none of them. Nothing is overwritten, and the audit trail keeps that the report was
    made, with its sha256.

    Exit code 0: done; 2: there is no such patient or study, or the file cannot be written.
    """
    from core.cli.opening import open_installation
    from core.reports import ReportError, write

    if heat_map is not None and format is not Format.SR:
        wrong_use("--heat-map goes with --format sr.")
    here = open_installation()
    try:
        made = write(here, patient, study, format, out, heat_maps=heat_map, deidentified=deidentified)
    except ReportError as error:
        wrong_use(str(error))
    finally:
        here.close()
    if json:
        print_json({"path": str(out)} | made.to_json())
        return
    results.print(f"{out}: {made.format.words}, study of {made.report.on}.", highlight=False, markup=False)
    if made.report.simulated:
        log.print("The patient is simulated.", highlight=False)
