"""The tables that an analyst's figures are made from."""

import math
from datetime import date

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select

from core.cohorts import VISITS, WOMEN, Frame, compute_frame
from core.cohorts.looks import AXES, AXIS_NAMES
from core.installation import Installation
from core.records import worklist
from db.tables import Embedding, EventKind, Image, Study
from models.measures import DOMAIN, Domain
from models.store import registry
from tests import factories
from tests.cohort_frames import synthetic
from tests.factories import VisitPlan


def assert_well_made(frame: Frame) -> None:
    assert dict(frame.women.schema) == {name: column.kind for name, column in WOMEN.items()}
    assert dict(frame.visits.schema) == {name: column.kind for name, column in VISITS.items()}
    assert frame.women["woman"].to_list() == list(range(len(frame.women)))
    assert frame.visits.equals(frame.visits.sort("woman", "on"))
    assert not any(
        frame.visits[name].is_nan().any()
        for name in frame.visits.columns
        if name.startswith("risk_") and name != "risk_of_study_id"
    )
    untold = frame.visits.filter(pl.col("trust") != "trusted")
    for name in ("risk_1", "risk_5", "low_3", "high_3", "malignancy", "progression"):
        assert untold[name].null_count() == len(untold)
    counted = frame.visits.group_by("woman").len().sort("woman")["len"]
    assert counted.to_list() == frame.women["visits"].to_list()


def test_a_made_up_cohort_is_of_the_same_shape() -> None:
    frame = synthetic(500)
    assert_well_made(frame)
    assert frame.women["diagnosed_on"].drop_nulls().len() > 3
    assert synthetic(50, seed=3).visits.equals(synthetic(50, seed=3).visits)


def test_nobody_is_an_empty_frame(here: Installation) -> None:
    factories.woman(here, "1", [])
    frame = compute_frame(here)
    assert_well_made(frame)
    assert len(frame.women) == 0


def test_a_visit_says_where_its_pictures_lie_to_the_model(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(date(2024, 3, 1)), VisitPlan(date(2026, 3, 1))])
    folder = registry.folder_of(here.settings.model)
    domain, encoder = Domain.load(folder / DOMAIN), registry.read_card(folder).encoder_sha256
    draw = np.random.default_rng(1)
    with here.database.write() as session:
        images = session.scalars(select(Image).join(Study).order_by(Study.study_date.desc()).limit(4)).all()
        vectors = draw.normal(domain.mean, domain.scale, (4, len(domain.mean))).astype("<f4")
        for image, vector, sha256 in zip(images, vectors, (encoder, encoder, encoder, "0" * 64), strict=True):
            session.add(_embedding(image.id, sha256, vector))
    visits = compute_frame(here).visits
    by_hand = domain.along(vectors[:3], AXES).mean(axis=0)
    assert visits.select(AXIS_NAMES).row(1) == pytest.approx(by_hand, rel=1e-4)
    assert visits.select(AXIS_NAMES).row(0) == (None,) * AXES


def _embedding(image_id: int, encoder: str, vector: np.ndarray) -> Embedding:
    return Embedding(
        image_id=image_id, encoder_sha256=encoder, dimensions=len(vector), vector=vector.tobytes(), heat_map=b"", heat_map_shape=[0, 0],
        transform={}, finding={}, density={},
    )  # fmt: skip


def test_rows_are_as_the_worklist_has_them(here: Installation) -> None:
    factories.cohort(here, 10)
    frame = compute_frame(here)
    assert_well_made(frame)
    with here.database.read() as session:
        from db.tables import Patient

        ids = {patient.mrn: patient.id for patient in session.query(Patient)}
    for row in worklist.rows(here, today=date(2026, 11, 21)):
        hers = frame.women.filter(pl.col("patient_id") == ids[row.mrn]).to_dicts()[0]
        slope = row.slope.per_year if row.slope else None
        assert hers["slope"] == (pytest.approx(slope, rel=1e-5) if slope is not None else None)
        visits = frame.visits.filter(pl.col("woman") == hers["woman"])
        last = visits.filter(pl.col("scored"))["risk_5"].to_list()[-1:]
        told = row.risk_5y if not row.withheld and not row.covered else None
        assert (last[0] if last else None) == (None if told is None else pytest.approx(told, rel=1e-5))
        assert hers["diagnosed_on"] is not None or not row.diagnosed


def test_a_visit_after_the_diagnosis_has_no_numbers(here: Installation) -> None:
    days = [date(2018, 3, 1), date(2020, 3, 1), date(2022, 3, 1)]
    factories.woman(
        here,
        "1",
        [VisitPlan(on, bi_rads="1") for on in days],
        events=[(EventKind.DIAGNOSIS, days[1], None, "")],
    )
    frame = compute_frame(here)
    assert frame.visits["trust"].to_list() == ["trusted", "withheld", "withheld"]
    assert frame.visits["doubt"].to_list() == ["", "after_diagnosis", "after_diagnosis"]
    assert frame.visits["risk_5"].is_null().to_list() == [False, True, True]
    assert frame.visits["recall"].to_list() == [False, False, False]
    assert frame.women["diagnosed_on"].to_list() == [days[1]]
    assert math.isclose(frame.visits["age"][0], 50.0, abs_tol=0.01)


def test_studies_of_a_day_are_one_visit_told_by_the_last_scored(here: Installation) -> None:
    day = date(2024, 5, 6)
    factories.woman(
        here, "1", [VisitPlan(day, 0.01, bi_rads="0"), VisitPlan(day, 0.03), VisitPlan(day, None)]
    )
    visits = compute_frame(here).visits
    assert len(visits) == 1
    assert visits["risk_5"][0] == pytest.approx(0.03, rel=1e-6)
    assert (visits["bi_rads"][0], visits["recall"][0], visits["views"][0]) == ("0", True, 4)


def test_what_is_covered_until_it_is_read_has_no_score(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.woman(here, "1", [VisitPlan(date(2022, 5, 6), bi_rads="1"), VisitPlan(date(2024, 5, 6), 0.02)])
    here.settings.read_first = True
    visits = compute_frame(here).visits
    assert visits["trust"].to_list() == ["trusted", "none"]
    assert visits["scored"].to_list() == [True, False]
    assert visits["distance"].is_null().to_list() == [False, True]
