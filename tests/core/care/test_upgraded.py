"""A database of release 0003 with women in it is upgraded to this one: verified, listed, and counted as cohorts are."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Connection, MetaData, Table

from core.care.verify import verify_objects
from core.cohorts import Definition, Domain, Population, frame_of, live, select
from core.installation import Installation
from core.records import Group, cards, record_of, worklist, worklist_memory
from core.records.worklist import Filter
from core.records.worklist_page import shown
from core.settings import Settings
from db import migrate

TODAY, THEN = date(2026, 11, 21), datetime(2026, 1, 2, 3, 4, 5)
DAYS = (date(2021, 3, 1), date(2023, 3, 1), date(2025, 3, 1))
WOMEN = 12


@pytest.fixture
def upgraded(tmp_path) -> Iterator[Installation]:
    """Twelve women of three scored visits with a film each; the first was diagnosed after her last, and read."""
    settings = Settings(home=tmp_path / "var", _env_file=None)
    settings.root.mkdir()
    here = Installation.open(settings)
    migrate.upgrade(here.database, "0003")
    with here.database.engine.begin() as connection:
        _fill(here, connection)
    here.migrate()
    worklist_memory.forget()
    live.forget()
    yield here
    here.close()


def _fill(here: Installation, connection: Connection) -> None:
    then = MetaData()
    then.reflect(connection)

    def add(table: str, **values: Any) -> int:
        """Insert a row into a table as it was then."""
        return connection.execute(then.tables[table].insert().values(**values)).inserted_primary_key[0]

    for number in range(WOMEN):
        woman = add(
            "patient", mrn=f"M{number}", name=f"Sim-{number:04}", birth_date=date(1965, 5, 1), sex="F", simulated=True,
            created_at=THEN,
        )  # fmt: skip
        for visit, on in enumerate(DAYS):
            study = add(
                "study", uid=f"1.{number}.{visit}", patient_id=woman, study_date=on, modality="MG", status="scored",
                inputs_changed_at=THEN, attempts=0, created_at=THEN, bi_rads="2" if number == 0 else None,
            )  # fmt: skip
            pixels = here.images.put(f"{number} {visit}".encode())
            add(
                "image", study_id=study, sop_uid=f"1.{number}.{visit}.1", sha256=pixels, media_type="application/dicom",
                source_name="a.dcm", laterality="R", view="CC", rows=480, columns=360, bits_stored=12, quality_flags=[],
                stated={}, rendition_sha256=pixels, thumbnail_sha256=pixels, created_at=THEN,
            )  # fmt: skip
            _score(then.tables["score"], connection, study)
    add("event", patient_id=1, kind="diagnosis", event_date=date(2026, 2, 1), created_at=THEN)


def _score(then: Table, connection: Connection, study: int) -> None:
    known: dict[str, Any] = {
        "study_id": study, "model": "longitudinal-sim", "weights_sha256": "d" * 64, "calibration": "2026-11", "inputs": {},
        "computed_at": THEN, "priors": 0, "missing_views": [], "contributions": [],
    }  # fmt: skip
    numbers = {one.key: 0.02 for one in then.columns if one.key.startswith(("risk_", "density_"))}
    connection.execute(then.insert().values(**known, **numbers))


def test_every_woman_is_verified_listed_and_counted(upgraded: Installation) -> None:
    assert cards.speaking(upgraded) == "longitudinal-sim"
    found = verify_objects(upgraded)
    assert found.well, (found.records, found.missing, found.damaged, found.trail)
    assert found.images == 3 * WOMEN

    page = shown(upgraded, Filter(), None, number=100, today=TODAY)
    assert list(page.rows) == worklist.rows(upgraded, today=TODAY)
    assert page.counts[Group.ALL] == WOMEN
    assert {row.mrn for row in page.rows} == {f"M{number}" for number in range(WOMEN)}
    first = next(row for row in page.rows if row.mrn == "M0")
    assert (first.under_treatment, first.last_word.category) == (True, "2")
    # Nobody has looked yet whether the model knows such pictures: no number, and the reason in its place.
    assert {row.risk_5y for row in page.rows} == {None}
    assert all("before it was checked" in row.withheld for row in page.rows)

    frame = frame_of(upgraded)
    assert (len(frame.women), len(frame.visits)) == (WOMEN, 3 * WOMEN)
    assert frame.visits["risk_5"].drop_nulls().is_empty()
    assert select(frame, Definition(kind=Population.SIMULATED, domain=Domain.ANY)).n == WOMEN
    assert select(frame, Definition(kind=Population.SIMULATED)).n == 0
    assert frame.women.filter(pl.col("diagnosed_on").is_not_null()).height == 1

    record = record_of(upgraded, "M0")
    assert record is not None
    assert [visit.bi_rads for visit in record.visits] == ["2", "2", "2"]
    assert {visit.score for visit in record.visits} == {None}
