"""Verbs of the command line: files without the women they are of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.terminal import SOME_REFUSED, failed, log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.deidentification import Given, HandedOn, Options
    from core.incoming.files import Gathered
    from core.installation import Installation


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command("deidentify")(deidentify)


def deidentify(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders and ZIP archives.", metavar="PATH...")],
    out: Annotated[Path, typer.Option(help="The folder for the new files.")],
    patient: Annotated[
        str | None, typer.Option(help="MRN of the woman that all files are of, whatever they say.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="What else may stay: device, institution, uids, descriptions; repeat it for more.",
            metavar="OPTION",
        ),
    ] = None,
    only_profile: Annotated[
        bool,
        typer.Option(
            "--only-profile", help="Keep neither moved dates nor age and sex, only what --keep says."
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="A file for what was removed from each file (JSON, no values).")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="A file for who is who (JSON). It leads back to every woman: never hand it on."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Write copies of images that do not tell whose they are: DICOM by the Basic Profile of PS3.15, PNG and JPEG as PNG.

    A woman gets a pseudonym, and all her dates move by the same days, at most a year: the same in every run of this
    installation, so intervals and her course stay. UIDs are replaced alike everywhere. All beyond the breast is
    blacked out; where letters stand on what has to stay, the file is refused. Age (from 90 on as one) and sex stay.

    Exit code 0: all done; 1: some refused; 2: wrong use; 3: the machine failed (what was done by then stays; repeat it).
    """
    from core.deidentification import Options, write_mapping, write_report
    from core.incoming import gather, printable_name
    from core.settings import Settings

    for place in filter(None, (report, mapping)):
        if place.exists():
            wrong_use(f"{place} is there already. Choose another name.")
    try:
        options = Options.of(keep or [], defaults=not only_profile)
        found = gather(paths, max_file_mb=Settings().max_file_mb, use_manifests=patient is None)
    except ValueError as error:
        wrong_use(str(error))
    except FileNotFoundError as error:
        wrong_use(printable_name(str(error)))
    if patient is not None and not patient.strip():
        wrong_use("--patient is empty.")
    for notice in found.notices:
        log.print(printable_name(notice), highlight=False, markup=False)
    ended = _hand_on(found, out, options, patient)
    try:
        if report is not None:
            write_report(report, ended, options)
        if mapping is not None:
            write_mapping(mapping, ended)
            log.print(f"{mapping} leads back to every woman: keep it apart from {out}.", highlight=False)
    except OSError as error:
        failed(error)
    _tell(ended, options, json)
    if any(one.refusal for one in ended):
        raise typer.Exit(SOME_REFUSED)


def _hand_on(found: Gathered, out: Path, options: Options, patient: str | None) -> list[HandedOn]:
    from rich.progress import Progress

    from core.cli.opening import open_installation
    from core.deidentification import hand_on

    here: Installation = open_installation()
    ended: list[HandedOn] = []
    try:
        with Progress(console=log, transient=True, disable=not log.is_terminal) as progress:
            task = progress.add_task("De-identifying", total=len(found))
            for one in hand_on(here, _given(found, patient), out, options):
                ended.append(one)
                progress.advance(task)
    except OSError as error:
        log.print(f"{len(ended)} of {len(found)} files were finished and stay.", highlight=False)
        failed(error)
    finally:
        here.close()
    return ended


def _given(found: Gathered, patient: str | None) -> Iterator[Given]:
    from core.deidentification import Given
    from core.incoming import named_view

    for file in found:
        said = file.said.mrn if file.said else None
        view = named_view(Path(file.name).name)
        yield Given(file.name, file.data, file.refusal, patient.strip() if patient else said, view)


def _tell(ended: list[HandedOn], options: Options, json: bool) -> None:
    from core.incoming import printable_name

    done = sum(one.refusal is None for one in ended)
    if json:
        items: list[dict[str, Any]] = [
            {
                "path": printable_name(one.name),
                **one.to_json(),
                "detail": one.refusal.detail if one.refusal else None,
            }
            for one in ended
        ]
        options_kept = options.to_json()
        print_json({"items": items, "done": done, "refused": len(ended) - done, "kept": options_kept})
        return
    for one in ended:
        name = printable_name(one.name)
        if one.refusal is None:
            results.print(
                f"done     {name}  {one.file}: {len(one.removed)} attributes", markup=False, highlight=False
            )
        else:
            results.print(
                f"refused  {name}  {one.refusal.reason}: {one.refusal.text}", markup=False, highlight=False
            )
    log.print(f"{done} done, {len(ended) - done} refused.", highlight=False)
