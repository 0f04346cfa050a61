"""What every verb of ``correct`` does with what is asked: says what follows, asks, does it, and answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from core.cli.correct_options import How
from core.cli.opening import open_installation
from core.cli.terminal import SOME_REFUSED, log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.corrections import Ask, Preview
    from core.installation import Installation


def put_right(ask_of: Callable[[Installation], Ask], how: How) -> None:
    """Say what follows, ask, and do it."""
    from core.corrections import ChangedSince, CorrectionRefused, NotConfirmed, correct, preview

    here = open_installation()
    try:
        ask = ask_of(here)
        foretold = preview(here, ask)
        if how.dry_run:
            _answer(foretold, how, None)
            return
        if not how.reason.strip():
            wrong_use("Say why with --reason, or look only with --dry-run.")
        if not how.json:
            _show(foretold)
        if foretold.conflicts and not how.confirmed:
            raise NotConfirmed(foretold.conflicts)
        _confirm(how)
        made = correct(here, ask, reason=how.reason, stamp=foretold.stamp, confirmed=how.confirmed)
    except NotConfirmed as refused:
        _refused(f"{refused} If it is right all the same, add --despite-conflicts.")
    except ChangedSince as refused:
        _refused(str(refused))
    except CorrectionRefused as refused:
        wrong_use(str(refused))
    _answer(made.did, how, made.correction_id)


def undo_all(here: Installation, corrections: list[int], how: How) -> None:
    """Say of each correction what undoing it does, ask, and do it."""
    from core.corrections import ChangedSince, CorrectionRefused, preview_undo
    from core.corrections import undo as undo_

    for one in corrections:
        try:
            foretold = preview_undo(here, one)
            if how.dry_run:
                _answer(foretold, how, None)
                continue
            if not how.json:
                _show(foretold)
            _confirm(how)
            made = undo_(here, one, reason=how.reason, stamp=foretold.stamp)
        except ChangedSince as refused:
            _refused(str(refused))
        except CorrectionRefused as refused:
            wrong_use(str(refused))
        if how.json:
            _answer(made.did, how, made.correction_id)
        else:
            tell(f"Correction {one} is undone.")


def _confirm(how: How) -> None:
    if not (how.yes or how.json):
        typer.confirm("Put it right?", abort=True, err=True)


def _refused(why: str) -> None:
    log.print(f"Nothing is changed. {why}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(SOME_REFUSED)


def _show(foretold: Preview) -> None:
    for line in (*foretold.says, *foretold.sentences, *foretold.conflicts):
        log.print(line, markup=False, highlight=False, soft_wrap=True)


def _answer(did: Preview, how: How, correction_id: int | None) -> None:
    if how.json:
        print_json({"correction": correction_id, **did.to_json()})
    elif correction_id is None:
        for line in (*did.says, *did.sentences, *did.conflicts):
            tell(line)
        tell("Nothing is changed: this was a dry run.")
    else:
        tell(f"Correction {correction_id} is made. Undo it: python -m core correct undo {correction_id}")


def tell(line: str) -> None:
    """Write a line as it is."""
    results.print(line, markup=False, highlight=False, soft_wrap=True)
