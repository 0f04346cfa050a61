"""The report of an evaluation: one page for an oncologist to read, with figures that need no network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.evaluation.page import drawn, filled, plain
from core.evaluation.proof import (
    GROUP_AT_LEAST,
    MAPS_AT_MOST,
    PUBLISHED_IN,
    PUBLISHED_SLOPES,
    Target,
    Verdict,
)
from core.evaluation.wording import bounds, known_seeds, percent, said_interval, said_seeds, with_bounds

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Page", "page_of", "report_page"]

INK, BLUE, ORANGE, GREEN, GREY, PINK = "#1F2937", "#0072B2", "#D55E00", "#009E73", "#8A8F98", "#CC79A7"
NAMES = {
    "risk": ("CNN + LSTM, all visits", INK, "circle"),
    "last": ("CNN alone, last visit", BLUE, "square"),
    "no_pixels": ("LSTM alone, no images", ORANGE, "diamond"),
    "dates": ("dates and visit counts only", GREY, "x"),
}
VERDICTS: tuple[Verdict, ...] = ("reached", "not reached", "cannot be told", "not measured", "shown")
WORST_FIRST: tuple[Verdict, ...] = ("not reached", "cannot be told", "not measured", "reached", "shown")


@dataclass(frozen=True)
class Cell:
    """A figure and, set under it, its interval."""

    value: str
    bounds: str


@dataclass(frozen=True)
class Topic:
    """How many of the targets of one topic are reached; `bound` of them have a bound to reach, `worst` is the worst verdict."""

    name: str
    worst: Verdict
    reached: int
    bound: int


@dataclass(frozen=True)
class AucRow:
    """AUC, or a gain in it, of the model, a control or a perfect reader: a cell a year, None where not measured."""

    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class CalibrationRow:
    """Whether the risks of one horizon come true; `covered` and `compatible` are empty where they were not measured."""

    years: str
    events: int
    n: int
    auc: str
    o_e: str
    slope: str
    brier: str
    covered: str
    compatible: str


@dataclass(frozen=True)
class IntervalCoverage:
    """How wide the intervals of 5-year risks are, in percentage points, and in how many tenths of women they hold."""

    points: str
    covered: str


@dataclass(frozen=True)
class BreastRow:
    """AUC by breast of cancer now or of growth and, where known, beside it what could be reached."""

    name: str
    events: int
    n: int
    auc: str
    oracle: str = ""
    oracle_of_visible: str = ""


@dataclass(frozen=True)
class DensityAgreement:
    """How well density is told."""

    n: int
    accuracy: str
    kappa: str
    kappa_linear: str


@dataclass(frozen=True)
class GroupRow:
    """AUC of one group of women; empty where there are too few cancers, or no perfect reader."""

    kind: str
    group: str
    years: str
    events: int
    n: int
    auc: str
    reader: str


@dataclass(frozen=True)
class SlopeRow:
    """By how much 5-year risk moves a year, beside what is published."""

    name: str
    n: int
    points_a_year: str
    times_a_year: str
    published: str
    published_level: str


@dataclass(frozen=True)
class SensitivityRow:
    """What history gives a perfect reader where one thing about the women is changed; empty where no model was evaluated."""

    moved: str
    value: str
    years: int
    gain: str
    model_gain: str


@dataclass(frozen=True)
class TrustRow:
    """Index studies at one level of trust, with AUC within 1 and 5 years where it can be told."""

    level: str
    reason: str
    n: int
    auc_1: str
    auc_5: str


@dataclass(frozen=True)
class IntervalRow:
    """What intervals hold of studies that lack something, and how wide they are in log-odds."""

    lack: str
    n: int
    held: str
    held_same: str
    width: str
    width_complete: str


@dataclass(frozen=True)
class Page:
    """All that the page says, in words and figures as they are read; what was not measured is empty or None.

    `verdicts` are the counts of each verdict that occurs, `targets` what `core.evaluation.proof` said, topic by topic.
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
        "auc": _auc_figure(measured),
        "gain": _gain_figure(measured),
        "calibration": _calibration_figure(measured),
        "groups": _group_figure(measured),
        "course": _course_figure(table),
        "sensitivity": _sensitivity_figure(measured.get("sensitivity") or ()),
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
        auc_rows=_auc_rows(measured),
        readers_fitted_on=measured.get("oracles", {}).get("readers", {}).get("fitted_on", ""),
        calibration=_calibration_rows(measured),
        c_index=said_interval(measured, "c_index") if measured.get("c_index_ci") else "",
        trust=_trust_rows(measured),
        agreement=_agreement(measured),
        intervals=_interval_rows(measured),
        taken_twice=measured.get("intervals", {}).get("taken_twice", 0),
        smallest_change=_smallest_change(measured),
        coverage=_coverage(measured),
        breasts=_breast_rows(measured),
        density=_density(measured),
        groups=_group_rows(measured),
        slopes=_slope_rows(measured),
        published_source=PUBLISHED_IN,
        explanations=_explanations(measured),
        sensitivity=_sensitivity_rows(measured.get("sensitivity") or ()),
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


def _auc_figure(measured: dict[str, Any]) -> go.Figure | None:
    import plotly.graph_objects as go

    if not measured["risk"]:
        return None
    figure = go.Figure()
    shown = {"risk": measured["risk"], **measured["controls"]}
    for place, (mode, by_horizon) in enumerate(shown.items()):
        years = [int(k) for k in by_horizon]
        name, colour, symbol = NAMES[mode]
        _points(
            figure, [year + 0.06 * (place - 1.5) for year in years], [by_horizon[str(k)]["auc"] for k in years],
            [by_horizon[str(k)]["auc_ci"] for k in years], name, colour, symbol,
        )  # fmt: skip
    readers = measured.get("oracles", {}).get("readers", {})
    years = [int(k) for k in readers if k.isdigit()]
    for key, name in (("history", "perfect reader, all visits"), ("last", "perfect reader, last visit")):
        if years:
            figure.add_scatter(
                x=years, y=[readers[str(k)][key] for k in years], name=name, mode="lines",
                line={"color": GREEN, "dash": "solid" if key == "history" else "dot", "width": 2},
            )  # fmt: skip
    figure.add_hline(y=0.5, line_dash="dot", line_color=GREY)
    return figure.update_layout(
        title="AUC of cancer within 1 to 5 years of the last study<br><sup>same women for all; bars: 95 % intervals</sup>",
        xaxis={"title": "Years from the last study", "dtick": 1}, yaxis_title="AUC", height=480,
    )  # fmt: skip


def _points(
    figure: go.Figure,
    x: Sequence[Any],
    y: Sequence[float],
    ends: Sequence[Sequence[float]],
    name: str,
    colour: str,
    symbol: str,
    **options: Any,
) -> None:
    """Add points with their intervals."""
    value, (low, high) = np.array(y), np.array(ends).T
    figure.add_scatter(
        x=list(x), y=list(y), name=name, mode="markers", marker={"color": colour, "symbol": symbol, "size": 9},
        error_y={"type": "data", "symmetric": False, "array": list(high - value), "arrayminus": list(value - low)},
        **options,
    )  # fmt: skip


def _auc_rows(measured: dict[str, Any]) -> tuple[AucRow, ...]:
    """Set AUC of the model, its controls and the perfect readers, and the gains, in rows with a cell a year."""
    years = list(measured["risk"])
    readers = {k: one for k, one in measured.get("oracles", {}).get("readers", {}).items() if k.isdigit()}
    said: list[tuple[str, dict[str, Any], str]] = [(NAMES["risk"][0], measured["risk"], "auc")]
    for mode, control in measured["controls"].items():
        said.append((NAMES[mode][0], control, "auc"))
        if mode != "dates":
            said.append(("gain over it", control, "gain"))
    if readers:
        said += [
            ("perfect reader, last visit", readers, "last"),
            ("perfect reader, all visits", readers, "history"),
            ("gain over the last visit", readers, "gain"),
        ]
    return tuple(
        AucRow(name, tuple(_cell(by_year[k], key) if k in by_year else None for k in years))
        for name, by_year, key in said
    )


def _cell(one: dict[str, Any], key: str) -> Cell:
    sign = key == "gain"
    return Cell(with_bounds(one[key], None, sign=sign), bounds(one[f"{key}_ci"], sign=sign))


def _gain_figure(measured: dict[str, Any]) -> go.Figure | None:
    import plotly.graph_objects as go

    control = measured["controls"].get("last", {})
    if not control:
        return None
    figure = go.Figure()
    years = [int(k) for k in control]
    _points(
        figure, [k - 0.05 for k in years], [control[str(k)]["gain"] for k in years],
        [control[str(k)]["gain_ci"] for k in years], "CNN + LSTM over CNN alone", INK, "circle",
    )  # fmt: skip
    readers = measured.get("oracles", {}).get("readers", {})
    known = [k for k in years if str(k) in readers]
    if known:
        _points(
            figure, [k + 0.05 for k in known], [readers[str(k)]["gain"] for k in known],
            [readers[str(k)]["gain_ci"] for k in known], "perfect reader: all visits over the last", GREEN, "diamond",
        )  # fmt: skip
    figure.add_hline(y=0, line_dash="dot", line_color=GREY)
    return figure.update_layout(
        title="What history adds<br><sup>difference of AUC, paired, 95 % intervals; above 0: history helps</sup>",
        xaxis={"title": "Years from the last study", "dtick": 1}, yaxis_title="Gain in AUC", height=380,
    )  # fmt: skip


def _calibration_rows(measured: dict[str, Any]) -> tuple[CalibrationRow, ...]:
    coverage = measured.get("interval_coverage", {})
    rows = []
    for years, said in measured["risk"].items():
        held = coverage.get(years)
        rows.append(
            CalibrationRow(
                years,
                said["events"],
                said["n"],
                said_interval(said, "auc"),
                with_bounds(said["o_e"], said["o_e_ci"], digits=2),
                with_bounds(said["calibration_slope"], said["calibration_slope_ci"], digits=2),
                with_bounds(said["brier"], None),
                percent(held["covered"]) if held else "",
                percent(held["compatible"]) if held else "",
            )
        )
    return tuple(rows)


def _calibration_figure(measured: dict[str, Any]) -> go.Figure | None:
    from plotly.subplots import make_subplots

    coverage = {
        k: measured["interval_coverage"][k]
        for k in ("1", "2", "5")
        if k in measured.get("interval_coverage", {})
    }
    if not coverage:
        return None
    figure = make_subplots(
        cols=len(coverage), subplot_titles=[f"within {k} year{'s' * (k != '1')}" for k in coverage]
    )
    for place, held in enumerate(coverage.values(), start=1):
        each = held["each"]
        said, seen = np.array([one["said"] for one in each]), np.array([one["seen"] for one in each])
        low, high = (np.array([one[key] for one in each]) for key in ("low", "high"))
        ends = np.array([one["seen_ci"] for one in each])
        top = float(max(high.max(), ends.max()))
        figure.add_scatter(
            x=[0, top],
            y=[0, top],
            mode="lines",
            line={"dash": "dot", "color": GREY},
            showlegend=False,
            col=place,
            row=1,
        )
        figure.add_scatter(
            x=said, y=seen, mode="markers", marker={"color": INK, "size": 8}, showlegend=False, col=place, row=1,
            error_x={"type": "data", "symmetric": False, "array": high - said, "arrayminus": said - low, "color": GREY},
            error_y={"type": "data", "symmetric": False, "array": ends[:, 1] - seen, "arrayminus": seen - ends[:, 0]},
        )  # fmt: skip
        figure.update_xaxes(title_text="risk said", tickformat=".0%", col=place, row=1)
        figure.update_yaxes(title_text="had cancer" if place == 1 else "", tickformat=".0%", col=place, row=1)
    return figure.update_layout(
        title="Risk said and cancers seen, women in tenths by risk<br><sup>on the dotted line: right. Across: mean interval "
        "of the risks; up: 95 % interval of what was seen</sup>",
        height=400,
    )  # fmt: skip


def _coverage(measured: dict[str, Any]) -> IntervalCoverage | None:
    held = measured.get("interval_coverage", {}).get("5")
    return IntervalCoverage(f"{100 * held['width']:.0f}", percent(held["covered"])) if held else None


def _trust_rows(measured: dict[str, Any]) -> tuple[TrustRow, ...]:
    return tuple(
        TrustRow(
            one["level"],
            one["reason"] or "",
            one["n"],
            *(said_interval(one, f"auc_{k}") if f"auc_{k}" in one else "" for k in (1, 5)),
        )
        for one in measured.get("trust", ())
    )


def _agreement(measured: dict[str, Any]) -> str:
    found = measured.get("agreement")
    if found is None:
        return ""
    return (
        f"Of {found['visits']} visits, {found['breast_above_woman']} give a breast more than the woman within a year, "
        f"{found['woman_above_both']} the woman more than both breasts together, and {found['falls']} a risk that falls "
        "with the years."
    )


def _interval_rows(measured: dict[str, Any]) -> tuple[IntervalRow, ...]:
    return tuple(
        IntervalRow(
            {"complete": "nothing", "no view": "every view of a breast"}.get(lack, lack),
            one["n"],
            *(
                f"{percent(one[key])} ({100 * one[f'{key}_ci'][0]:.0f}–{100 * one[f'{key}_ci'][1]:.0f})"
                for key in ("held", "held_same")
            ),
            *(f"{one[key]:.2f}" for key in ("width", "width_complete")),
        )
        for lack, one in measured.get("intervals", {}).get("by_lack", {}).items()
    )


def _smallest_change(measured: dict[str, Any]) -> str:
    known = measured.get("intervals", {}).get("smallest_change", {}).get("risk")
    if not known:
        return ""
    factors = [f"× {math.exp(one):.2f}" for one in known]
    return (
        f"The odds of cancer within 5 years must change by more than {', '.join(factors[:3])} (low, middle and high risks), in "
        f"breasts of density C or D by more than {', '.join(factors[3:])}, to be more than "
        f"what positioning and exposure do ({measured['intervals']['repeated_on']})."
    )


def _breast_rows(measured: dict[str, Any]) -> tuple[BreastRow, ...]:
    oracle = measured.get("oracles", {}).get("malignancy")
    beside = (said_interval(oracle, "oracle"), said_interval(oracle, "visible_only")) if oracle else ()
    rows = [
        ("malignancy", "Cancer now or found within a year, by breast", beside),
        ("progression_with_lesion", "Cancer has grown since the prior, by breast, women with a lesion", ()),
        ("progression", "The same, all women", ()),
    ]
    return tuple(
        BreastRow(name, said["events"], said["n"], said_interval(said, "auc"), *known)
        for key, name, known in rows
        if (said := measured.get(key)) is not None
    )


def _density(measured: dict[str, Any]) -> DensityAgreement | None:
    said = measured.get("density")
    if not said:
        return None
    kappas = (with_bounds(said[key], said[f"{key}_ci"], digits=2) for key in ("kappa", "kappa_linear"))
    return DensityAgreement(said["n"], percent(said["accuracy"]), *kappas)


def _group_figure(measured: dict[str, Any]) -> go.Figure | None:
    from plotly.subplots import make_subplots

    groups = measured.get("groups")
    if not groups:
        return None
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=["within 1 year", "within 5 years"])
    order = [
        plain(f"{kind}: {one['group']}") for kind, by_horizon in groups.items() for one in by_horizon["5"]
    ]
    for place, horizon in enumerate(("1", "5"), start=1):
        for key, ends, name, colour, symbol in (
            ("auc", "auc_ci", "CNN + LSTM", INK, "circle"),
            ("reader", "reader_ci", "perfect reader", GREEN, "diamond"),
        ):
            shown = [
                (plain(f"{kind}: {one['group']} ({one['n']})"), one[key], *one[ends])
                for kind, by_horizon in groups.items()
                for one in by_horizon[horizon]
                if key in one
            ]
            if not shown:
                continue
            labels, value, low, high = (list(column) for column in zip(*shown, strict=True))
            figure.add_scatter(
                x=value, y=[label.rsplit(" (", 1)[0] for label in labels], text=labels, name=name, mode="markers", col=place, row=1,
                marker={"color": colour, "symbol": symbol, "size": 9}, showlegend=place == 1,
                error_x={
                    "type": "data", "symmetric": False, "array": np.array(high) - value,
                    "arrayminus": np.array(value) - low, "thickness": 1,
                },
            )  # fmt: skip
        whole = measured["risk"].get(horizon, {}).get("auc")
        for at, dash, name in (
            (whole, "solid", "all women"),
            (GROUP_AT_LEAST * whole if whole else None, "dot", f"{GROUP_AT_LEAST:.1f} of that"),
        ):
            if at:
                figure.add_scatter(
                    x=[at, at], y=[order[0], order[-1]], mode="lines", name=name, showlegend=place == 1,
                    line={"color": GREY, "dash": dash, "width": 1.5}, col=place, row=1,
                )  # fmt: skip
        figure.update_xaxes(title_text="AUC", col=place, row=1)
    figure.update_yaxes(autorange="reversed", automargin=True, categoryorder="array", categoryarray=order)
    return figure.update_layout(
        title=f"AUC by group<br><sup>line: all women; dotted: {GROUP_AT_LEAST:.1f} of that; bars: 95 % intervals</sup>",
        height=620,
    )


def _group_rows(measured: dict[str, Any]) -> tuple[GroupRow, ...]:
    return tuple(
        GroupRow(
            kind,
            one["group"],
            years,
            one["events"],
            one["n"],
            *(
                with_bounds(one[key], one[f"{key}_ci"], digits=2) if key in one else ""
                for key in ("auc", "reader")
            ),
        )
        for kind, by_horizon in measured.get("groups", {}).items()
        for years, groups in by_horizon.items()
        for one in groups
    )


def _slope_rows(measured: dict[str, Any]) -> tuple[SlopeRow, ...]:
    rows = []
    for kind, name in (("cancer", "Women who came to have cancer"), ("none", "Women in whom none was seen")):
        said, published = measured["slopes"].get(kind), PUBLISHED_SLOPES[kind]
        if said is None:
            continue
        rows.append(
            SlopeRow(
                name,
                said["n"],
                with_bounds(said["percent_a_year"], said["percent_a_year_ci"], digits=2),
                with_bounds(said["times_a_year"], said["times_a_year_ci"]),
                with_bounds(published.percent_a_year, published.ends, digits=2),
                published.level,
            )
        )
    return tuple(rows)


def _course_figure(table: pd.DataFrame) -> go.Figure | None:
    import plotly.graph_objects as go

    figure = go.Figure()
    last = table.groupby("patient_id")["day"].transform("max")
    ill = table.groupby("patient_id")["years_to_cancer"].transform(lambda x: x.notna().any()).astype(bool)
    for name, colour, aside, here, ahead in (
        ("came to have cancer", ORANGE, 0.05, ill, table["years_to_cancer"]),
        ("no cancer seen (time to the last study)", GREY, -0.05, ~ill, (last - table["day"]) / 365.25),
    ):
        year = np.floor(ahead.to_numpy(float))
        xs, ys, ends = [], [], []
        for k in range(6):
            risk = table["served_5"].to_numpy(float)[here.to_numpy() & (year == k)]
            if len(risk) >= 10:
                xs.append(aside - (k + 0.5))
                ys.append(float(np.median(risk)))
                ends.append(list(np.quantile(risk, [0.25, 0.75])))
        if xs:
            _points(figure, xs, ys, ends, name, colour, "circle")
    if not figure.data:
        return None
    return figure.update_layout(
        title="5-year risk in the years before a diagnosis<br><sup>median and middle half of the visits in each year</sup>",
        xaxis_title="Years before diagnosis (or before the last study)", height=380,
        # Natural risks and those with a tumour in view lie a hundredfold apart.
        yaxis={"title": "5-year risk, logarithmic", "type": "log", "dtick": "D2", "tickformat": "~%"},
    )  # fmt: skip


def _explanations(measured: dict[str, Any]) -> tuple[str, ...]:
    words = []
    pointing = measured.get("pointing", {})
    if pointing.get("hits") is not None:
        kinds = "; ".join(
            f"{kind} {percent(pointing[kind]['hits'])} of {pointing[kind]['n']}"
            for kind in ("malignant", "benign")
            if pointing[kind]["hits"] is not None
        )
        words.append(
            f"The hottest point of the heat map lies on the finding in {percent(pointing['hits'])} of {pointing['n']} views with "
            f"a visible finding of 10 mm or more ({kinds})."
        )
    maps = measured.get("randomisation")
    if maps:
        words.append(
            f"With the network's weights shuffled, maps keep a rank correlation of {maps['correlation']:.2f} with the real "
            f"ones, and the hottest point lies on the finding in {percent(maps['hits'])}: the maps show what was learned, not "
            "what any network would show."
            if maps["correlation"] <= MAPS_AT_MOST
            else f"With the network's weights shuffled, maps still correlate at {maps['correlation']:.2f} with the real ones: "
            "part of what they show is not what was learned."
        )
    adds = measured.get("contributions")
    if adds:
        off = adds["largest_difference"]
        words.append(
            f"In {adds['women']} women, what each visit brought adds up to the change in the score"
            + (f", to {off:.0e} in log-odds." if off else " exactly.")
        )
    moved = measured.get("moved")
    if moved:
        shuffled = moved["shuffled"]
        words.append(
            f"Why a score moved since the prior: in {moved['women']} women the parts sum to the change, to "
            f"{moved['largest_difference']:.0e} in log-odds. Taking the largest part back to the prior moves the score most in "
            f"{percent(moved['largest_first'])}; the sizes of parts and of what taking them back does agree in rank "
            f"({moved['rank_agreement']:.2f}). With the weights of the sequence shuffled, parts are "
            f"{shuffled['size']:.2f} times as large and keep a rank correlation of {shuffled['rank_correlation']:.2f} with "
            "the real ones."
        )
    return tuple(words)


def _sensitivity_figure(rows: Sequence[dict[str, Any]]) -> go.Figure | None:
    from plotly.subplots import make_subplots

    moved = list(dict.fromkeys(row["moved"] for row in rows))
    if not moved:
        return None
    figure = make_subplots(
        cols=len(moved), shared_yaxes=True, subplot_titles=[plain(name.replace("_", " ")) for name in moved]
    )
    colours = {1: BLUE, 2: PINK, 5: INK}
    for place, name in enumerate(moved, start=1):
        for horizon, colour in colours.items():
            here = [row for row in rows if row["moved"] == name and row["horizon_years"] == horizon]
            if not here:
                continue
            value = np.array([row["gain"] for row in here])
            ends = np.array([row["gain_ci"] for row in here])
            figure.add_scatter(
                x=[row["value"] for row in here], y=value, mode="lines+markers", name=f"{horizon}-year AUC", col=place, row=1,
                marker={"color": colour, "symbol": "circle-open", "size": 8}, line={"color": colour}, showlegend=place == 1,
                error_y={
                    "type": "data", "symmetric": False, "array": ends[:, 1] - value, "arrayminus": value - ends[:, 0],
                    "thickness": 1,
                },
            )  # fmt: skip
            own = [row for row in here if row.get("model_gain") is not None]
            if own:
                _points(
                    figure, [row["value"] for row in own], [row["model_gain"] for row in own],
                    [row["model_gain_ci"] for row in own], f"this software, {horizon}-year", colour, "circle",
                    showlegend=place == 1, col=place, row=1,
                )  # fmt: skip
    figure.update_yaxes(title_text="Gain in AUC from history", col=1, row=1)
    return figure.update_layout(height=420)


def _sensitivity_rows(rows: Sequence[dict[str, Any]]) -> tuple[SensitivityRow, ...]:
    return tuple(
        SensitivityRow(
            row["moved"].replace("_", " "),
            f"{row['value']:g}",
            row["horizon_years"],
            with_bounds(row["gain"], row["gain_ci"], sign=True),
            with_bounds(row["model_gain"], row["model_gain_ci"], sign=True)
            if row.get("model_gain") is not None
            else "",
        )
        for row in rows
    )
