"""What every verb shares: results to stdout, all else to stderr, and what the exit codes mean.

0 done, 1 some were refused, 2 wrong use, 3 the machine failed: what was finished by then is still answered, and the
command can be repeated.
"""

import json
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from core import logs
from core.outages import outage
from core.people import asking
from core.rules import RulesError
from core.settings import Settings

DONE, SOME_REFUSED, WRONG_USE, MACHINE_FAILED = 0, 1, 2, 3

results = Console(soft_wrap=True)
log = Console(stderr=True)


def check_surroundings() -> None:
    """Leave with a sentence and exit code 2 where the environment asks for what there is not; run before every verb."""
    asking.system_asks_in_this_process()
    try:
        logs.level()
        Settings()
    except ValidationError as error:
        wrong_use(
            "; ".join(
                f"LONGVIEW_{str(one['loc'][0]).upper()} is {one['input']!r}: {one['msg']}"
                if one["loc"]
                else str(one["ctx"]["error"])
                for one in error.errors()
            )
        )
    except ValueError as error:
        wrong_use(str(error))


def print_json(document: Any) -> None:
    """Write one JSON document to stdout, and nothing else."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def tell(line: str) -> None:
    """Write a line to stdout as it is: a name in it may hold brackets."""
    results.print(line, markup=False, highlight=False)


def note(line: str) -> None:
    """Write a line to stderr as it is, uncut: what was left out or refused, say."""
    log.print(line, markup=False, highlight=False, soft_wrap=True)


def wrong_use(message: str) -> NoReturn:
    """Say on stderr what is wrong and what to do, and leave with exit code 2."""
    # A file's name may hold brackets, and a line that is cut in two cannot be searched for.
    log.print(f"[bold red]Error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(WRONG_USE)


def machine_failed(said: str) -> NoReturn:
    """Say on stderr what the machine lacks (`core.outages.outage` words it), and leave with exit code 3."""
    log.print(f"[bold red]The machine failed:[/] {escape(said)}", highlight=False, soft_wrap=True)
    raise typer.Exit(MACHINE_FAILED)


def failed(error: Exception) -> NoReturn:
    """Leave with exit code 3 where the machine failed the work, and with 2 where what was asked cannot be done."""
    said = outage(error)
    if said is not None:
        machine_failed(said)
    wrong_use(str(error))


class Verbs(TyperGroup):
    """Verbs that end in a sentence and exit code 3, not in a traceback, where the machine fails them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; an error that is no outage stays what it is."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                # Here, not when Python ends: an answer that does not arrive is a failure as well.
                sys.stdout.flush()
        except BrokenPipeError:
            raise  # whoever read the answer has enough of it; the library ends quietly
        except Exception as error:
            # Rules that cannot be read are a damaged installation, and name the file.
            said = str(error) if isinstance(error, RulesError) else outage(error)
            if said is None:
                raise
            _let_go_of_answer()
            machine_failed(said)


def _let_go_of_answer() -> None:
    """Drop what could not be written to stdout, or Python would try again at its end and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
