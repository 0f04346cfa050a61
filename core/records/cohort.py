"""Groups of women: who they are, how high their risk is, how it runs.

No names and no record numbers come out, and of fewer than five women nothing does (`core.records.small_groups`): pages
show and hand out the tables of `core.records.figures`, never the rows of a cohort.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import func, select

from core.installation import Installation
from core.records import cards
from core.records.covered import covered_study_ids
from core.records.small_groups import FEW, SMALLEST_GROUP, any_small, is_small, may_be_told, told
from core.rules import first_diagnoses, last_of_each_day, latest_score_ids, thresholds, trust_of
from core.rules.ages import DAYS_PER_YEAR, ages_years
from core.rules.vocabulary import DENSITIES
from db.tables import Patient, Score, Study


class Population(enum.StrEnum):
    """Which women: simulated and real ones are never counted together unless somebody asks for it."""

    SIMULATED = "simulated"
    REAL = "real"
    BOTH = "simulated and real together"


@dataclass(frozen=True)
class Definition:
    """Which women belong to the cohort. Ages in whole years at the last scored visit; empty means any."""

    kind: Population
    age_from: int = 0
    age_to: int = 120
    densities: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    visits_from: int = 1

    def sentence(self, women: int) -> str:
        """Say in words who is counted, for the subtitle of every figure."""
        parts = [f"n = {women} {'women, ' if self.kind is Population.BOTH else ''}{self.kind.value}"]
        if self.kind is not Population.BOTH:
            parts[0] += " women"
        if self._ages:
            parts.append(self._ages)
        if self.densities:
            parts.append("density " + ", ".join(self.densities))
        if self.bands:
            labels = {band.key: band.label for band in thresholds.risk_bands()}
            parts.append("5-year risk " + " or ".join(labels[key] for key in self.bands))
        parts.append(
            f"{self.visits_from} or more scored visits" if self.visits_from > 1 else "with a scored visit"
        )
        return ", ".join(parts)

    @property
    def _ages(self) -> str:
        """Say the ages as they were chosen: an end that nobody chose has no number."""
        if self.age_from > 0 and self.age_to < 120:
            return f"aged {self.age_from}–{self.age_to}"
        if self.age_from > 0:
            return f"aged {self.age_from} and older"
        return f"aged {self.age_to} and younger" if self.age_to < 120 else ""


@dataclass(frozen=True)
class Counted:
    """Women of one kind: how many fit a definition, and of how many with a scored visit."""

    fit: int
    of: int


@dataclass(frozen=True)
class Cohort:
    """The women of a definition and their scored visits.

    `women` has one row a woman: age_years, density, risk_5y, visits, last_visit, diagnosed, simulated. `visits` has one
    row a scored visit: woman (a running number), on, year, risk_5y, years_to_last, years_to_diagnosis (empty where
    none is known), diagnosed; where visits were scored by different weights or calibrations, of those that most were
    scored by, since a course never joins the others. Both are for `core.records.figures`, not for a page. `counted`
    tells of each kind of women that the definition asks for.
    """

    definition: Definition
    women: pd.DataFrame
    visits: pd.DataFrame
    counted: Mapping[Population, Counted]

    @property
    def n(self) -> int:
        """Return the number of women; to be told where `withheld` is empty."""
        return len(self.women)

    @property
    def sentence(self) -> str:
        """Say in words who is counted."""
        return self.definition.sentence(self.n)

    @property
    def withheld(self) -> str:
        """Say why nothing is told of this cohort; empty where something is.

        Fewer than five women fit, or all but fewer than five: those few would be the difference to the figures of
        everybody. Where two kinds are counted together this holds for each, since each can be asked for alone.
        """
        if self.n < SMALLEST_GROUP:
            return f"{FEW.capitalize()} women fit this definition. Nothing is shown of so few: it could be told whose it is."
        for kind, counted in self.counted.items():
            if is_small(counted.fit):
                return (
                    f"{FEW.capitalize()} {kind.value} women fit this definition. Figures of all together, beside those "
                    "of the others, would tell of these few."
                )
            if is_small(counted.of - counted.fit):
                return (
                    f"This definition leaves out {FEW} of the {kind.value} women. Figures of the rest, beside those "
                    "of all of them, would tell of these few."
                )
        return ""

    @property
    def diagnosed(self) -> int:
        """Return the number of women with a diagnosis; to be told where `may_tell_diagnosed`."""
        return int(self.women["diagnosed"].sum())

    @property
    def may_tell_diagnosed(self) -> bool:
        """Say whether the women with a diagnosis may be told apart: neither they nor the others are few."""
        return may_be_told(self.diagnosed, self.n)


def kinds(here: Installation) -> Mapping[Population, int]:
    """Count the women of each kind that are stored, so that a page can begin with one that is there."""
    with here.database.read() as session:
        found: dict[bool, int] = dict(
            session.execute(select(Patient.simulated, func.count()).group_by(Patient.simulated)).all()
        )
    simulated, real = found.get(True, 0), found.get(False, 0)
    return {Population.SIMULATED: simulated, Population.REAL: real, Population.BOTH: simulated + real}


def told_kinds(number: Mapping[Population, int]) -> dict[Population, str]:
    """Say how many women of each kind `kinds` counted; of few no number, nor a sum that would tell of few."""
    alone: dict[Population, int] = {
        kind: women for kind, women in number.items() if kind is not Population.BOTH
    }
    together = "" if any_small(alone.values()) else str(number[Population.BOTH])
    return {**told(alone), Population.BOTH: together}


def everyone(here: Installation) -> pd.DataFrame:
    """Read every scored visit: patient_id, birth_date, simulated, on, risk_5y(_low, _high), density, diagnosed_on, said_by.

    The studies of one day are one visit, told by the last of them. Visits whose scores may not be told are left out:
    those that the model does not know, those after a diagnosis, and those that are covered until they are read. `said_by` names weights and calibration: what is not
    said by the same is not to be joined.
    """
    diagnosis = first_diagnoses().subquery()
    query = (
        select(
            Patient.id.label("patient_id"),
            Patient.birth_date,
            Patient.simulated,
            Study.id.label("study_id"),
            Study.study_date.label("on"),
            Study.reader_density,
            Score.risk_5y,
            Score.risk_5y_low,
            Score.risk_5y_high,
            Score.density_a,
            Score.density_b,
            Score.density_c,
            Score.density_d,
            Score.weights_sha256,
            Score.calibration,
            Score.trust_level,
            Score.trust_doubt,
            Score.trust_distance,
            Score.trust_limit,
            diagnosis.c.diagnosed_on,
        )
        .join(Study, Study.patient_id == Patient.id)
        .join(Score, Score.study_id == Study.id)
        .outerjoin(diagnosis, diagnosis.c.patient_id == Patient.id)
        .where(Score.id.in_(latest_score_ids(cards.speaking(here))))
        .order_by(Patient.id, Study.study_date, Study.id)
    )
    with here.database.read() as session:
        studies = session.execute(query).all()
        covered = covered_study_ids(here, session)
    read = last_of_each_day(studies, lambda study: (study.patient_id, study.on))
    scored = [
        study._mapping
        for study in read
        if study.study_id not in covered
        and trust_of(study, on=study.on, diagnosed_on=study.diagnosed_on).is_trusted
    ]
    visits = pd.DataFrame(scored, columns=[c.key for c in query.selected_columns])
    # A reader may have recorded it in another study of that day.
    by_reader = {
        (study.patient_id, study.on): study.reader_density
        for study in studies
        if study.reader_density is not None
    }
    visits["reader_density"] = pd.Series(
        [by_reader.get(day) for day in zip(visits["patient_id"], visits["on"], strict=True)],
        index=visits.index,
        dtype=object,
    )
    # An empty answer has no types of its own.
    visits = visits.astype({"risk_5y": float, "risk_5y_low": float, "risk_5y_high": float, "simulated": bool})
    letters = [f"density_{letter.lower()}" for letter in DENSITIES]
    shares = visits[letters].to_numpy(dtype=float).reshape(-1, len(DENSITIES))
    likeliest = pd.Series(np.array(DENSITIES)[shares.argmax(axis=1)], index=visits.index, dtype=object)
    visits["density"] = visits["reader_density"].where(visits["reader_density"].notna(), likeliest)
    for column in ("on", "birth_date", "diagnosed_on"):
        visits[column] = pd.to_datetime(visits[column])
    visits["said_by"] = visits["weights_sha256"] + " " + visits["calibration"]
    trust = [f"trust_{what}" for what in ("level", "doubt", "distance", "limit")]
    return visits.drop(
        columns=[*letters, *trust, "study_id", "reader_density", "weights_sha256", "calibration"]
    )


def cohort(visits: pd.DataFrame, definition: Definition) -> Cohort:
    """Choose the women of a definition from `everyone`'s table; a pure function of its arguments."""
    kinds_wanted = [definition.kind]
    if definition.kind is Population.BOTH:
        kinds_wanted = [Population.SIMULATED, Population.REAL]
    else:
        visits = visits[visits["simulated"] == (definition.kind is Population.SIMULATED)]
    everybody = visits.groupby("patient_id").tail(1).set_index("patient_id")
    everybody["age_years"] = ages_years(everybody["birth_date"], everybody["on"])
    everybody["visits"] = visits.groupby("patient_id").size()
    last = everybody[_fits(everybody, definition)]
    counted = {}
    for kind in kinds_wanted:
        simulated = kind is Population.SIMULATED
        fit, of = (int((them["simulated"] == simulated).sum()) for them in (last, everybody))
        counted[kind] = Counted(fit, of)
    women = last.rename(columns={"on": "last_visit"}).assign(diagnosed=last["diagnosed_on"].notna())
    return Cohort(definition, women.reset_index(drop=True)[_OF_A_WOMAN], _visits_of(last, visits), counted)


_OF_A_WOMAN = ["age_years", "density", "risk_5y", "visits", "last_visit", "diagnosed", "simulated"]


def _fits(last: pd.DataFrame, definition: Definition) -> pd.Series:
    """Say which women a definition asks for, by their last scored visits."""
    fits = last["visits"] >= definition.visits_from
    if (definition.age_from, definition.age_to) != (0, 120):
        fits &= last["age_years"].between(definition.age_from, definition.age_to)
    if definition.densities:
        fits &= last["density"].isin(definition.densities)
    if definition.bands:
        bands = last["risk_5y"].map(lambda risk: thresholds.risk_band(risk).key)
        fits &= bands.isin(definition.bands)
    return fits


def _visits_of(last: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """Return the scored visits of the chosen women, without saying who they are."""
    anchors = pd.DataFrame(
        {"woman": np.arange(1, len(last) + 1), "last_on": last["on"].to_numpy()}, index=last.index
    )
    chosen = visits.join(anchors, on="patient_id", how="inner")
    if len(chosen):
        chosen = chosen[chosen["said_by"] == chosen["said_by"].mode()[0]]
    return pd.DataFrame(
        {
            "woman": chosen["woman"],
            "on": chosen["on"],
            "year": chosen["on"].dt.year,
            "risk_5y": chosen["risk_5y"],
            "years_to_last": (chosen["on"] - chosen["last_on"]).dt.days / DAYS_PER_YEAR,
            "years_to_diagnosis": (chosen["on"] - chosen["diagnosed_on"]).dt.days / DAYS_PER_YEAR,
            "diagnosed": chosen["diagnosed_on"].notna(),
        }
    ).reset_index(drop=True)
