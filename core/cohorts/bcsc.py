"""The screens of the Breast Cancer Surveillance Consortium's teaching set, as a cohort: real women, no images, no dates.

Of each screen the file says the woman's age in whole years, and nothing of its day. So a woman's screens are ordered by
age; two at the same age have no order and are left unlinked: they are hers, but have no number among her visits. Whether
cancer was found is known of the year after each screen alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from core.cohorts.frame import VISITS, WOMEN, Frame

__all__ = ["COLUMNS", "MORE", "TableRefused", "Taken", "read_exams"]

SOURCE = (
    "Screening mammograms of the Breast Cancer Surveillance Consortium (BCSC), teaching set; to be cited, not for primary "
    "research."
)
COLUMNS: Mapping[str, tuple[str, Sequence[int]]] = {
    "age_c": ("age in whole years", range(18, 111)),
    "assess_c": ("BI-RADS assessment", range(6)),
    "cancer_c": ("cancer within a year, 0 or 1", (0, 1)),
    "compfilm_c": ("compared with an earlier mammogram, 0, 1 or 9 for unknown", (0, 1, 9)),
    "density_c": ("BI-RADS density, 1 to 4", (1, 2, 3, 4, 9)),
    "famhx_c": ("first-degree relative with breast cancer, 0, 1 or 9", (0, 1, 9)),
    "hrt_c": ("hormone therapy, 0, 1 or 9", (0, 1, 9)),
    "prvmam_c": ("earlier mammogram, 0, 1 or 9", (0, 1, 9)),
    "biophx_c": ("earlier biopsy, 0, 1 or 9", (0, 1, 9)),
    "mammtype": ("1 film, 2 digital", (1, 2)),
    "CaTypeO": ("1 in situ, 2 invasive, 8 none", (1, 2, 8)),
}
"""The file's whole-numbered columns with their values (BCSC, data dictionary of the digital mammography teaching set)."""
BMI, WOMAN = "bmi_c", "ptid"
_NO_BMI = -99.0
MORE = ("cancer_within_year", "cancer_type", "detector", "compared", "bmi")
"""Columns of a visit that this table has beside those of every cohort."""
_POSITIVE = (0, 4, 5)


class TableRefused(ValueError):
    """The file is no such table; the message says where and what to do."""


@dataclass(frozen=True)
class Taken:
    """What was read, and what is to be known of it, in sentences."""

    frame: Frame
    screens: int
    unlinked: int
    women_with_ties: int
    notes: Sequence[str]


def read_exams(path: Path) -> Taken:
    """Read ``exams.csv``; raises `TableRefused` and reads nothing where a cell of it cannot be meant."""
    screens = _checked(_read(path))
    visits = _visits(screens)
    ties = visits.filter(pl.col("visit").is_null())
    women = _women(screens)
    frame = Frame(women, visits, f"bcsc {len(screens)}", datetime.fromtimestamp(0, UTC))
    tied = ties["woman"].n_unique()
    notes = [
        SOURCE,
        f"{len(screens):,} screens of {len(women):,} women. No screen has a day: a woman's screens are ordered by her age.",
        f"{len(ties)} screens of {tied} women were made at the same age as another one of hers: they have no order and are "
        "left unlinked, without a number among her visits."
        if len(ties)
        else "No woman has two screens at the same age.",
        "Whether cancer was found is known for the year after each screen alone; on which day is not.",
    ]
    return Taken(frame, len(screens), len(ties), tied, notes)


def _read(path: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema=False, encoding="utf8")
    except FileNotFoundError:
        raise TableRefused(f"There is no file {path}.") from None
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise TableRefused(f"{path} cannot be read as CSV: {str(error).splitlines()[0]}") from error
    lacking = [name for name in (*COLUMNS, BMI, WOMAN) if name not in table.columns]
    if lacking:
        raise TableRefused(f"{path} lacks the column {', '.join(lacking)}: it is no table of BCSC screens.")
    if not len(table):
        raise TableRefused(f"{path} holds no screen.")
    return table


def _checked(text: pl.DataFrame) -> pl.DataFrame:
    """Return the cells as numbers; the first that cannot be meant is named with its line."""
    numbers = text.select(
        *(pl.col(name).str.strip_chars().cast(pl.Int32, strict=False) for name in COLUMNS),
        pl.col(BMI).str.strip_chars().cast(pl.Float32, strict=False),
        pl.col(WOMAN).str.strip_chars(),
    )
    for name, (means, values) in COLUMNS.items():
        wrong = ~numbers[name].is_in(list(values)).fill_null(value=False)
        if wrong.any():
            line = wrong.arg_true()[0]
            raise TableRefused(f"{name} in line {line + 2} is “{text[name][line]}”, not {means}.")
    body = numbers[BMI]
    wrong = (body.is_null() | ~((body == _NO_BMI) | body.is_between(10, 120))).fill_null(value=True)
    if wrong.any():
        line = wrong.arg_true()[0]
        raise TableRefused(
            f"{BMI} in line {line + 2} is “{text[BMI][line]}”, not a body mass index or −99 for unknown."
        )
    nobody = numbers[WOMAN].fill_null("") == ""
    if nobody.any():
        raise TableRefused(
            f"{WOMAN} in line {nobody.arg_true()[0] + 2} is empty: it says whose screen it is."
        )
    return numbers


def _visits(screens: pl.DataFrame) -> pl.DataFrame:
    """Return a row a screen, a woman's in the order of her age; those that share an age have no number."""
    whose = screens.select(pl.col(WOMAN).unique(maintain_order=True)).with_row_index("woman")
    ordered = screens.join(whose, on=WOMAN, how="left", maintain_order="left").sort(
        "woman", "age_c", maintain_order=True
    )
    # How many of her screens she was younger at.
    number = pl.col("age_c").rank("min").over("woman") - 1
    alone = pl.len().over("woman", "age_c") == 1
    known: dict[str, pl.Expr] = {
        "woman": pl.col("woman"),
        "visit": pl.when(alone).then(number),
        "age": pl.col("age_c"),
        "scored": pl.lit(value=False),
        "trust": pl.lit("none"),
        "doubt": pl.lit(""),
        "density": _coded("density_c", {1: "A", 2: "B", 3: "C", 4: "D"}),
        "density_by": pl.when(pl.col("density_c") != 9).then(pl.lit("reader")),
        "bi_rads": pl.col("assess_c").cast(pl.String),
        "recall": pl.col("assess_c").is_in(_POSITIVE),
        # No image came with the table, so none is missing from it.
        "views": pl.lit(0),
        "missing_views": pl.lit(value=False),
        "alerts": pl.lit(0),
    }
    more = (
        (pl.col("cancer_c") == 1).alias("cancer_within_year"),
        _coded("CaTypeO", {1: "in situ", 2: "invasive"}).alias("cancer_type"),
        _coded("mammtype", {1: "film", 2: "digital"}).alias("detector"),
        _flag("compfilm_c").alias("compared"),
        _bmi().alias("bmi"),
    )
    return ordered.select(*_typed(VISITS, known), *more)


def _women(screens: pl.DataFrame) -> pl.DataFrame:
    """Return a row a woman; what is known of her risk factors is that of her last screen that says it."""
    number = screens.select(pl.col(WOMAN).unique(maintain_order=True)).with_row_index("woman")
    latest = (
        screens.join(number, on=WOMAN, how="left", maintain_order="left")
        .sort("woman", "age_c", maintain_order=True)
        .group_by("woman", maintain_order=True)
        .agg(
            pl.len().alias("visits"),
            _bmi().drop_nulls().last().alias("bmi"),
            _flag("famhx_c").drop_nulls().last().alias("family"),
            _flag("hrt_c").drop_nulls().last().alias("hormone_therapy"),
            _flag("biophx_c").drop_nulls().last().alias("prior_biopsy"),
        )
    )
    known: dict[str, pl.Expr] = {
        "woman": pl.col("woman"),
        "simulated": pl.lit(value=False),
        "visits": pl.col("visits"),
        "scored_visits": pl.lit(0),
        "events": pl.lit(0),
        "treatments": pl.lit(""),
        "bmi": pl.col("bmi"),
        "relatives": pl.when(~pl.col("family")).then(0),
        "hormone_therapy": pl.col("hormone_therapy"),
        "prior_biopsy": pl.col("prior_biopsy"),
    }
    # How many relatives is not said, only whether there is one.
    return latest.select(*_typed(WOMEN, known), pl.col("family"))


def _typed(columns: Mapping[str, Any], known: Mapping[str, pl.Expr]) -> list[pl.Expr]:
    """Return every column of a table by its type; null what this source does not know."""
    return [known.get(name, pl.lit(None)).cast(one.kind).alias(name) for name, one in columns.items()]


def _coded(name: str, words: Mapping[int, str]) -> pl.Expr:
    return pl.col(name).replace_strict(words, default=None, return_dtype=pl.String)


def _flag(name: str) -> pl.Expr:
    """Return 0 and 1 as no and yes, 9 as unknown."""
    return pl.when(pl.col(name) != 9).then(pl.col(name) == 1)


def _bmi() -> pl.Expr:
    return pl.when(pl.col(BMI) != _NO_BMI).then(pl.col(BMI))
