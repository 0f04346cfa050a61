"""The two tables that every analysis of a cohort reads: a row a woman and a row a visit, with their columns' meanings.

What is not known is null, never NaN. A number that may not be said of a woman stands in neither table: risk, malignancy
and progression are there where the visit's `trust` is ``trusted`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from core.cohorts.happenings import MEANS
from core.cohorts.looks import AXIS_NAMES
from core.cohorts.packed import HORIZONS, TRUSTS

__all__ = ["HORIZONS", "TRUSTS", "VISITS", "WOMEN", "Column", "Frame", "empty_frame", "schema_of"]


@dataclass(frozen=True)
class Column:
    """A column: its type, and what it means, with its unit."""

    kind: Any
    means: str


_WORD = pl.Categorical()

VISITS: Mapping[str, Column] = {
    "woman": Column(pl.UInt32, "number of her row in the table of women"),
    "visit": Column(pl.UInt16, "number among her visits, 0 the first"),
    "on": Column(pl.Date, "day of the visit; the studies of one day are one visit, told by the last that is scored"),
    "age": Column(pl.Float32, "age that day in years and their fractions; by her birth date, else as the files say it"),
    "scored": Column(pl.Boolean, "whether the model that speaks has read it, and it is not covered until it is read"),
    "trust": Column(_WORD, "how far the score may be believed, as decided when read: one of TRUSTS"),
    "doubt": Column(_WORD, "why it is not trusted: a value of core.rules.Doubt, empty where it is"),
    **{f"risk_{year}": Column(pl.Float32, f"probability of cancer within {year} years, 0..1") for year in HORIZONS},
    **{f"low_{year}": Column(pl.Float32, f"lower end of its 90 % interval, {year} years") for year in HORIZONS},
    **{f"high_{year}": Column(pl.Float32, f"upper end of its 90 % interval, {year} years") for year in HORIZONS},
    "malignancy": Column(pl.Float32, "probability of cancer present or found within 12 months, the higher of the breasts"),
    "progression": Column(pl.Float32, "probability that disease has grown since the visit before"),
    "smallest_change": Column(pl.Float32, "smallest change of 5-year risk, in log-odds, that position does not make"),
    "said_by": Column(_WORD, "weights and calibration of the score, in short: only what is said by the same may be joined"),
    "model": Column(_WORD, "name of the model"),
    "density": Column(_WORD, "density A to D: the reader's, else the model's likeliest"),
    "density_by": Column(_WORD, "who says the density: reader or model"),
    "bi_rads": Column(_WORD, "assessment of the breast of highest concern, by its first version"),
    "bi_rads_first_at": Column(pl.Datetime("us"), "when that version was signed, UTC"),
    "read_first": Column(pl.Boolean, "whether it was signed before the score was shown"),
    "recall": Column(pl.Boolean, "whether the assessment is positive; null without one, and for a known cancer"),
    "vendor": Column(_WORD, "who made the detector, as the files say"),
    "views": Column(pl.UInt8, "how many of the four standard views there are"),
    "missing_views": Column(pl.Boolean, "whether one of the four is missing"),
    "distance": Column(pl.Float32, "how unlike the least familiar picture is to what the model learned from"),
    "limit": Column(pl.Float32, "the distance beyond which the model may not speak"),
    "brightness": Column(pl.Float32, "mean brightness of the breasts, 0..1 of what the pictures can hold"),
    **{
        name: Column(pl.Float32, f"where its pictures lie, on average, on axis {number} of what the model learned (core.cohorts.looks)")
        for number, name in enumerate(AXIS_NAMES, 1)
    },
    "alerts": Column(pl.UInt8, "alerts that the visit has raised and that may be told, acknowledged or not"),
    "risk_of_study_id": Column(pl.Int64, "internal: the study that tells the visit; never shown"),
}  # fmt: skip

WOMEN: Mapping[str, Column] = {
    "woman": Column(pl.UInt32, "number of this row"),
    "patient_id": Column(pl.Int64, "internal: her row in the database; never on a page"),
    "simulated": Column(pl.Boolean, "whether a simulator made her"),
    "birth_date": Column(pl.Date, "internal: day of birth; never on a page"),
    "first_on": Column(pl.Date, "day of the first visit"),
    "last_on": Column(pl.Date, "day of the last visit"),
    "visits": Column(pl.UInt16, "how many visits there are"),
    "scored_visits": Column(pl.UInt16, "how many of them have a score that may be told"),
    "diagnosed_on": Column(pl.Date, "day of the first diagnosis"),
    "diagnosis_side": Column(_WORD, "its side, L or R; null where it is not recorded"),
    "died_on": Column(pl.Date, "day of death"),
    "mastectomy_on": Column(pl.Date, "day from which both breasts are removed: none is at risk any more"),
    "last_contact": Column(pl.Date, "day on which she was last known of: a visit, an event or a contact"),
    "treated_on": Column(pl.Date, "day of the first surgery or therapy"),
    "treatments": Column(_WORD, "kinds of treatment on record, in order of the alphabet, comma between; empty for none"),
    "events": Column(pl.UInt16, "how many events are on record"),
    **{name: Column(pl.UInt64, means) for name, means in MEANS.items()},
    "bmi": Column(pl.Float32, "body mass index, kg/m², as last recorded"),
    "relatives": Column(pl.UInt8, "first-degree relatives with breast cancer, as last recorded"),
    "postmenopausal": Column(pl.Boolean, "whether she is past menopause, as last recorded"),
    "hormone_therapy": Column(pl.Boolean, "whether she takes hormones, as last recorded"),
    "prior_biopsy": Column(pl.Boolean, "whether she had a biopsy before, as last recorded"),
    "slope": Column(pl.Float32, "change of 5-year risk a year, 0..1 a year, as the worklist has it (trends.SLOPE_METHOD)"),
    "slope_low": Column(pl.Float32, "lower end of its 95 % interval"),
    "slope_high": Column(pl.Float32, "upper end of its 95 % interval"),
    "due_on": Column(pl.Date, "day on which the next study is due; null where none is, as after a diagnosis"),
    "due_until": Column(pl.Date, "last day on which it still is: of the screening ages; null without an end"),
    "overdue_from": Column(pl.Date, "first day on which it is overdue, up to `due_until`; null where none is due"),
    "truth_onset": Column(pl.Date, "of a simulated woman whose truth is known: from which day on her cancer could be seen"),
}  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """All women with a mammogram, and their visits; not to be changed: every page of a process reads the same one.

    `visits` is in the order of woman and day. `basis` names the rules, model and options that the rows were computed by;
    `read_at` is when they were read.
    """

    women: pl.DataFrame
    visits: pl.DataFrame
    basis: str
    read_at: datetime


def schema_of(columns: Mapping[str, Column], names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the types of some columns by name, or of all."""
    return {name: columns[name].kind for name in (names or columns)}


def empty_frame(basis: str, read_at: datetime) -> Frame:
    """Return the tables of nobody."""
    return Frame(
        pl.DataFrame(schema=schema_of(WOMEN)), pl.DataFrame(schema=schema_of(VISITS)), basis, read_at
    )
