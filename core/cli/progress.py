"""What verbs that take long share: the group they are in, and how they tell of their progress."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import typer

from core.cli.terminal import log

train = typer.Typer(help="Train models from exam manifests or embeddings.", no_args_is_help=True)


class Progress:
    """Tells on stderr, every few seconds, how far a stage is and when it is expected to end."""

    def __init__(self, minutes: float | None = None, every_seconds: float = 15.0) -> None:
        self.begun = time.monotonic()
        self.ends = datetime.now() + timedelta(minutes=minutes) if minutes else None
        self.every, self.stage, self.since, self.told = every_seconds, "", 0.0, 0.0
        self.started_at = 0.0

    def __call__(self, stage: str, done: float, figures: dict[str, float]) -> None:
        """Take a report."""
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.since, self.started_at, self.told = stage, now, done, 0.0
        if now - self.told < self.every and done < 1:
            return
        self.told = now
        left = (now - self.since) / (done - self.started_at) * (1 - done) if done > self.started_at else None
        words = f"{stage} {done:4.0%}"
        if left is not None:
            words += f", {left:.0f} s left"
        if self.ends is not None:
            words += f", all done about {self.ends:%H:%M}"
        shown = {key: value for key, value in figures.items() if key not in ("step", "seconds")}
        words += "".join(f"  {key.removeprefix('train_')} {value:.3f}" for key, value in shown.items())
        log.print(words, highlight=False, soft_wrap=True)
