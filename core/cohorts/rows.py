"""What a woman's rows are, computed from all that is stored of her; in the same number of queries however many women.

A visit is a day with mammograms, told by the last of its studies that is scored. What is covered until the study is read has
no score here, and what may not be told as a number has none.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.cohorts.happenings import year_bits
from core.cohorts.looks import AXES, Looks, looks_of
from core.cohorts.packed import (
    BI_RADS_CODES,
    DENSITY_BY,
    DENSITY_CODES,
    HORIZONS,
    NO_DAY,
    SIDES,
    TRUSTS,
    UNKNOWN,
    VISIT,
    WOMAN,
    Packed,
    Words,
    day_number,
    moment_number,
)
from core.installation import Installation
from core.records import cards
from core.records.covered import covered_study_ids
from core.records.ready import due_days
from core.rules import (
    RiskEnds,
    Trust,
    assessment_rules,
    exact_age_years,
    last_said,
    latest_score_ids,
    likeliest_density,
    said_alike,
    trends,
    trust_of,
)
from core.rules.comparable import TREATMENTS
from core.rules.followup import Happened, Reading, is_under_treatment
from core.rules.vocabulary import FOUR_VIEWS
from db.tables import Alert, AssessmentVersion, Event, EventKind, Image, Patient, RiskFactors, Score, Study

__all__ = ["packed_rows"]

_NAN = float("nan")
_OF_RISK = [f"risk_{year}y{end}" for end in ("", "_low", "_high") for year in HORIZONS]
_FACTORS = ("postmenopausal", "hormone_therapy", "prior_biopsy")
_NO_NUMBERS = (_NAN,) * (len(_OF_RISK) + 3)


class _FirstWord(NamedTuple):
    """An assessment's first version."""

    bi_rads: str | None
    signed_at: Any
    covered: bool | None


@dataclass
class _Films:
    """What is needed of a study's images."""

    views: set[str] = field(default_factory=set)
    vendor: str = ""
    age: float | None = None
    brightness: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Read:
    """All that is read of some women."""

    scores: Mapping[int, Any]
    covered: frozenset[int]
    words: Mapping[int, _FirstWord]
    films: Mapping[int, _Films]
    alerts: Mapping[int, int]
    looks: Looks


@dataclass(frozen=True)
class _Told:
    """A trusted score of a visit, for her slope."""

    on: date
    model: str
    weights_sha256: str
    calibration: str
    risk_5y: float
    smallest_change: float | None


def packed_rows(here: Installation, session: Session, ids: Sequence[int], words: Words) -> Iterator[Packed]:
    """Yield the rows of those of some women who have a mammogram, by the model that speaks; new words are put to `words`."""
    studies = _by_woman(
        session.execute(
            select(
                Study.patient_id,
                Study.id,
                Study.study_date,
                Study.bi_rads,
                Study.reader_density,
                Study.assessed_at,
            )
            .where(Study.patient_id.in_(ids), Study.modality == "MG")
            .order_by(Study.patient_id, Study.study_date, Study.id)
        )
    )
    read = _Read(
        scores=_scores(here, session, ids),
        covered=covered_study_ids(here, session, Study.patient_id.in_(ids)),
        words=_first_words(session, ids),
        films=_films(session, ids),
        alerts=_alerts(session, ids),
        looks=looks_of(here, session, ids),
    )
    events = _by_woman(
        session.execute(
            select(Event.patient_id, Event.kind, Event.event_date, Event.result, Event.laterality)
            .where(Event.patient_id.in_(ids))
            .order_by(Event.event_date, Event.id)
        )
    )
    factors = {
        row.patient_id: row
        for row in session.scalars(
            select(RiskFactors)
            .where(RiskFactors.patient_id.in_(ids))
            .order_by(RiskFactors.recorded_on, RiskFactors.id)
        )
    }
    for woman in session.execute(
        select(Patient.id, Patient.birth_date, Patient.simulated)
        .where(Patient.id.in_(ids))
        .order_by(Patient.id)
    ):
        hers = studies.get(woman.id)
        if hers:
            yield _packed(read, words, woman, hers, events.get(woman.id, ()), factors.get(woman.id))


def _by_woman(rows: Any) -> dict[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.patient_id].append(row)
    return found


def _scores(here: Installation, session: Session, ids: Sequence[int]) -> dict[int, Any]:
    query = select(
        Score.study_id, Score.model, Score.weights_sha256, Score.calibration, Score.smallest_change,
        Score.malignancy_left, Score.malignancy_right, Score.progression, Score.missing_views,
        Score.density_a, Score.density_b, Score.density_c, Score.density_d, Score.density_of_views,
        Score.trust_level, Score.trust_doubt, Score.trust_distance, Score.trust_limit,
        *(getattr(Score, name) for name in _OF_RISK),
    ).where(Score.id.in_(latest_score_ids(cards.speaking(here), of=Study.patient_id.in_(ids))))  # fmt: skip
    return {row.study_id: row for row in session.execute(query)}


def _first_words(session: Session, ids: Sequence[int]) -> dict[int, _FirstWord]:
    query = (
        select(
            AssessmentVersion.study_id,
            AssessmentVersion.bi_rads,
            AssessmentVersion.signed_at,
            AssessmentVersion.covered,
        )
        .join(Study, Study.id == AssessmentVersion.study_id)
        .where(Study.patient_id.in_(ids))
        # What was read elsewhere may stand before the first word that was said here; it counts where there is no other.
        .order_by(AssessmentVersion.covered.is_not(None), AssessmentVersion.version.desc())
    )
    return {
        row.study_id: _FirstWord(row.bi_rads, row.signed_at, row.covered) for row in session.execute(query)
    }


def _films(session: Session, ids: Sequence[int]) -> dict[int, _Films]:
    query = (
        select(
            Image.study_id,
            Image.laterality,
            Image.view,
            Image.manufacturer,
            Image.measured["brightness"].as_float(),
            Image.file_says["age_years"].as_float(),
        )
        .join(Study, Study.id == Image.study_id)
        .where(Study.patient_id.in_(ids))
        .order_by(Image.id)
    )
    found: defaultdict[int, _Films] = defaultdict(_Films)
    for study_id, side, view, vendor, brightness, age in session.execute(query):
        films = found[study_id]
        films.views.add(f"{side.value}-{view}")
        films.vendor = films.vendor or (vendor or "").strip()
        films.age = age if films.age is None else films.age
        if brightness is not None:
            films.brightness.append(brightness)
    return found


def _alerts(session: Session, ids: Sequence[int]) -> dict[int, int]:
    query = select(Alert.study_id, func.count()).where(Alert.patient_id.in_(ids)).group_by(Alert.study_id)
    return dict(session.execute(query).all())


def _packed(
    read: _Read,
    words: Words,
    woman: Any,
    studies: Sequence[Any],
    events: Sequence[Any],
    factors: RiskFactors | None,
) -> Packed:
    ends = RiskEnds.of(_happened(event) for event in events)
    days: dict[date, list[Any]] = {}
    for study in studies:
        days.setdefault(study.study_date, []).append(study)
    visits: list[tuple[Any, ...]] = []
    told: list[_Told] = []
    for on, of_day in days.items():
        visits.append(_visit(read, words, woman.birth_date, ends, on, of_day, told))
    last_read = max(
        (on for on, of_day in days.items() if any(one.id in read.scores for one in of_day)), default=None
    )
    if told and told[-1].on != last_read:
        told = []  # where the last score may not be told, an earlier course is not where she stands
    her = _woman(words, woman, days, events, ends, factors, told)
    return Packed(woman.id, np.array([her], WOMAN).tobytes(), np.array(visits, VISIT).tobytes())


def _visit(
    read: _Read,
    words: Words,
    birth_date: date | None,
    ends: RiskEnds,
    on: date,
    studies: Sequence[Any],
    told: list[_Told],
) -> tuple[Any, ...]:
    """Return a record of `VISIT`; a score that may be told is added to `told`."""
    # As in `everyone` of old and in a standing: the last that was read by the model has read them all.
    by_model = [study for study in studies if study.id in read.scores]
    study = by_model[-1] if by_model else studies[-1]
    score = None if study.id in read.covered else read.scores.get(study.id)
    trust = trust_of(score, on=on, ends=ends) if score is not None else None
    films = [read.films[one.id] for one in studies if one.id in read.films]
    age = exact_age_years(birth_date, on)
    if age is None:
        age = next((one.age for one in films if one.age is not None), None)
    numbers = _NO_NUMBERS
    if score is not None and trust is not None and trust.is_trusted:
        numbers = _numbers(score)
        told.append(
            _Told(
                on, score.model, score.weights_sha256, score.calibration, score.risk_5y, score.smallest_change
            )
        )
    reader = last_said(one.reader_density for one in studies)
    model = likeliest_density(score, trust) if score is not None and trust is not None else None
    bi_rads, signed_at, read_first = _first_word(read, studies)
    bright = [value for one in films for value in one.brightness]
    return (
        study.id,
        moment_number(signed_at),
        day_number(on),
        words[_said_by(score.weights_sha256, score.calibration)] if score is not None else 0,
        words[score.model] if score is not None else 0,
        words[trust.doubt.value] if trust is not None and trust.doubt is not None else 0,
        words[next((one.vendor for one in films if one.vendor), "")],
        _NAN if age is None else age,
        *numbers,
        *_distance(trust),
        sum(bright) / len(bright) if bright else _NAN,
        *_look(read, studies, score),
        score is not None,
        TRUSTS.index(trust.level.value) if trust is not None else 0,
        DENSITY_CODES.index(reader or model or ""),
        DENSITY_BY.index("reader" if reader else "model" if model else ""),
        BI_RADS_CODES.index(bi_rads or ""),
        read_first,
        _recall(bi_rads),
        _views(score, films),
        _told_alerts(read, studies, trust),
    )


@lru_cache(maxsize=256)
def _said_by(weights_sha256: str, calibration: str) -> str:
    return f"{weights_sha256[:12]}-{hashlib.sha256(calibration.encode()).hexdigest()[:8]}"


def _numbers(score: Any) -> tuple[float, ...]:
    sides = [one for one in (score.malignancy_left, score.malignancy_right) if one is not None]
    values = (
        *(getattr(score, name) for name in _OF_RISK),
        max(sides, default=None),
        score.progression,
        score.smallest_change,
    )
    return tuple(_NAN if value is None else value for value in values)


def _distance(trust: Trust | None) -> tuple[float, float]:
    if trust is None:
        return _NAN, _NAN
    return tuple(_NAN if one is None else one for one in (trust.distance, trust.limit))  # type: ignore[return-value]


def _look(read: _Read, studies: Sequence[Any], score: Any) -> Sequence[float]:
    """Return where the pictures of the day lie to the model, on average; as the distance, not before their score is shown."""
    places = [place for one in studies for place in read.looks.get(one.id, ())]
    return np.mean(places, axis=0).tolist() if places and score is not None else [_NAN] * AXES


def _first_word(read: _Read, studies: Sequence[Any]) -> tuple[str | None, Any, bool]:
    """Return what was said first of the last study of the day that was assessed, when, and whether before the score was shown."""
    for study in reversed(studies):
        first = read.words.get(study.id)
        if first is not None and first.bi_rads is not None:
            return first.bi_rads, first.signed_at, bool(first.covered)
        if study.bi_rads is not None:
            return study.bi_rads, study.assessed_at, False
    return None, None, False


def _recall(bi_rads: str | None) -> int:
    rule = assessment_rules().agreement
    return UNKNOWN if bi_rads is None or bi_rads in rule.not_compared else int(bi_rads in rule.positive)


def _views(score: Any, films: Sequence[_Films]) -> int:
    """Return how many of the four views the score has read; without one, how many there are."""
    if score is not None:
        return len(FOUR_VIEWS) - len(score.missing_views)
    return sum(any(view.code in one.views for one in films) for view in FOUR_VIEWS)


def _told_alerts(read: _Read, studies: Sequence[Any], trust: Trust | None) -> int:
    """Return how many alerts the visit has raised; none of a score that is covered or may not be told."""
    if trust is None or not trust.tells_growth:
        return 0
    return min(sum(read.alerts.get(study.id, 0) for study in studies), 255)


def _woman(
    words: Words,
    woman: Any,
    days: Mapping[date, Sequence[Any]],
    events: Sequence[Any],
    ends: RiskEnds,
    factors: RiskFactors | None,
    told: Sequence[_Told],
) -> tuple[Any, ...]:
    """Return a record of `WOMAN`."""
    treated = [event for event in events if event.kind in TREATMENTS]
    slope = _slope(told, [event.event_date for event in treated])
    due = due_days(None if _is_followed_up(days, events, ends) else max(days), woman.birth_date)
    last_contact = max(max(days), *(event.event_date for event in events)) if events else max(days)
    return (
        *(
            day_number(day)
            for day in (
                woman.birth_date, ends.diagnosed_on, ends.died_on, ends.both_gone_on, last_contact,
                min((event.event_date for event in treated), default=None),
                due["due_on"], due["due_until"], due["overdue_from"],
            )
        ),
        NO_DAY,
        words[",".join(sorted({event.kind.value for event in treated}))],
        _NAN if factors is None or factors.bmi is None else factors.bmi,
        *slope,
        min(len(events), 65_535),
        bool(woman.simulated),
        SIDES.index(_side_of_diagnosis(events, ends.diagnosed_on)),
        _small(factors.first_degree_relatives_with_breast_cancer if factors else None),
        *(_small(getattr(factors, name) if factors else None) for name in _FACTORS),
        *year_bits((event.kind.value, event.event_date) for event in events),
    )  # fmt: skip


def _is_followed_up(days: Mapping[date, Sequence[Any]], events: Sequence[Any], ends: RiskEnds) -> bool:
    """Say whether no screening is due any more: no breast is at risk, or a cancer is known, from which on the clinic plans."""
    if ends.ended_on is not None:
        return True
    happened = [
        Happened(event.kind, event.event_date, event.result)
        for event in events
        if event.kind in (EventKind.BIOPSY, EventKind.DIAGNOSIS)
    ]
    readings = [Reading(on, last_said(study.bi_rads for study in studies)) for on, studies in days.items()]
    return ends.diagnosed_on is not None or is_under_treatment(readings, happened)


def _slope(told: Sequence[_Told], treated_on: Sequence[date]) -> tuple[float, float, float]:
    visits = trends.since_treatment(told, treated_on)
    slope = trends.slope_of_risk([visit.on for visit in visits], visits) if said_alike(visits) else None
    if slope is None:
        return _NAN, _NAN, _NAN
    return slope.per_year, *(_NAN if end is None else end for end in (slope.low, slope.high))  # type: ignore[return-value]


def _happened(event: Any) -> Happened:
    side = event.laterality.value if event.laterality else None
    return Happened(event.kind, event.event_date, event.result, side)


def _side_of_diagnosis(events: Sequence[Any], diagnosed_on: date | None) -> str:
    sides = {
        event.laterality.value if event.laterality else ""
        for event in events
        if event.kind is EventKind.DIAGNOSIS and event.event_date == diagnosed_on
    }
    return sides.pop() if len(sides) == 1 else ""


def _small(value: float | None) -> int:
    return UNKNOWN if value is None else min(int(value), 127)
