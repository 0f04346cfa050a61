"""Verbs of the command line: looking after an installation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.sealing import (
    Encrypt,
    KeyFile,
    PassphraseFile,
    key_to_open,
    key_to_seal_with,
)
from core.cli.terminal import SOME_REFUSED, log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.care import BackupManifest
    from core.installation import Installation

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(migrate)
    app.command()(doctor)
    app.command()(verify)
    app.command()(rebuild)
    app.command()(backup)
    app.command()(restore)


def migrate(json: Json = False) -> None:
    """Bring the database to this release's tables; safe to repeat."""
    from core.cli.opening import cannot_open
    from core.installation import Installation
    from db.database import DatabaseUnavailable
    from db.images import StoreUnavailable
    from db.migrate import NewerDatabase, current, upgrade

    try:
        here = Installation.open()
        before = current(here.database)
        upgrade(here.database)
    except (NewerDatabase, DatabaseUnavailable, StoreUnavailable) as error:
        cannot_open(error)
    after = current(here.database)
    here.close()
    if json:
        print_json({"before": before, "after": after})
    elif before == after:
        log.print(f"The database is at revision {after} already.")
    else:
        log.print(f"The database went from {before or 'empty'} to revision {after}.")


def doctor(
    sweep: Annotated[
        bool,
        typer.Option(
            help="First take away what work that was cut off left half-written (never anything younger than an hour or in "
            "use), and close what other accounts could open."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Look whether all is well: database, migrations, weights, folders, privacy, disk, left-overs, worker, queue.

    Exit code 0: all well, or warnings only; 1: something is wrong.
    """
    from core.care import examine
    from core.cli.opening import cannot_open
    from core.installation import Installation
    from db.database import DatabaseUnavailable
    from db.images import StoreUnavailable

    try:
        here = Installation.open(close_doors=False)
    except (DatabaseUnavailable, StoreUnavailable) as error:
        cannot_open(error)
    if sweep:
        _sweep(here)
    findings = examine(here)
    here.close()
    if json:
        print_json(
            {
                f.name: {"state": f.state, "said": f.said, **({"items": f.items} if f.items else {})}
                for f in findings
            }
        )
    else:
        colours = {"ok": "green", "warning": "yellow", "error": "bold red"}
        for finding in findings:
            results.print(f"[{colours[finding.state]}]{finding.state:<8}[/] {finding.name:<11}", end=" ")
            results.print(finding.said, markup=False, highlight=False)
            for item in finding.items:
                results.print(f"{'':<21}{item}", markup=False, highlight=False)
    if any(finding.state == "error" for finding in findings):
        raise typer.Exit(SOME_REFUSED)


def _sweep(here: Installation) -> None:
    from core.care import sweep

    closed = here.close_doors(everywhere=True)
    if closed:
        log.print(f"Closed to other accounts: {closed} files and folders.", highlight=False)
    for one in sweep(here):
        log.print(f"Taken away: {one.sentence}", markup=False, highlight=False, soft_wrap=True)


def rebuild(json: Json = False) -> None:
    """Compute anew what is kept ready for speed: where each woman stands in the worklist, and her rows for cohorts.

    Nothing else is touched; `verify` says whether it is needed.
    """
    from core.cli.opening import open_installation
    from core.cohorts import kept
    from core.records import ready

    here = open_installation()
    number = ready.rebuild(here)
    kept.rebuild(here)
    here.close()
    if json:
        print_json({"patients": number})
    else:
        results.print(f"{number} patients computed anew.")


def verify(
    head: Annotated[
        str | None,
        typer.Option(
            help="What `audit head` printed earlier: says whether the trail up to there was written anew."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Read every stored image and compare it with what was received; look whether the records and the audit trail agree.

    Exit code 0: all there and unchanged; 1: something is missing or damaged, or does not agree.
    """
    from rich.progress import Progress

    from core.care import verify_objects
    from core.cli.opening import open_installation
    from db.chain import Head

    try:
        kept = Head.read(head) if head else None
    except ValueError as error:
        wrong_use(str(error))
    here = open_installation()
    with Progress(console=log, transient=True, disable=not log.is_terminal) as progress:
        task = progress.add_task("Reading what is stored", total=None)
        found = verify_objects(here, on_object=lambda: progress.advance(task), head=kept)
    here.close()
    if json:
        print_json(found.to_json())
    else:
        for kind in ("missing", "damaged", "older", "orphans"):
            for key in getattr(found, kind):
                results.print(f"{kind:<9} {key}", highlight=False)
        for sentence in found.trail:
            results.print(f"{'trail':<9} {sentence}", markup=False, highlight=False, soft_wrap=True)
        for sentence in found.records:
            results.print(f"{'records':<9} {sentence}", markup=False, highlight=False, soft_wrap=True)
        log.print(
            f"{found.images} images, {found.quarantined} files in quarantine, {found.objects} objects read: "
            f"{len(found.missing)} missing, {len(found.damaged)} damaged, {len(found.older)} renditions of an older release "
            f"(made anew when looked at), {len(found.orphans)} that nothing names; "
            f"{len(found.records)} records that do not agree; the audit trail is "
            f"{'as it was written' if not found.trail else f'not as it was written in {len(found.trail)} places'}.",
            highlight=False,
        )
    if not found.well:
        raise typer.Exit(SOME_REFUSED)


def backup(
    file: Annotated[Path, typer.Argument(help="The tar file to write.")],
    encrypt: Encrypt = False,
    key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Copy database, images and quarantine into one tar file; safe while the dashboard runs.

    Settings (LONGVIEW_… and .env), the key of second factors and the weights are not in it. Only you can read the file;
    with --encrypt nobody can without the passphrase, or the key of --key-file (age).

    Exit code 0: done; 1: written, but some images are gone or damaged, and the copy lacks them; 2: it cannot be written.
    """
    from core.care import BackupError, write_backup
    from core.cli.opening import open_installation

    key = key_to_seal_with(encrypt, key_file, passphrase_file)
    here = open_installation()
    try:
        manifest = write_backup(here, file, key=key)
    except BackupError as error:
        wrong_use(str(error))
    finally:
        here.close()
    _tell_backup(json, file, manifest, "written")
    if manifest.missing:
        log.print(
            f"{len(manifest.missing)} objects that rows name are gone or damaged, so the copy lacks them too. "
            "Which they are says: python -m core verify",
            highlight=False,
        )
        raise typer.Exit(SOME_REFUSED)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that backup wrote.")],
    key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Fill an empty home (LONGVIEW_HOME) from a backup; nothing is ever overwritten.

    All of the file is checked before anything appears in the home. Everybody has to sign in anew. For one that is sealed the
    passphrase is asked for, or --key-file opens it.
    """
    from core.care import BackupError, restore_backup
    from core.settings import Settings

    settings = Settings()
    try:
        manifest = restore_backup(settings, file, key=key_to_open(file, key_file, passphrase_file))
    except BackupError as error:
        wrong_use(str(error))
    _tell_backup(json, settings.root, manifest, "restored")


def _tell_backup(json: bool, where: Path, manifest: BackupManifest, what: str) -> None:
    facts = {
        "path": str(where),
        "made_at": manifest.made_at.isoformat(),
        "revision": manifest.revision,
        "objects": len(manifest.images),
        "quarantined": len(manifest.quarantine),
        "missing": manifest.missing,
    }
    if json:
        print_json(facts)
    else:
        log.print(
            f"{where} {what}: {len(manifest.images)} objects, copy of {manifest.made_at:%Y-%m-%d %H:%M} UTC.",
            highlight=False,
        )
