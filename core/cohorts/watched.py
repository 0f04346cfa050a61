"""What is watched of each study: how its pictures look, how unlike what the model learned, what the score says, whose detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.disclosure import smallest_group
from core.cohorts.looks import AXIS_NAMES
from core.rules import ENDED
from models.measures import safe_logit

__all__ = ["COLUMNS", "Measure", "floats", "measured"]

COLUMNS = (
    "woman", "visit", "on", "age", "scored", "trust", "doubt", "risk_5", "said_by", "vendor", "distance", "limit", "brightness",
    *AXIS_NAMES,
)  # fmt: skip
"""What `watch` needs of the visits."""
MOST_VENDORS = 4

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """What is watched. `unit` says how its monthly figure is told: a share, a risk (both 0..1), a plain number, or deviations.

    Deviations are standard deviations of the pictures that the model learned from, 0 their mean.
    """

    key: str
    label: str
    unit: str
    up: str
    down: str
    means: str

    @property
    def is_share(self) -> bool:
        """Whether it is yes or no of each study."""
        return self.unit == "share"


_MEASURES = (
    Measure(
        "brightness", "Brightness of the pictures", "number", "brighter", "darker",
        "mean brightness of the breasts, 0 black to 1 the brightest that the pictures can hold",
    ),
    Measure(
        "distance", "Unfamiliar pictures", "number", "more unfamiliar", "more familiar",
        "how far out the least familiar picture of a study lies among those the model learned from, as a share of the "
        "distance beyond which it may not speak: an average over all that the model sees in a picture",
    ),
    *(
        Measure(
            name, f"Look of the pictures, direction {number}", "deviations", "shifted up", "shifted down",
            f"where the pictures of a study lie, on average, on the direction in which those that the model learned from differ "
            f"{('most', 'second most', 'third most')[number - 1]}, in standard deviations of these, 0 their mean",
        )
        for number, name in enumerate(AXIS_NAMES, 1)
    ),
    Measure(
        "withheld", "Scores withheld", "share", "more", "fewer",
        "studies whose score may not be told as a number; those after a diagnosis are left out",
    ),
    Measure(
        "score", "5-year risk", "risk", "higher", "lower",
        "geometric mean of the 5-year risk; the alarm rule looks at what age and whether it is her first study leave unexplained",
    ),
)  # fmt: skip


def measured(visits: pl.DataFrame, reference: int, *, at_least: int) -> tuple[list[Measure], Numbers]:
    """Return what can be watched of these visits, and its values (n, K); what is known of too few in the reference is left out."""
    columns: list[tuple[Measure, Numbers]] = [(one, _VALUES[one.key](visits)) for one in _MEASURES]
    columns += _vendors(visits, reference)
    kept = [
        (one, values) for one, values in columns if np.count_nonzero(~np.isnan(values[:reference])) >= at_least
    ]  # fmt: skip
    values = [one for _, one in kept]
    return [one for one, _ in kept], np.column_stack(values) if values else np.empty((len(visits), 0))


def floats(values: pl.Series) -> Numbers:
    """Return values as an array, NaN where they are not known."""
    return values.cast(pl.Float64).to_numpy().astype(np.float64)


def _brightness(visits: pl.DataFrame) -> Numbers:
    return floats(visits["brightness"])


def _column(name: str, visits: pl.DataFrame) -> Numbers:
    return floats(visits[name])


def _distance(visits: pl.DataFrame) -> Numbers:
    return floats(visits["distance"] / visits["limit"])


def _withheld(visits: pl.DataFrame) -> Numbers:
    doubt, trust = visits["doubt"].cast(pl.String), visits["trust"].cast(pl.String)
    known = visits["scored"] & ~doubt.fill_null("").is_in(ENDED) & (trust != "none")
    return np.where(known.to_numpy(), (trust != "trusted").to_numpy(), np.nan)


def _score(visits: pl.DataFrame) -> Numbers:
    """Return log-odds of 5-year risk, of those that most were said by: what other weights say is another score."""
    said_by = visits["said_by"].cast(pl.String).fill_null("")
    told = (visits["trust"].cast(pl.String) == "trusted") & visits["risk_5"].is_not_null()
    counts = said_by.filter(told).value_counts().sort(["count", "said_by"], descending=[True, False])
    if not len(counts):
        return np.full(len(visits), np.nan)
    mine = (told & (said_by == counts["said_by"][0])).to_numpy()
    risk = floats(visits["risk_5"])
    return np.where(mine, safe_logit(np.where(mine, risk, 0.5)), np.nan)


_VALUES: Mapping[str, Callable[[pl.DataFrame], Numbers]] = {
    "brightness": _brightness,
    "distance": _distance,
    **{name: partial(_column, name) for name in AXIS_NAMES},
    "withheld": _withheld,
    "score": _score,
}


def _vendors(visits: pl.DataFrame, reference: int) -> list[tuple[Measure, Numbers]]:
    """Return the share of each detector's maker that the reference knows, and of those that it does not."""
    vendor = visits["vendor"].cast(pl.String)
    known = vendor.is_not_null().to_numpy()
    before = pl.DataFrame({"vendor": vendor[:reference], "woman": visits["woman"][:reference]}).drop_nulls()
    women = (
        before.group_by("vendor").agg(pl.col("woman").n_unique()).sort(["woman", "vendor"], descending=True)
    )
    names = women.filter(pl.col("woman") >= smallest_group())["vendor"].to_list()[:MOST_VENDORS]
    found = [(_maker(name), np.where(known, (vendor == name).fill_null(False).to_numpy(), np.nan)) for name in names]  # fmt: skip
    if len(women):
        new = (~vendor.is_in(women["vendor"].implode())).fill_null(False).to_numpy()
        seen = Measure(
            "vendor:new", "A detector not seen before", "share", "more", "fewer",
            "studies from a maker of detectors that no study of the reference came from",
        )  # fmt: skip
        found.append((seen, np.where(known, new, np.nan)))
    return found


def _maker(name: str) -> Measure:
    return Measure(f"vendor:{name}", f"Detector: {name}", "share", "more", "fewer", f"studies from a detector made by {name}, as the files say")  # fmt: skip
