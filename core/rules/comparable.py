"""Which score of a study counts, which study of a day, and which scores may be compared. Used by every page."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple, Protocol, SupportsFloat, TypeVar

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from core.rules import vocabulary
from core.rules.end_of_risk import END_OF_RISK, NOTHING_ENDS, RiskEnds
from core.rules.trust import Doubt, Trust, TrustLevel, as_read
from db.tables import Event, EventKind, Score, Study
from models.measures import SMALLEST

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


class RiskSaid(SaidBy, Protocol):
    """Anything that tells a risk, and which change of it is one."""

    @property
    def risk_5y(self) -> SupportsFloat:
        """Return the probability of cancer within 5 years (0..1)."""

    @property
    def smallest_change(self) -> float | None:
        """Return the smallest change of it, in log-odds, that position and exposure do not make; None if not measured."""


def latest_score_ids(
    model: str, *, patient_id: int | None = None, of: ColumnElement[bool] | None = None
) -> Select[int]:
    """Return a query for the id of each study's newest score by `model`. Rows are only ever added, so ids rise.

    Of one woman's studies, or of those of whom `of` is true (a condition on `Study.patient_id`), it costs the same however
    many others there are.
    """
    newest = select(func.max(Score.id)).where(Score.model == model).group_by(Score.study_id)
    of = Study.patient_id == patient_id if patient_id is not None else of
    return newest if of is None else newest.where(Score.study_id.in_(select(Study.id).where(of)))


class GrowthStored(Protocol):
    """A score as it is stored, for what it says of growth since the prior."""

    progression: float | None
    progression_low: float | None
    progression_high: float | None
    progression_after: float | None
    progression_after_low: float | None
    progression_after_high: float | None


def growth_of(row: GrowthStored, trust: Trust) -> tuple[float | None, float | None, float | None]:
    """Return the probability that disease has grown since the prior, with its interval.

    After a diagnosis it is another one than before: disease grows oftener there. Scores of before that was told apart
    say what they said.
    """
    if trust.doubt is Doubt.AFTER_DIAGNOSIS and row.progression_after is not None:
        return row.progression_after, row.progression_after_low, row.progression_after_high
    return row.progression, row.progression_low, row.progression_high


class DensityStored(Protocol):
    """A score as it is stored, for what it says of density."""

    @property
    def density_a(self) -> float:
        """Return the share of A; likewise B, C and D."""

    @property
    def density_b(self) -> float:
        """Return the share of B."""

    @property
    def density_c(self) -> float:
        """Return the share of C."""

    @property
    def density_d(self) -> float:
        """Return the share of D."""

    @property
    def density_of_views(self) -> Mapping[str, Any] | None:
        """Return what a model of single views says, where one was asked."""


def densities_of(row: DensityStored, trust: Trust) -> Mapping[str, float | None] | None:
    """Return the shares by density that may be told of a study; None where no model knows such pictures.

    Where the score may not be told, a model of single views may still know them (`core.worker.density`).
    """
    if trust.tells_growth:
        shares = (row.density_a, row.density_b, row.density_c, row.density_d)
        return dict(zip(vocabulary.DENSITIES, shares, strict=True))
    return shares_told(row.density_of_views) if row.density_of_views else None


def shares_told(of_views: Mapping[str, Any]) -> Mapping[str, float | None]:
    """Return the shares that a model of single views may say, of what is stored of it: None of a category that it does not tell.

    Such may stand together, as ``C+D``. Where an earlier release stored nothing of that, C and D do.
    """
    told: Mapping[str, float | None] | None = of_views.get("told")
    if told is not None:
        return told
    shares: Mapping[str, float] = of_views["shares"]
    return {**shares, "C": None, "D": None, vocabulary.DENSE: shares["C"] + shares["D"]}


def likeliest_density(row: DensityStored, trust: Trust) -> str | None:
    """Return the likeliest of `densities_of`, one of `vocabulary.DENSITIES_SAID`, of equal ones the fattiest.

    None where there are none, or where it is likelier that it is none of those that may be said.
    """
    told = {
        density: share for density, share in (densities_of(row, trust) or {}).items() if share is not None
    }
    said = [density for density in vocabulary.DENSITIES_SAID if density in told]
    if not said:
        return None
    likeliest = max(said, key=lambda density: told[density])
    rest = 1.0 - sum(told[density] for density in said)
    return likeliest if told[likeliest] >= rest else None


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


def is_within_noise(before: RiskSaid, after: RiskSaid) -> bool | None:
    """Say whether a change of 5-year risk is no more than position and exposure make of the same woman on one day.

    Both scores must be such that may be shown. None where that was not measured, and where the two are not compared at
    all (`said_alike`). Of the two levels that with the larger noise decides.
    """
    if before.smallest_change is None or after.smallest_change is None or not said_alike((before, after)):
        return None
    change = abs(_log_odds(float(after.risk_5y)) - _log_odds(float(before.risk_5y)))
    return change < max(before.smallest_change, after.smallest_change)


def _log_odds(probability: float) -> float:
    """Return what `safe_logit` does, of one number: a page asks hundreds of times, and arrays take ten times as long."""
    kept = min(max(probability, SMALLEST), 1 - SMALLEST)
    return math.log(kept / (1 - kept))


class _Happened(NamedTuple):
    kind: EventKind
    on: date
    laterality: str | None


def risk_ends(session: Session, of: ColumnElement[bool]) -> defaultdict[int, RiskEnds]:
    """Return by patient id from which days on risk is not told, of those women of whom `of` (a condition on `Event`) is true."""
    found: defaultdict[int, list[_Happened]] = defaultdict(list)
    query = select(Event.patient_id, Event.kind, Event.event_date, Event.laterality).where(
        Event.kind.in_((EventKind.DIAGNOSIS, *END_OF_RISK)), of
    )
    for patient_id, kind, on, side in session.execute(query):
        found[patient_id].append(_Happened(kind, on, side.value if side else None))
    return defaultdict(lambda: NOTHING_ENDS, {woman: RiskEnds.of(hers) for woman, hers in found.items()})


def risk_ends_of(session: Session, patient_id: int) -> RiskEnds:
    """Return from which days on risk is not told of one woman."""
    return risk_ends(session, Event.patient_id == patient_id)[patient_id]


TREATMENTS = (EventKind.SURGERY, EventKind.MASTECTOMY, EventKind.THERAPY)
"""Events from whose start on a course is another one (`core.rules.trends.since_treatment`)."""


def treatments() -> Select[int, date]:
    """Return a query for the day on which each treatment of each woman began: ``patient_id``, ``event_date``."""
    return select(Event.patient_id, Event.event_date).where(Event.kind.in_(TREATMENTS))


class TrustStored(Protocol):
    """Anything that tells what is stored of how far a score may be believed; see `db.tables.Score`."""

    @property
    def trust_level(self) -> str:
        """Return the level."""

    @property
    def trust_doubt(self) -> str | None:
        """Return why it is no higher."""

    @property
    def trust_distance(self) -> float | None:
        """Return how unlike the pictures are to what was learned."""

    @property
    def trust_limit(self) -> float | None:
        """Return the distance beyond which the model may not speak."""


def trust_of(row: TrustStored, *, on: date, ends: RiskEnds) -> Trust:
    """Return how far a stored score may be believed: of a study of the day `on`, of a woman of whom `ends` tells.

    Whoever shows, orders, counts or hands out scores asks here.
    """
    stored = Trust(
        TrustLevel(row.trust_level),
        Doubt(row.trust_doubt) if row.trust_doubt else None,
        row.trust_distance,
        row.trust_limit,
    )
    return as_read(stored, on, ends)
