"""Two versions of a model on the same women of a cohort, as both are stored."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import update

from core.cohorts import Definition, Population, frame_of, select
from core.cohorts.judge import Asking, Judged, NothingToTell
from core.cohorts.judge_models import set_beside, versions
from core.installation import Installation
from core.records import cards
from db.tables import Event, EventKind, Patient, Score, Study, StudyStatus

ON = date(2015, 3, 1)
WOMEN = 60


def score(study_id: int, model: str, weights: str, risk: float) -> Score:
    risks = {
        f"risk_{year}y{end}": risk * year / 5 for year in (1, 2, 3, 4, 5) for end in ("", "_low", "_high")
    }
    return Score(
        study_id=study_id, model=model, weights_sha256=weights * 8, calibration="logistic", inputs={}, priors=0,
        missing_views=[], malignancy_left=risk / 10, malignancy_right=risk / 10, progression=0.1,
        density_a=0.1, density_b=0.5, density_c=0.3, density_d=0.1, trust_level="trusted", contributions=[], **risks,
    )  # fmt: skip


@pytest.fixture
def both(here: Installation) -> Installation:
    """Women of whom twelve fall ill within three years: the newer weights know who, the older ones do not."""
    draw = np.random.default_rng(4)
    model = cards.speaking(here)
    with here.database.write() as session:
        for number in range(WOMEN):
            woman = Patient(mrn=str(number), birth_date=date(1960, 1, 1), simulated=True)
            session.add(woman)
            session.flush()
            study = Study(
                uid=f"2.25.{number}",
                patient_id=woman.id,
                study_date=ON,
                status=StudyStatus.SCORED,
                modality="MG",
            )
            session.add(study)
            session.flush()
            ill = number < 12
            session.add(score(study.id, model, "older678", float(draw.uniform(0.005, 0.05))))
            session.flush()
            session.add(
                score(study.id, model, "newer678", 0.04 + number / 1e4 if ill else 0.01 + number / 1e4)
            )
            kind, years = (EventKind.DIAGNOSIS, 2) if ill else (EventKind.CONTACT, 7)
            session.add(Event(patient_id=woman.id, kind=kind, event_date=ON + timedelta(days=365 * years)))
    return here


def judged(here: Installation) -> Judged:
    return Judged(select(frame_of(here), Definition(kind=Population.SIMULATED)), Asking())


def test_the_version_that_knows_is_told_to_be_better_on_the_same_women(both: Installation) -> None:
    newer, older = versions(both)
    assert (newer.studies, older.studies) == (WOMEN, WOMEN)
    found = set_beside(both, judged(both), older, newer, 0.03)
    rows = {row["figure"]: row for row in found.figures.iter_rows(named=True)}
    assert rows["AUC"]["second"] == 1
    assert rows["AUC"]["low"] > 0
    assert rows["AUC"]["p_adjusted"] >= rows["AUC"]["p"]
    assert found.counted.startswith("60 women scored by both at entry, 10 with a cancer")
    swapped = set_beside(both, judged(both), newer, older, 0.03)
    back = {row["figure"]: row for row in swapped.figures.iter_rows(named=True)}
    assert back["AUC"]["difference"] == pytest.approx(-rows["AUC"]["difference"])


def test_what_one_of_them_may_not_tell_is_compared_with_nothing(both: Installation) -> None:
    newer, older = versions(both)
    with both.database.write() as session:
        session.execute(
            update(Score).where(Score.weights_sha256 == older.weights_sha256).values(trust_level="withheld")
        )
    with pytest.raises(NothingToTell, match="No woman of this cohort was scored by both"):
        set_beside(both, judged(both), older, newer, 0.03)


def test_a_contact_says_until_when_she_is_known_to_be_well(both: Installation) -> None:
    of = judged(both)
    assert of.at.cases == 12
    assert of.entered.time.max() == pytest.approx(7, abs=0.01)
