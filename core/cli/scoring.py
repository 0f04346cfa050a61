"""Verbs of the command line: scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.terminal import SOME_REFUSED, log, machine_failed, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.worker import ScoreItem


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(score)
    app.command()(worker)
    app.command()(retry)


def score(
    everything: Annotated[
        bool, typer.Option("--all", help="Score all studies anew, not only what waits.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Score the studies that wait, and stop. Scores are added to earlier ones, never put in their place.

    The answer is for machines: it holds the scores of unread studies too, which the pages cover (LONGVIEW_READ_FIRST).

    Exit code 0: all scored; 1: some studies were refused; 2: the model cannot be loaded; 3: the image store, the
    database or memory stayed away, and what was scored by then is answered: repeat it then.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from core.cli.opening import open_installation
    from core.outages import outage
    from core.worker import ScoringReport, count_pending, score_pending

    here = open_installation()
    done: list[ScoreItem] = []
    failed: str | None = None

    def on_item(item: ScoreItem) -> None:
        done.append(item)
        progress.advance(task)

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=log, transient=True, disable=not log.is_terminal) as progress:
        task = progress.add_task("Scoring studies", total=count_pending(here, everything=everything))
        try:
            report = score_pending(here, everything=everything, on_item=on_item)
        except (LookupError, ValueError) as error:
            wrong_use(f"The model {here.settings.model!r} cannot be used: {error}")
        except Exception as error:
            failed = outage(error)
            if failed is None:
                raise
            report = ScoringReport(done)  # what was finished is stored, and answered for
    here.close()
    if json:
        print_json(report.to_json())
    else:
        for item in report.items:
            said = _said(item)
            results.print(f"{item.patient}  {item.study_date}  {said}", markup=False, highlight=False)
        refused = sum(item.refusal is not None for item in report.items)
        log.print(f"{len(report.items) - refused} scored, {refused} refused.", highlight=False)
    if failed is not None:
        machine_failed(failed)
    if report.stopped is not None:
        machine_failed(f"{report.stopped} What is not scored yet stays in the queue.")
    if any(item.refusal for item in report.items):
        raise typer.Exit(SOME_REFUSED)


def worker() -> None:
    """Keep scoring what waits, until stopped (Ctrl-C or SIGTERM ends it after the study in work)."""
    import threading

    from core.care import stop_on_signals
    from core.cli.opening import open_installation
    from core.worker import run_worker

    stopping = threading.Event()
    stop_on_signals(stopping)
    here = open_installation()
    try:
        run_worker(here, stopping)
    except (LookupError, ValueError) as error:
        wrong_use(f"The model {here.settings.model!r} cannot be used: {error}")
    finally:
        here.close()


def retry(
    study: Annotated[str | None, typer.Option(help="UID of the one study to try again.")] = None,
    patient: Annotated[
        str | None, typer.Option(help="MRN of the patient whose studies to try again.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Try all refused studies again.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Put refused studies back in the queue: once what they were refused for is mended. Scores them: core score.

    Exit code 0: done, whether or not there were any; 2: there is no such study or patient.
    """
    from core.cli.opening import open_installation
    from core.worker import retry_refused

    if (study is not None) + (patient is not None) + everything != 1:
        wrong_use("Say which studies: one of --study UID, --patient MRN and --all.")
    here = open_installation()
    try:
        number = retry_refused(here, study=study, patient=patient)
    except LookupError as error:
        wrong_use(str(error.args[0]))
    finally:
        here.close()
    if json:
        print_json({"retried": number})
    else:
        log.print(
            f"{number} refused {'study waits' if number == 1 else 'studies wait'} to be scored again.",
            highlight=False,
        )


def _said(item: ScoreItem) -> str:
    """Say in a line how a study ended; a score that may not be shown is no number here either."""
    if item.refusal is not None:
        return f"refused  {item.refusal.reason}: {item.refusal.text}"
    if item.rank is not None:
        return f"ranked   5-year risk {item.rank.words} ({item.rank.women}); it was never calibrated on such women"
    if item.trust is None or not item.trust.is_trusted:
        return f"withheld {item.trust.sentence if item.trust else ''}"
    return f"scored   5-year risk {item.risk['5']['value'] * 100:.1f} %"
