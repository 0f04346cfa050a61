"""Groups of women: who they are, how high their risk is, how it runs. No names and no record numbers come out."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import func, select

from core.installation import Installation
from core.records import cards
from core.rules import last_of_each_day, latest_score_ids, thresholds, trends
from db.tables import Event, EventKind, Patient, Score, Study


class Kind(enum.StrEnum):
    """Which women: simulated and real ones are never counted together unless somebody asks for it."""

    SIMULATED = "simulated"
    REAL = "real"
    BOTH = "simulated and real together"


@dataclass(frozen=True)
class Definition:
    """Which women belong to the cohort. Ages in whole years at the last scored visit; empty means any."""

    kind: Kind
    age_from: int = 0
    age_to: int = 120
    densities: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    visits_from: int = 1

    def sentence(self, women: int) -> str:
        """Say in words who is counted, for the subtitle of every figure."""
        parts = [f"n = {women} {'women, ' if self.kind is Kind.BOTH else ''}{self.kind.value}"]
        if self.kind is not Kind.BOTH:
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
class Cohort:
    """The women of a definition and their scored visits.

    `women` has one row a woman: age_years, density, risk_5y, risk_5y_low, risk_5y_high, visits, last_visit,
    diagnosed, simulated. `visits` has one row a scored visit: woman (a running number), on, year, risk_5y,
    years_to_last, years_to_diagnosis (empty where none is known), diagnosed.
    """

    definition: Definition
    women: pd.DataFrame
    visits: pd.DataFrame

    @property
    def n(self) -> int:
        """Return the number of women."""
        return len(self.women)

    @property
    def sentence(self) -> str:
        """Say in words who is counted."""
        return self.definition.sentence(self.n)

    def sentence_where_known(self, column: str, what: str) -> str:
        """Say who is counted by a column of `women`: those of whom it is not known are left out, and how many.

        >>> cohort.sentence_where_known("age_years", "a birth date")
        'n = 9 real women, with a scored visit; 3 more without a birth date are left out'
        """
        known = int(self.women[column].notna().sum())
        left_out = self.n - known
        sentence = self.definition.sentence(known)
        if not left_out:
            return sentence
        return f"{sentence}; {left_out} more without {what} {'is' if left_out == 1 else 'are'} left out"


def kinds(here: Installation) -> Mapping[Kind, int]:
    """Count the women of each kind that are stored, so that a page can begin with one that is there."""
    with here.database.read() as session:
        found: dict[bool, int] = dict(
            session.execute(select(Patient.simulated, func.count()).group_by(Patient.simulated)).all()
        )
    simulated, real = found.get(True, 0), found.get(False, 0)
    return {Kind.SIMULATED: simulated, Kind.REAL: real, Kind.BOTH: simulated + real}


def everyone(here: Installation) -> pd.DataFrame:
    """Read every scored visit: patient_id, birth_date, simulated, on, risk_5y(_low, _high), density, diagnosed_on.

    The studies of one day are one visit, told by the last of them.
    """
    diagnosis = (
        select(Event.patient_id, func.min(Event.event_date).label("diagnosed_on"))
        .where(Event.kind == EventKind.DIAGNOSIS)
        .group_by(Event.patient_id)
        .subquery()
    )
    query = (
        select(
            Patient.id.label("patient_id"),
            Patient.birth_date,
            Patient.simulated,
            Study.study_date.label("on"),
            Study.reader_density,
            Score.risk_5y,
            Score.risk_5y_low,
            Score.risk_5y_high,
            Score.density_a,
            Score.density_b,
            Score.density_c,
            Score.density_d,
            diagnosis.c.diagnosed_on,
        )
        .join(Study, Study.patient_id == Patient.id)
        .join(Score, Score.study_id == Study.id)
        .outerjoin(diagnosis, diagnosis.c.patient_id == Patient.id)
        .where(Score.id.in_(latest_score_ids(cards.speaking(here))))
        .order_by(Patient.id, Study.study_date, Study.id)
    )
    with here.database.read() as session:
        studies = session.execute(query).mappings().all()
    scored = last_of_each_day(studies, lambda study: (study["patient_id"], study["on"]))
    visits = pd.DataFrame(scored, columns=[c.key for c in query.selected_columns])
    # A reader may have recorded it in another study of that day.
    by_reader = {
        (study["patient_id"], study["on"]): study["reader_density"]
        for study in studies
        if study["reader_density"] is not None
    }
    visits["reader_density"] = pd.Series(
        [by_reader.get(day) for day in zip(visits["patient_id"], visits["on"], strict=True)],
        index=visits.index,
        dtype=object,
    )
    # An empty answer has no types of its own.
    visits = visits.astype({"risk_5y": float, "risk_5y_low": float, "risk_5y_high": float, "simulated": bool})
    letters = [f"density_{letter}" for letter in "abcd"]
    shares = visits[letters].to_numpy(dtype=float).reshape(-1, 4)
    likeliest = pd.Series(np.array(list("ABCD"))[shares.argmax(axis=1)], index=visits.index, dtype=object)
    visits["density"] = visits["reader_density"].where(visits["reader_density"].notna(), likeliest)
    for column in ("on", "birth_date", "diagnosed_on"):
        visits[column] = pd.to_datetime(visits[column])
    return visits.drop(columns=[*letters, "reader_density"])


def cohort(visits: pd.DataFrame, definition: Definition) -> Cohort:
    """Choose the women of a definition from `everyone`'s table; a pure function of its arguments."""
    visits = visits.copy()
    if definition.kind is not Kind.BOTH:
        visits = visits[visits["simulated"] == (definition.kind is Kind.SIMULATED)]
    last = visits.groupby("patient_id").tail(1).set_index("patient_id")
    last["age_years"] = np.floor((last["on"] - last["birth_date"]).dt.days / trends.DAYS_PER_YEAR)
    last["visits"] = visits.groupby("patient_id").size()
    if (definition.age_from, definition.age_to) != (0, 120):
        last = last[last["age_years"].between(definition.age_from, definition.age_to)]
    if definition.densities:
        last = last[last["density"].isin(definition.densities)]
    if definition.bands:
        last = last[last["risk_5y"].map(lambda risk: thresholds.risk_band(risk).key).isin(definition.bands)]
    last = last[last["visits"] >= definition.visits_from]
    women = (
        last.rename(columns={"on": "last_visit"})
        .assign(diagnosed=last["diagnosed_on"].notna())
        .reset_index(drop=True)[
            [
                "age_years",
                "density",
                "risk_5y",
                "risk_5y_low",
                "risk_5y_high",
                "visits",
                "last_visit",
                "diagnosed",
                "simulated",
            ]
        ]
    )
    anchors = pd.DataFrame(
        {"woman": np.arange(1, len(last) + 1), "last_on": last["on"].to_numpy()}, index=last.index
    )
    chosen = visits.join(anchors, on="patient_id", how="inner")
    course = pd.DataFrame(
        {
            "woman": chosen["woman"],
            "on": chosen["on"],
            "year": chosen["on"].dt.year,
            "risk_5y": chosen["risk_5y"],
            "years_to_last": (chosen["on"] - chosen["last_on"]).dt.days / trends.DAYS_PER_YEAR,
            "years_to_diagnosis": (chosen["on"] - chosen["diagnosed_on"]).dt.days / trends.DAYS_PER_YEAR,
            "diagnosed": chosen["diagnosed_on"].notna(),
        }
    ).reset_index(drop=True)
    return Cohort(definition, women, course)


def medians_by(visits: pd.DataFrame, column: str, *, smallest_group: int = 3) -> pd.DataFrame:
    """Return median and quartiles of 5-year risk by a column, one value a woman and group.

    A woman with several visits in a group counts once, with her mean there. Groups of fewer than
    `smallest_group` women are left out: their median would be one woman's score.
    """
    per_woman = visits.dropna(subset=[column]).groupby([column, "woman"])["risk_5y"].mean().reset_index()
    grouped = per_woman.groupby(column)["risk_5y"]
    table = pd.DataFrame(
        {
            "lower_quartile": grouped.quantile(0.25),
            "median": grouped.median(),
            "upper_quartile": grouped.quantile(0.75),
            "women": grouped.size(),
        }
    )
    return table[table["women"] >= smallest_group].reset_index()


def course(cohort_visits: pd.DataFrame, anchor: str) -> pd.DataFrame:
    """Return `medians_by` whole years before the anchor, ``years_to_last`` or ``years_to_diagnosis``."""
    before = cohort_visits[cohort_visits[anchor] <= 0]
    return medians_by(before.assign(years=before[anchor].round().astype("Int64")), "years")


def age_groups(ages: pd.Series, *, width: int = 5) -> pd.Series:
    """Return the age group of each age as 40–44; empty where the age is unknown."""
    lower = (ages // width * width).astype("Int64")
    return lower.map(lambda low: f"{low}–{low + width - 1}", na_action="ignore")
