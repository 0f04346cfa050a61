"""Which score of a study counts, which study of a day, and which scores may be compared. Used by every page."""

from collections.abc import Callable, Hashable, Iterable
from typing import Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, func, select

from core.rules.trust import Doubt, Trust, TrustLevel
from db.tables import Score

Scored = TypeVar("Scored")
Said = TypeVar("Said")


class SaidBy(Protocol):
    """Anything that tells what a score was made with."""

    @property
    def model(self) -> str:
        """Return the model's name."""

    @property
    def weights_sha256(self) -> str:
        """Return the sha256 of its weights."""

    @property
    def calibration(self) -> str:
        """Return how its probabilities were calibrated."""


def latest_score_ids(model: str) -> Select[int]:
    """Return a query for the id of each study's newest score by `model`. Rows are only ever added, so ids rise."""
    return select(func.max(Score.id)).where(Score.model == model).group_by(Score.study_id)


def is_trusted() -> ColumnElement[bool]:
    """Return the condition that a score may be shown as a number: it stands in every query of numbers."""
    return Score.trust_level == TrustLevel.TRUSTED.value


def last_of_each_day(scored: Iterable[Scored], day: Callable[[Scored], Hashable]) -> list[Scored]:
    """Keep of the scored studies of one day the last: they are one visit, and the last score has read them all.

    `scored` comes in the order of date and study, of one woman, or of several where `day` tells them apart.
    """
    return list({day(study): study for study in scored}.values())


def last_said(values: Iterable[Said | None]) -> Said | None:
    """Return the last thing that was said, None where nothing was: what a reader recorded on a day counts for its visit."""
    return next((value for value in reversed(list(values)) if value is not None), None)


def said_alike(scores: Iterable[SaidBy]) -> bool:
    """Say whether scores came from the same model, weights and calibration: only then are they compared.

    `core.worker.queue.queue_unscored` asks for a new score where one of the three is another.
    """
    return len({(score.model, score.weights_sha256, score.calibration) for score in scores}) <= 1


def trust_of(row: Score) -> Trust:
    """Return how far a stored score may be believed."""
    return Trust(
        TrustLevel(row.trust_level),
        Doubt(row.trust_doubt) if row.trust_doubt else None,
        row.trust_distance,
        row.trust_limit,
    )
