"""Verbs of the command line: taking files in."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.groups import in_groups
from core.cli.terminal import SOME_REFUSED, log, machine_failed, print_json, results, wrong_use
from core.outages import outage

if TYPE_CHECKING:
    from rich.progress import Progress

    from core.incoming import BatchReport, IncomingFile, ItemReport, Statement
    from core.incoming.files import Gathered
    from core.installation import Installation
    from core.people import Closed, NewAccount

_DAY = ["%Y-%m-%d", "%Y%m%d"]


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command("import")(import_files)


@dataclass(frozen=True)
class StatementAsked:
    """What a person says of the files: whose they are and of when, and what the files leave open."""

    patient: Annotated[str | None, typer.Option(help="MRN of the patient that all files belong to.")] = None
    study_date: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Day of the study that all files form.")
    ] = None
    views: Annotated[
        list[str] | None,
        typer.Option(
            help="Side and view of a file, as NAME=R-MLO; repeat it for each file.", metavar="NAME=SIDE-VIEW"
        ),
    ] = None
    modality: Annotated[
        str | None,
        typer.Option(
            help="US or MR: all files are such images of her breast, kept and shown beside her mammograms; "
            "say the side as NAME=L where the file does not.",
            metavar="US|MR",
        ),
    ] = None
    name: Annotated[str | None, typer.Option(help="The patient's name, if she is new here.")] = None
    birth_date: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Her birth date, if she is new here.")
    ] = None
    simulated: Annotated[bool, typer.Option(help="Mark the patient as simulated, if she is new.")] = False

    def __post_init__(self) -> None:
        from core.rules.vocabulary import OTHER_KIND_WORDS

        if (self.patient is None) != (self.study_date is None):
            raise ValueError("--patient and --study-date go together: say whose the files are and of when.")
        if self.patient is None and (
            self.views or self.name or self.birth_date or self.simulated or self.modality
        ):
            raise ValueError(
                "--views, --modality, --name, --birth-date and --simulated need --patient and --study-date."
            )
        if self.modality not in (None, "MG", *OTHER_KIND_WORDS):
            raise ValueError(
                f"--modality {self.modality} is not known. Say MG, {' or '.join(OTHER_KIND_WORDS)}."
            )

    def statement(self) -> Statement | None:
        """Return what is said, None where the files say it all; end with a message where it cannot be so."""
        from core.incoming import Statement, check_statement
        from core.rules.vocabulary import OTHER_KIND_WORDS

        if self.patient is None or self.study_date is None:
            return None
        kind = self.modality if self.modality in OTHER_KIND_WORDS else None
        said = Statement(
            mrn=self.patient.strip(),
            study_date=self.study_date.date(),
            name=self.name,
            birth_date=self.birth_date.date() if self.birth_date else None,
            views=dict(_view_said(text, kind) for text in self.views or []),
            simulated=self.simulated,
            modality=kind,
        )
        try:
            check_statement(said)
        except ValueError as error:
            wrong_use(str(error))
        return said


@in_groups
def import_files(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders and ZIP archives.", metavar="PATH...")],
    *,
    asked: StatementAsked,
    admin: Annotated[
        str | None,
        typer.Option(
            help="User name of your first admin, who comes in with the first real patient where there are demo accounts; "
            "her first password is printed once.",
            metavar="NAME",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Take mammograms in: DICOM, PNG and JPEG, from files, folders and ZIP archives.

    Whose they are and of when comes from the files (DICOM), from a manifest.csv beside them, or from --patient and
    --study-date together: then the files form one study of that patient, and what they say otherwise is kept.
    Side and view come from the DICOM or from --views. With --patient, a name that is only side and view, such as
    L-CC.png or r_mlo.dcm, counts as said by you. Breast ultrasound and MR are kept and shown, and read by no model: where a
    DICOM file says that it is one, or you do with --modality US or a view such as L-US. Each file ends accepted, duplicate or quarantined with a reason;
    repeating an import does no harm.

    Where there are demo accounts, the first patient who is not simulated closes them for good and needs an admin of your
    own: you are asked for one, or say --admin. Without demo accounts, or with an admin of your own, nothing is asked.

    Exit code 0: all accepted or there already; 1: some quarantined; 2: wrong use; 3: the machine failed (the files
    that were finished by then are answered and stay; repeat the import for the others).
    """
    from core.incoming import gather, printable_name
    from core.settings import Settings

    try:
        found = gather(paths, max_file_mb=Settings().max_file_mb, use_manifests=asked.patient is None)
    except FileNotFoundError as error:
        wrong_use(printable_name(str(error)))
    statement = asked.statement()
    for notice in found.notices:
        log.print(printable_name(notice), highlight=False, markup=False)
    report, made = _take_in(found, statement, admin)
    if statement is None and report.count("accepted") + report.count("duplicate"):
        _keep_truth(paths)
    _tell(report, len(found), made, json)
    if report.cut_short is not None:
        machine_failed(report.cut_short)
    if report.count("quarantined"):
        raise typer.Exit(SOME_REFUSED)


def _keep_truth(paths: list[Path]) -> None:
    """Keep what lies beside simulated sets and only a simulator knows: the cohort's What if asks it."""
    from core.cli.opening import open_installation
    from core.cohorts import keep_truth_beside
    from core.incoming import printable_name
    from core.sets import truth_beside

    sets = [path for path in paths if truth_beside(path / "manifest.csv")]
    if not sets:
        return
    here = open_installation()
    try:
        for said in keep_truth_beside(here, sets):
            log.print(printable_name(said), highlight=False, markup=False, soft_wrap=True)
    finally:
        here.close()


def _take_in(
    found: Gathered, statement: Statement | None, admin: str | None
) -> tuple[BatchReport, str | None]:
    """Take the files in; where the machine fails, even before the first one, the report says so.

    Returns also the user name of an admin who was made.
    """
    from rich.progress import Progress

    from core.cli.opening import open_installation
    from core.incoming import AT_ONCE, BatchReport, named_view, take_in
    from core.people import OwnAdminNeeded

    files: Iterator[IncomingFile] = (
        replace(file, said=_with_named_view(statement, file.name, named_view(file.name)))
        if statement
        else file
        for file in found
    )
    try:
        here = open_installation()
    except Exception as error:
        said = outage(error)
        if said is None:
            raise
        return BatchReport(cut_short=said), None
    try:
        with Progress(console=log, transient=True, disable=not log.is_terminal) as progress:
            task = progress.add_task("Taking files in", total=len(found))
            asking = FirstAdmin(here, admin, progress)

            def on_item(_item: ItemReport) -> None:
                asking.finished += 1
                progress.advance(task)

            report = take_in(
                here,
                files,
                statement=statement,
                source="cli",
                at_once=AT_ONCE,
                on_item=on_item,
                own_admin=asking.ask,
                on_closed=asking.tell,
            )
    except OwnAdminNeeded as error:
        taken = asking.finished
        how = "" if admin else "Add --admin NAME, or repeat this in a terminal. "
        wrong_use(
            f"{error} {how}"
            + (f"The {taken} files before this one are taken in." if taken else "Nothing is taken in.")
        )
    finally:
        here.close()
    if admin and not asking.made:
        log.print(
            f"--admin {admin} made no account: it does so only with the first real patient, where there are demo accounts "
            "and no admin of your own.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    return report, asking.made


def _tell(report: BatchReport, files: int, admin: str | None, json: bool) -> None:
    """Write what became of each file: to stdout, and the sums to stderr."""
    from core.rules import MEASURED_FLAGS
    from core.rules.vocabulary import flag_words

    if json:
        print_json(report.to_json() | ({"admin": admin} if admin else {}))
    else:
        for item in report.items:
            results.print(line_of(item), markup=False, highlight=False)
            if remarked := MEASURED_FLAGS.intersection(item.flags):
                words = ", ".join(flag_words(flag) for flag in item.flags if flag in remarked)
                results.print(f"            look at it again: {words}", markup=False, highlight=False)
        log.print(
            ", ".join(f"{n} {outcome}" for outcome, n in report.counts().items()) + ".", highlight=False
        )
    if report.cut_short is not None:
        log.print(
            f"{len(report.items)} of {files} files were finished and stay. Repeat the same import for the others.",
            highlight=False,
        )


def line_of(item: ItemReport) -> str:
    """Say in a line what became of a file."""
    what = "-".join(part for part in (item.laterality, item.view) if part)
    whose = " ".join(part for part in (item.patient, item.study_date, what) if part)
    why = f" {item.reason}: {item.text}" if item.reason else f" {item.text or ''}"
    return f"{item.outcome:<11} {item.path}  {whose}{why}"


class FirstAdmin:
    """The admin of one's own who comes with the first real patient: by the name that was given, or as a person says.

    `made` is her user name once she is stored, `finished` how many files are in.
    """

    def __init__(self, here: Installation, name: str | None, progress: Progress) -> None:
        self.here, self.name, self.progress = here, name, progress
        self.password: str | None = None
        self.made: str | None = None
        self.finished = 0

    def ask(self) -> NewAccount | None:
        """Return the account to make; None where no name was given and nobody can be asked."""
        from core.people import ASKED_OF_A_PASSWORD, OwnAdminNeeded, prepare_account

        if self.name is not None:
            self.password = secrets.token_urlsafe(12)
            try:
                return prepare_account(self.here, self.name, self.password, first_password=True)
            except ValueError as error:
                raise OwnAdminNeeded(f"--admin {self.name}: {error}") from error
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        self.progress.stop()  # it draws over the line that is typed into
        log.print(f"{OwnAdminNeeded()} (Ctrl-C: nothing is taken in.)", highlight=False)
        while True:
            name = str(typer.prompt("User name of your admin", err=True))
            log.print(f"Her password: {ASKED_OF_A_PASSWORD}", highlight=False)
            password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
            try:
                account = prepare_account(self.here, name, password)
            except ValueError as error:
                log.print(str(error), highlight=False, markup=False)
                continue
            self.progress.start()
            return account

    def tell(self, closed: Closed) -> None:
        """Say what the first real patient closed and who is admin now: a first password is shown this once."""
        log.print(
            f"The first real patient is in: the demo accounts ({', '.join(closed.accounts)}) are closed for good.",
            highlight=False,
        )
        if closed.admin is None:
            return
        self.made = closed.admin.username
        if self.password is None:
            log.print(f"Admin: {closed.admin.username}", highlight=False, markup=False)
            return
        log.print(
            f"Admin: {closed.admin.username}, first password: {self.password}\n"
            f"It is shown this once. Set your own: python -m core user password {closed.admin.username}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _view_said(text: str, kind: str | None) -> tuple[str, tuple[str, str]]:
    file, separator, said = text.rpartition("=")
    side, dash, view = said.upper().partition("-")
    if kind is not None and not dash:
        dash, view = "-", kind
    if not separator or not dash or not file:
        wrong_use(f"--views {text!r} is not NAME=SIDE-VIEW, for example scan1.png=R-MLO.")
    return file, (side, view)


def _with_named_view(statement: Statement, name: str, named: tuple[str, str] | None) -> Statement:
    """Return the statement with the view that a file's name says, unless --views says one."""
    if named is None or name in statement.views or Path(name).name in statement.views:
        return statement
    return replace(statement, views={**statement.views, name: named})
