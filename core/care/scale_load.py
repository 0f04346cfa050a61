"""Very many simulated women with scores and without pictures, put into an empty database of its own: to measure with.

No networks and no images: risks, readings and diagnoses are drawn, so that every list, group and figure has its share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from core.installation import Installation
from core.records import cards
from core.rules.vocabulary import DENSITIES
from db.stale import drop_triggers, set_triggers
from db.tables import (
    AssessmentVersion,
    Base,
    Event,
    Patient,
    Score,
    StaleCohortRow,
    StaleStanding,
    Study,
    new_key,
)

__all__ = ["VISITS_A_WOMAN", "load"]

VISITS_A_WOMAN = 5
_AT_ONCE = 5_000
_FAMILY = (
    "Aalto",
    "Berg",
    "Costa",
    "Dunn",
    "Eriksen",
    "Fabre",
    "Gruber",
    "Hart",
    "Ito",
    "Jansen",
    "Kowal",
    "Lind",
)
_GIVEN = ("Ada", "Bela", "Cara", "Dora", "Elin", "Fenna", "Greta", "Hilda", "Inga", "Jana", "Kira", "Lena")
_EPOCH = date(1970, 1, 1).toordinal()
_DAY = np.timedelta64(1, "D")

Rows = list[tuple[Any, ...]]


def load(here: Installation, women: int, *, today: date, seed: int = 0) -> None:
    """Put so many women with five scored visits each into an empty SQLite database; all of them are left stale.

    The triggers are set aside for it: one mark a woman at the end says what a mark a row would have.
    """
    draw = np.random.default_rng(seed)
    name = cards.speaking(here)
    card = cards.card_of(here, name)
    said_by = (name, card.weights_sha256 if card else "0" * 64, card.calibration if card else "none")
    connection: Connection
    with (
        here.database.engine.connect().execution_options(longview_immediate=True) as connection,
        connection.begin(),
    ):
        drop_triggers(connection)
        for first in range(1, women + 1, _AT_ONCE):
            some = np.arange(first, min(first + _AT_ONCE, women + 1))
            for table, columns, rows in _rows(draw, some, said_by, np.datetime64(today)):
                _put(connection, table, columns, rows)
        for stale in (StaleStanding, StaleCohortRow):
            connection.execute(insert(stale).from_select(["patient_id"], select(Patient.id)))
        set_triggers(connection)


def _put(connection: Connection, table: type[Base], columns: Sequence[str], rows: Rows) -> None:
    """Write rows as the driver takes them: half a million of sixty columns through types of their own take a minute more."""
    names, places = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
    if rows:
        statement = f"INSERT INTO {table.__tablename__} ({names}) VALUES ({places})"  # noqa: S608 - all of it is ours
        connection.exec_driver_sql(statement, rows)


def _rows(
    draw: np.random.Generator, ids: np.ndarray, said_by: tuple[str, str, str], today: np.datetime64
) -> Iterator[tuple[type[Base], Sequence[str], Rows]]:
    n = len(ids)
    born = today - (draw.uniform(44, 78, n) * 365.25).astype(int) * _DAY
    patients = [
        (
            int(one),
            new_key(),
            f"SC{one:07d}",
            f"{_FAMILY[one % 12]}{one % 997}, {_GIVEN[one % 11]}",
            str(day),
            "F",
            1,
            str(today),
        )
        for one, day in zip(ids, born, strict=True)
    ]
    yield (
        Patient,
        ("id", "key", "mrn", "name", "birth_date", "sex", "simulated", "created_at"),
        _stamped(patients),
    )
    risk = np.exp(draw.normal(-4.2, 0.8, n)).clip(1e-4, 0.6)
    last = today - draw.integers(0, 1200, n) * _DAY
    diagnosed = draw.random(n) < 0.02
    days = last[:, None] - np.arange(VISITS_A_WOMAN)[::-1] * draw.integers(360, 760, (n, 1)) * _DAY
    yield Study, _STUDY, _studies(draw, ids, days, today)
    yield Score, _score_columns(), _scores(draw, ids, days, risk, said_by)
    yield AssessmentVersion, _ASSESSMENT, _assessments(draw, ids, days)
    events = [
        (int(one), "diagnosis", str(day), "LR"[int(one) % 2], f"{today} 00:00:00.000000")
        for one, day in zip(ids[diagnosed], days[diagnosed, -1] + 40 * _DAY, strict=True)
    ]
    yield Event, ("patient_id", "kind", "event_date", "laterality", "created_at"), events


def _stamped(rows: list[tuple[Any, ...]]) -> Rows:
    return [(*row[:-1], f"{row[-1]} 00:00:00.000000") for row in rows]


_STUDY = (
    "id", "uid", "patient_id", "study_date", "modality", "status", "inputs_changed_at", "attempts", "bi_rads",
    "reader_density", "assessed_at", "created_at",
)  # fmt: skip
_ASSESSMENT = ("study_id", "version", "bi_rads", "covered", "signed_at", "score_id")


def _read(ids: np.ndarray, number: int) -> list[str | None]:
    """Return what readers said of the visits of that number: all but every fourth woman's last are read."""
    said = ("1", "2", "1", "2", "1", "3", "1", "0", "2", "1", "4A", "1")
    last = number == VISITS_A_WOMAN - 1
    return [None if last and one % 4 == 0 else said[(one * 7 + number * 5) % 12] for one in ids.tolist()]


def _studies(draw: np.random.Generator, ids: np.ndarray, days: np.ndarray, today: np.datetime64) -> Rows:
    rows: Rows = []
    stamp = f"{today} 00:00:00.000000"
    for number in range(VISITS_A_WOMAN):
        density = draw.choice(["", *DENSITIES], len(ids), p=(0.6, 0.04, 0.16, 0.16, 0.04)).tolist()
        on = days[:, number].astype(str).tolist()
        rows += [
            (
                one * 8 + number, f"2.25.8.{one}.{number}", one, day, "MG", "scored", stamp, 0, said, letter or None,
                f"{day} 12:00:00.000000" if said else None, stamp,
            )
            for one, day, said, letter in zip(ids.tolist(), on, _read(ids, number), density, strict=True)
        ]  # fmt: skip
    return rows


def _assessments(draw: np.random.Generator, ids: np.ndarray, days: np.ndarray) -> Rows:
    rows: Rows = []
    for number in range(VISITS_A_WOMAN):
        on = days[:, number].astype(str).tolist()
        first = (draw.random(len(ids)) < 0.6).tolist()
        rows += [
            (one * 8 + number, 1, said, int(covered), f"{day} 12:00:00.000000", one * 8 + number)
            for one, day, said, covered in zip(ids.tolist(), on, _read(ids, number), first, strict=True)
            if said
        ]
    return rows


_RISKS = tuple(f"risk_{year}y{end}" for year in range(1, 6) for end in ("", "_low", "_high"))


def _score_columns() -> tuple[str, ...]:
    return (
        "id", "study_id", "model", "weights_sha256", "calibration", "inputs", "computed_at", "priors", "missing_views",
        "contributions", "left_out", "trust_level", "trust_doubt", "trust_limit", "smallest_change",
        "malignancy_left", "malignancy_right", "progression", "trust_distance",
        "density_a", "density_b", "density_c", "density_d", *_RISKS,
    )  # fmt: skip


def _scores(
    draw: np.random.Generator,
    ids: np.ndarray,
    days: np.ndarray,
    risk: np.ndarray,
    said_by: tuple[str, str, str],
) -> Rows:
    rows: Rows = []
    n = len(ids)
    kind = draw.integers(0, 4, n)
    all_days = days.astype(str).tolist()
    for number in range(VISITS_A_WOMAN):
        hers = (risk * np.exp(draw.normal(0.03 * number, 0.15, n))).clip(1e-4, 0.8)
        horizons = hers[:, None] * np.arange(1, 6) / 5
        risks = np.stack([horizons, horizons * 0.7, np.minimum(horizons * 1.4, 1)], axis=2).reshape(n, 15)
        shares = np.full((n, 4), 0.1)
        shares[np.arange(n), kind] = 0.7
        malignancy = horizons[:, :1] * draw.uniform(0.3, 0.9, (n, 2))
        growth = draw.uniform(0, 0.1, (n, 1)) if number else np.full((n, 1), np.nan)
        distance = draw.uniform(0.7, 1.36, (n, 1))
        numbers = np.concatenate([malignancy, growth, distance, shares, risks], axis=1).tolist()
        on = days[:, number].astype(str).tolist()
        rows += [
            (
                study, study, *said_by, "{}", f"{day} 01:00:00.000000", number, "[]",
                json.dumps(_contributions(one, days_of[:number + 1])), "[]",
                *(("withheld", "unlike_pictures") if values[3] > 1.34 else ("trusted", None)), 1.34, 0.29,
                *(None if value != value else value for value in values),
            )
            for one, study, day, values, days_of in zip(
                ids.tolist(), (ids * 8 + number).tolist(), on, numbers, all_days, strict=True
            )
        ]  # fmt: skip
    return rows


def _contributions(woman: int, days: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"study_uid": f"2.25.8.{woman}.{number}", "study_date": day, "value": 0.1}
        for number, day in enumerate(days)
    ]
