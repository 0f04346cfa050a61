"""Follow-up made up for tests: with many equal times, with none, and of a cohort whose risks are right."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from core.installation import Installation
from core.records import cards
from db.tables import Event, EventKind, Patient, Score, Study, StudyStatus

Numbers = NDArray[np.float64]
ON = date(2015, 3, 1)


def tied() -> tuple[Numbers, Numbers, Numbers]:
    """Return time, cause and one of three groups of 120 women, at quarters of years."""
    draw = np.random.default_rng(7)
    group = draw.integers(0, 3, 120)
    time = np.ceil(draw.exponential(1 / (0.15 + 0.08 * group), 120) * 4) / 4
    lost = np.ceil(draw.uniform(0.5, 8, 120) * 4) / 4
    cause = np.where(draw.random(120) < 0.6, 1, 2)
    return np.minimum(time, lost), np.where(time <= lost, cause, 0), group


def untied() -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return time, cause, one of two groups, and a score with ties, of 90 women."""
    draw = np.random.default_rng(8)
    time, lost = np.round(draw.exponential(5, 90), 5), np.round(draw.uniform(1, 9, 90), 5)
    cause = np.where(draw.random(90) < 0.5, 1, 2)
    group = draw.integers(0, 2, 90)
    when = np.minimum(time, lost)
    noise = np.random.default_rng(3).normal(0, 1, 90)
    score = np.round(1 / (1 + np.exp(-(noise - 0.3 * when))), 2)
    return when, np.where(time <= lost, cause, 0), group, score


def cohort(
    women: int, seed: int, *, spread: float = 1.0, middle: float = -2.6
) -> tuple[Numbers, Numbers, Numbers]:
    """Return time, cause and true 5-year risk of women of whom some die first and half are lost.

    The risk is of a cancer by then where death may come first: hazards are constant.
    """
    draw = np.random.default_rng(seed)
    hazard = np.exp(draw.normal(middle, spread, women)) / 5
    death = 0.02
    both = hazard + death
    risk = hazard / both * -np.expm1(-5 * both)
    cancer, died = draw.exponential(1 / hazard), draw.exponential(1 / death, women)
    lost = draw.uniform(1, 9, women)
    time = np.minimum.reduce([cancer, died, lost])
    return time, np.where(cancer == time, 1, np.where(died == time, 2, 0)), risk


def score(study_id: int, model: str, weights: str, risk: float) -> Score:
    risks = {
        f"risk_{year}y{end}": risk * year / 5 for year in (1, 2, 3, 4, 5) for end in ("", "_low", "_high")
    }
    return Score(
        study_id=study_id, model=model, weights_sha256=weights * 8, calibration="logistic", inputs={}, priors=0,
        missing_views=[], malignancy_left=risk / 10, malignancy_right=risk / 10, progression=0.1,
        density_a=0.1, density_b=0.5, density_c=0.3, density_d=0.1, trust_level="trusted", contributions=[], **risks,
    )  # fmt: skip


def stored_women(here: Installation, women: int, ill: int) -> None:
    """Store simulated women of whom some fall ill after two years: the newer weights know who, the older ones do not."""
    draw = np.random.default_rng(4)
    model = cards.speaking(here)
    with here.database.write() as session:
        for number in range(women):
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
            falls_ill = number < ill
            session.add(score(study.id, model, "older678", float(draw.uniform(0.005, 0.05))))
            session.flush()
            session.add(
                score(study.id, model, "newer678", 0.04 + number / 1e4 if falls_ill else 0.01 + number / 1e4)
            )
            kind, years = (EventKind.DIAGNOSIS, 2) if falls_ill else (EventKind.CONTACT, 7)
            session.add(Event(patient_id=woman.id, kind=kind, event_date=ON + timedelta(days=365 * years)))
