"""The report of an evaluation: one page for an oncologist to read, with figures that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.evaluation.longitudinal_figures import (
    auc_figure,
    calibration_figure,
    course_figure,
    gain_figure,
    group_figure,
    sensitivity_figure,
)
from core.evaluation.longitudinal_rows import (
    AucRow,
    BreastRow,
    CalibrationRow,
    DensityAgreement,
    GroupRow,
    IntervalCoverage,
    IntervalRow,
    SensitivityRow,
    SlopeRow,
    TrustRow,
    agreement_words,
    auc_rows,
    breast_rows,
    calibration_rows,
    density_agreement,
    explanation_words,
    group_rows,
    interval_coverage,
    interval_rows,
    sensitivity_rows,
    slope_rows,
    smallest_change_words,
    trust_rows,
)
from core.evaluation.page import drawn, filled
from core.evaluation.targets import (
    PUBLISHED_IN,
    Target,
    Verdict,
)
from core.evaluation.wording import known_seeds, said_interval, said_seeds
from core.palette import INK

__all__ = ["Page", "page_of", "report_page"]

VERDICTS: tuple[Verdict, ...] = ("reached", "not reached", "cannot be told", "not measured", "shown")
WORST_FIRST: tuple[Verdict, ...] = ("not reached", "cannot be told", "not measured", "reached", "shown")


@dataclass(frozen=True)
class Topic:
    """How many of the targets of one topic are reached; `bound` of them have a bound to reach, `worst` is the worst verdict."""

    name: str
    worst: Verdict
    reached: int
    bound: int


@dataclass(frozen=True)
class Page:
    """All that the page says, in words and figures as they are read; what was not measured is empty or None.

    `verdicts` are the counts of each verdict that occurs, `targets` what `core.evaluation.targets` said, topic by topic.
    """

    model: str
    title: str
    weights: str
    women: int
    visits: int
    images_used: int
    images_left_out: int
    draws: int
    seeds: str
    known_seeds: str
    risks_as: str
    simulated: bool
    statements: tuple[str, ...]
    topics: tuple[Topic, ...]
    auc_years: tuple[str, ...]
    auc_rows: tuple[AucRow, ...]
    readers_fitted_on: str
    calibration: tuple[CalibrationRow, ...]
    c_index: str
    trust: tuple[TrustRow, ...]
    agreement: str
    intervals: tuple[IntervalRow, ...]
    taken_twice: int
    smallest_change: str
    coverage: IntervalCoverage | None
    breasts: tuple[BreastRow, ...]
    density: DensityAgreement | None
    groups: tuple[GroupRow, ...]
    slopes: tuple[SlopeRow, ...]
    published_source: str
    explanations: tuple[str, ...]
    sensitivity: tuple[SensitivityRow, ...]
    verdicts: tuple[tuple[Verdict, int], ...]
    targets: tuple[Target, ...]


def report_page(measured: dict[str, Any], table: pd.DataFrame) -> str:
    """Return the report as one HTML page that opens without a network.

    Parameters
    ----------
    measured
        What `core.evaluation.longitudinal.evaluate_longitudinal` writes to metrics.json.
    table
        Its predictions, one row a visit.
    """
    figures = {
        "auc": auc_figure(measured),
        "gain": gain_figure(measured),
        "calibration": calibration_figure(measured),
        "groups": group_figure(measured),
        "course": course_figure(table),
        "sensitivity": sensitivity_figure(measured.get("sensitivity") or ()),
    }
    for figure in figures.values():
        if figure is not None:
            figure.update_layout(
                template="simple_white", font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
                margin={"l": 60, "r": 20, "t": 70 if not figure.layout.annotations else 110, "b": 50},
                legend={"orientation": "h", "y": -0.25, "yanchor": "top"},
            )  # fmt: skip
    pieces = drawn(figures.values(), {"displayModeBar": False, "responsive": True})
    return filled(
        "longitudinal_report.html.j2",
        page=page_of(measured),
        figures=dict(zip(figures, pieces, strict=True)),
    )


def page_of(measured: dict[str, Any]) -> Page:
    """Return what the page says of `measured`, as `report_page` takes it."""
    about = measured["set"]
    said = [Target(**one) for one in measured["targets"]]
    counts = [(verdict, sum(one.verdict == verdict for one in said)) for verdict in VERDICTS]
    return Page(
        model=measured["model"],
        title=measured["title"],
        weights=measured["weights_sha256"][:12],
        women=measured["women"],
        visits=measured["visits"],
        images_used=measured["images"]["used"],
        images_left_out=measured["images"]["left_out"],
        draws=measured["draws"],
        seeds=said_seeds(about["seeds"]),
        known_seeds=known_seeds(about),
        risks_as=about["risks_as"],
        simulated=about["simulated"],
        statements=tuple(about["statements"]),
        topics=_topics(said),
        auc_years=tuple(measured["risk"]),
        auc_rows=auc_rows(measured),
        readers_fitted_on=measured.get("oracles", {}).get("readers", {}).get("fitted_on", ""),
        calibration=calibration_rows(measured),
        c_index=said_interval(measured, "c_index") if measured.get("c_index_ci") else "",
        trust=trust_rows(measured),
        agreement=agreement_words(measured),
        intervals=interval_rows(measured),
        taken_twice=measured.get("intervals", {}).get("taken_twice", 0),
        smallest_change=smallest_change_words(measured),
        coverage=interval_coverage(measured),
        breasts=breast_rows(measured),
        density=density_agreement(measured),
        groups=group_rows(measured),
        slopes=slope_rows(measured),
        published_source=PUBLISHED_IN,
        explanations=explanation_words(measured),
        sensitivity=sensitivity_rows(measured.get("sensitivity") or ()),
        verdicts=tuple((verdict, count) for verdict, count in counts if count),
        targets=tuple(said),
    )


def _topics(said: Sequence[Target]) -> tuple[Topic, ...]:
    found = []
    for name in dict.fromkeys(one.topic for one in said):
        verdicts = [one.verdict for one in said if one.topic == name]
        worst = next(one for one in WORST_FIRST if one in verdicts)
        found.append(Topic(name, worst, verdicts.count("reached"), sum(one != "shown" for one in verdicts)))
    return tuple(found)
