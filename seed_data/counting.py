"""How verbs tell on stderr how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from core.cli.terminal import log

__all__ = ["counted"]


@contextmanager
def counted(what: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show a bar while something is made; call what is given with how many are done (more may be told, and is left out)."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=log) as progress:
        task = progress.add_task(what, total=total)

        def count(done: int, *_more: object) -> None:
            progress.update(task, completed=done)

        yield count
