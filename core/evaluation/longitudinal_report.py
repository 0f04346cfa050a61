"""The report of an evaluation: one page for an oncologist to read, with figures that need no network."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.evaluation.proof import GROUP_AT_LEAST, MAPS_AT_MOST, PUBLISHED_SLOPES, known_seeds, seeds_said

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["report_page"]

INK, BLUE, ORANGE, GREEN, GREY, PINK = "#1F2937", "#0072B2", "#D55E00", "#009E73", "#8A8F98", "#CC79A7"
NAMES = {
    "risk": ("CNN + LSTM, all visits", INK, "circle"),
    "last": ("CNN alone, last visit", BLUE, "square"),
    "no_pixels": ("LSTM alone, no images", ORANGE, "diamond"),
    "dates": ("dates and visit counts only", GREY, "x"),
}
SHADES = {
    "reached": "#E3F4EC",
    "not reached": "#FBE5DC",
    "cannot be told": "#FFF3D6",
    "not measured": "#F0F1F3",
    "shown": "#E8EEF7",
}
MARKS = {"reached": "✓", "not reached": "✗", "cannot be told": "?", "not measured": "–", "shown": "•"}
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1F2937;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem;margin-bottom:.2rem} h2{font-size:1.25rem;margin-top:2.5rem} p.note{color:#555;font-size:.9rem}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
td,th{padding:.35rem .6rem;text-align:left;border-bottom:1px solid #E4E6EA;vertical-align:top}
th{font-weight:600} td.n,th.n{text-align:right;white-space:nowrap} td.n small{display:block;color:#555} td.v{white-space:nowrap;font-weight:600}
.box{border-left:4px solid #E69F00;background:#FFF9EC;padding:.6rem 1rem;margin:1rem 0}
"""
DEFINITIONS = """
<dl>
<dt><b>AUC</b></dt><dd>The chance that a woman who came to have cancer was given a higher risk than one who did not. 0.5 is
chance. Judged at each woman's last study; women who were lost to follow-up before the horizon are left out.</dd>
<dt><b>CNN + LSTM, CNN alone, LSTM alone</b></dt><dd>The model: a network that reads the images (CNN), and one that follows
her from visit to visit (LSTM). CNN alone was trained to see only the last visit; LSTM alone sees age, density and the
intervals between visits, no image.</dd>
<dt><b>Perfect readers</b></dt><dd>Two imagined readers of simulated women, to say what could be known at all. Both are shown
every finding that stands out on film, as it looks and with its true size, with age and density; neither is told what is
malignant. One sees the last study, the other all studies: what was there before, how fast it grew, what is new. Their
difference is what history can give. What is hidden in the tissue they do not see.</dd>
<dt><b>Truth oracle</b></dt><dd>Knows of every breast whether there is a cancer and how large it is, visible or not.</dd>
<dt><b>Gain</b></dt><dd>Difference of two AUCs on the same women. Its interval (95 %), like that of a share, is by drawing women
again DRAWS times, both scores of each woman together; that of an AUC is by DeLong's formula. Intervals hold the chance of
which women were evaluated, not that of training another time.</dd>
<dt><b>Seen over expected (O/E)</b></dt><dd>Cancers that came over the sum of the risks said; below 1 is overestimation. Women lost to
follow-up are stood in for by those followed longer.</dd>
<dt><b>Calibration slope</b></dt><dd>1 is right; below 1 the risks are too extreme, above 1 too timid.</dd>
<dt><b>Women with a lesion</b></dt><dd>For progression: a finding of 3 mm or more, benign or malignant, visible or not, in either
breast at that visit or the one before.</dd>
<dt><b>Intervals around risks</b></dt><dd>One woman's true risk is never seen. So women are put in tenths by predicted risk, and the
share of tenths is told whose mean interval (90 %) holds the share that had cancer, or meets that share's own 95 % interval.</dd>
<dt><b>Groups</b></dt><dd>A group is called too low where its AUC is below 0.9 of that of all women; explained where it is
harder for the perfect reader too, so that the model keeps there at least 0.9 of what that reader keeps.</dd>
<dt><b>C-index</b></dt><dd>Of two women of whom it is known who had cancer first, how often the risk said so. 0.5 is chance.</dd>
</dl>
"""


def report_page(measured: dict[str, Any], table: pd.DataFrame) -> str:
    """Return the report as one HTML page that opens without a network.

    Parameters
    ----------
    measured
        What `core.evaluation.longitudinal.evaluate_longitudinal` writes to metrics.json.
    table
        Its predictions, one row a visit.
    """
    figures = _Figures()
    parts = [
        _opening(measured),
        _headline(measured),
        "<h2>Who will have cancer: all visits, and simpler ways</h2>",
        figures.add(_auc_figure(measured)),
        _auc_table(measured),
        _gain_words(measured),
        figures.add(_gain_figure(measured)),
        "<h2>Do the risks come true?</h2>",
        _calibration_table(measured),
        figures.add(_calibration_figure(measured)),
        _coverage_words(measured),
        "<h2>Cancer now, growth, density</h2>",
        _breast_table(measured),
        "<h2>Which women?</h2>",
        figures.add(_group_figure(measured)),
        _group_table(measured),
        "<h2>How risk moves in the years before a diagnosis</h2>",
        _slope_table(measured),
        figures.add(_course_figure(table)),
        "<h2>Can the explanations be trusted?</h2>",
        _explanation_words(measured),
    ]
    if measured.get("sensitivity"):
        parts += [
            "<h2>How much depends on what the simulated women are made of</h2>",
            "<p>Gain of a perfect reader from seeing all visits, when one thing about the women is changed at a time. "
            "Thousands of simulated lives without pictures; filled markers: this software, where it was evaluated.</p>",
            figures.add(_sensitivity_figure(measured["sensitivity"])),
            _sensitivity_table(measured["sensitivity"]),
        ]
    parts += [_verdicts(measured), "<h2>What the words mean</h2>", _definitions(measured)]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>Evaluation of {html.escape(measured['model'])}</title><style>{STYLE}</style></head><body>"
        + "".join(parts)
        + "</body></html>\n"
    )


def _definitions(measured: dict[str, Any]) -> str:
    return DEFINITIONS.replace("DRAWS", str(measured["draws"]))


class _Figures:
    """Turns figures to HTML; the first brings the drawing library along."""

    def __init__(self) -> None:
        self.drawn = 0

    def add(self, figure: go.Figure | None) -> str:
        if figure is None:
            return ""
        figure.update_layout(
            template="simple_white", font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
            margin={"l": 60, "r": 20, "t": 70 if not figure.layout.annotations else 110, "b": 50},
            legend={"orientation": "h", "y": -0.25, "yanchor": "top"},
        )  # fmt: skip
        self.drawn += 1
        return str(
            figure.to_html(
                full_html=False,
                include_plotlyjs="inline" if self.drawn == 1 else False,
                config={"displayModeBar": False, "responsive": True},
            )
        )


def _opening(measured: dict[str, Any]) -> str:
    about = measured["set"]
    what = (
        "<div class='box'><b>Simulated women.</b> "
        + " ".join(html.escape(one) for one in about["statements"])
        + " What is reached here says nothing yet of real women.</div>"
        if about["simulated"]
        else ""
    )
    seeds = seeds_said(about["seeds"])
    known = known_seeds(about)
    if known:
        what += (
            f"<div class='box'><b>The model learned from women of seed {html.escape(known)}.</b> "
            "What is shown here is better than it will do on others.</div>"
        )
    return (
        f"<h1>How good is the model?</h1><p><b>{html.escape(measured['title'])}</b></p>"
        f"<p>{measured['women']} women, {measured['visits']} visits, {measured['images']['used']} images"
        + (f", {measured['images']['left_out']} left out" if measured["images"]["left_out"] else "")
        + (f"; seed {html.escape(seeds)}" if seeds else "")
        + f". Risks are read {html.escape(about['risks_as'])}.</p>{what}"
        "<p class='note'>Research software. Not for diagnosis. "
        f"Weights: {html.escape(measured['model'])}, {measured['weights_sha256'][:12]}.</p>"
    )


def _headline(measured: dict[str, Any]) -> str:
    """One line for each topic: how many of its targets are reached."""
    rows = []
    for topic in dict.fromkeys(one["topic"] for one in measured["targets"]):
        verdicts = [one["verdict"] for one in measured["targets"] if one["topic"] == topic]
        worst = next(
            one
            for one in ("not reached", "cannot be told", "not measured", "reached", "shown")
            if one in verdicts
        )
        bound = [one for one in verdicts if one != "shown"]
        count = (
            f"{verdicts.count('reached')} of {len(bound)} targets reached" if bound else "no bound to reach"
        )
        rows.append(
            f"<tr style='background:{SHADES[worst]}'><td>{html.escape(topic)}</td>"
            f"<td class='v'>{MARKS[worst]} {worst}</td>"
            f"<td>{count}</td></tr>"
        )
    return f"<h2>In one glance</h2><table>{''.join(rows)}</table>"


def _verdicts(measured: dict[str, Any]) -> str:
    said = measured["targets"]
    count = {verdict: sum(one["verdict"] == verdict for one in said) for verdict in MARKS}
    rows, topic = [], None
    for one in said:
        if one["topic"] != topic:
            topic = one["topic"]
            rows.append(f"<tr><th colspan='5'>{html.escape(topic)}</th></tr>")
        rows.append(
            f"<tr><td>{html.escape(one['what'])}</td><td>{html.escape(one['target'])}</td>"
            f"<td>{html.escape(one['measured'])}</td><td class='v' style='background:{SHADES[one['verdict']]}'>"
            f"{MARKS[one['verdict']]} {one['verdict']}</td><td>{html.escape(one['comment'])}</td></tr>"
        )
    words = ", ".join(f"{number} {verdict}" for verdict, number in count.items() if number)
    return (
        f"<h2>Every target: {words}</h2><table><tr><th>What</th><th>Target</th><th>Measured (95 % interval)</th>"
        f"<th>Verdict</th><th></th></tr>{''.join(rows)}</table>"
    )


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


def _auc_table(measured: dict[str, Any]) -> str:
    """Set AUC of the model, its controls and the perfect readers, and the gains, in a table with a column a year."""
    years = list(measured["risk"])
    if not years:
        return ""
    readers = {k: one for k, one in measured.get("oracles", {}).get("readers", {}).items() if k.isdigit()}
    rows: list[tuple[str, dict[str, Any], str, Callable[[float, Sequence[float]], str]]] = [
        (NAMES["risk"][0], measured["risk"], "auc", _with_ends)
    ]
    for mode, control in measured["controls"].items():
        rows.append((NAMES[mode][0], control, "auc", _with_ends))
        if mode != "dates":
            rows.append(("gain over it", control, "gain", _with_sign))
    if readers:
        rows += [
            ("perfect reader, last visit", readers, "last", _with_ends),
            ("perfect reader, all visits", readers, "history", _with_ends),
            ("gain over the last visit", readers, "gain", _with_sign),
        ]
    body = "".join(
        f"<tr><td>{name}</td>"
        + "".join(
            f"<td class='n'>{_in_two_lines(words(said[k][key], said[k][f'{key}_ci'])) if k in said else ''}</td>"
            for k in years
        )
        + "</tr>"
        for name, said, key, words in rows
    )
    head = "".join(f"<th class='n'>within {k} year{'s' * (k != '1')}</th>" for k in years)
    return f"<table><tr><th>AUC (95 % interval)</th>{head}</tr>{body}</table>"


def _gain_words(measured: dict[str, Any]) -> str:
    readers = measured.get("oracles", {}).get("readers", {})
    if not readers:
        return ""
    return (
        "<p>How much can history give at all? The perfect readers learned what findings mean from "
        f"{html.escape(readers['fitted_on'])}.</p>"
    )


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


def _calibration_table(measured: dict[str, Any]) -> str:
    coverage = measured.get("interval_coverage", {})
    rows = []
    for k, said in measured["risk"].items():
        held = coverage.get(k)
        rows.append(
            f"<tr><td>{k}</td><td class='n'>{said['events']} of {said['n']}</td>"
            f"<td class='n'>{_with_ends(said['auc'], said['auc_ci'])}</td>"
            f"<td class='n'>{_with_ends(said['o_e'], said['o_e_ci'], 2)}</td>"
            f"<td class='n'>{_with_ends(said['calibration_slope'], said['calibration_slope_ci'], 2)}</td>"
            f"<td class='n'>{said['brier']:.3f}</td>"
            + (
                f"<td class='n'>{held['covered']:.0%}</td><td class='n'>{held['compatible']:.0%}</td></tr>"
                if held
                else "<td></td><td></td></tr>"
            )
        )
    ends = measured.get("c_index_ci")
    concordance = (
        f"<p>Over all times together, the C-index is {_with_ends(measured['c_index'], ends)}.</p>"
        if ends
        else ""
    )
    return (
        "<table><tr><th>Years</th><th>Cancers</th><th>AUC</th><th>Seen / expected</th><th>Slope</th><th>Brier</th>"
        "<th>Intervals that hold what was seen</th><th>that its own interval meets</th></tr>"
        + "".join(rows)
        + f"</table>{concordance}"
    )


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


def _coverage_words(measured: dict[str, Any]) -> str:
    held = measured.get("interval_coverage", {}).get("5")
    if not held:
        return ""
    return (
        f"<p>The intervals shown with 5-year risks (90 %, from the ensemble's disagreement) are {100 * held['width']:.0f} points wide "
        f"on average and hold what was seen in {held['covered']:.0%} of the tenths.</p>"
    )


def _breast_table(measured: dict[str, Any]) -> str:
    rows = []
    oracle = measured.get("oracles", {}).get("malignancy")
    if "malignancy" in measured:
        said = measured["malignancy"]
        beside = ""
        if oracle:
            beside = (
                f"{_with_ends(oracle['oracle'], oracle['oracle_ci'])} for one who knows every true cancer and its size; "
                f"{_with_ends(oracle['visible_only'], oracle['visible_only_ci'])} if only those that show"
            )
        rows.append(("Cancer now or found within a year, by breast", said, beside))
    if "progression_with_lesion" in measured:
        rows.append(
            (
                "Cancer has grown since the prior, by breast, women with a lesion",
                measured["progression_with_lesion"],
                "",
            )
        )
    if "progression" in measured:
        rows.append(("The same, all women", measured["progression"], ""))
    body = "".join(
        f"<tr><td>{name}</td><td class='n'>{said['events']} of {said['n']}</td>"
        f"<td class='n'>{_with_ends(said['auc'], said['auc_ci'])}</td><td>{beside}</td></tr>"
        for name, said, beside in rows
    )
    density = measured.get("density")
    words = (
        f"<p>Density A to D is right in {density['accuracy']:.0%} of {density['n']} breasts; kappa "
        f"{_with_ends(density['kappa'], density['kappa_ci'], 2)}, with linear weights "
        f"{_with_ends(density['kappa_linear'], density['kappa_linear_ci'], 2)}. Readers agree with each other at "
        "0.67 to 0.85 (Lehman 2018).</p>"
        if density
        else ""
    )
    return f"<table><tr><th></th><th>Cases</th><th>AUC</th><th>Beside it</th></tr>{body}</table>{words}"


def _group_figure(measured: dict[str, Any]) -> go.Figure | None:
    from plotly.subplots import make_subplots

    groups = measured.get("groups")
    if not groups:
        return None
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=["within 1 year", "within 5 years"])
    order = [f"{kind}: {one['group']}" for kind, by_horizon in groups.items() for one in by_horizon["5"]]
    for place, horizon in enumerate(("1", "5"), start=1):
        for key, ends, name, colour, symbol in (
            ("auc", "auc_ci", "CNN + LSTM", INK, "circle"),
            ("reader", "reader_ci", "perfect reader", GREEN, "diamond"),
        ):
            shown = [
                (f"{kind}: {one['group']} ({one['n']})", one[key], *one[ends])
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


def _group_table(measured: dict[str, Any]) -> str:
    rows = []
    for kind, by_horizon in measured.get("groups", {}).items():
        for horizon, groups in by_horizon.items():
            for one in groups:
                own = _with_ends(one["auc"], one["auc_ci"], 2) if "auc" in one else "too few cancers"
                reader = _with_ends(one["reader"], one["reader_ci"], 2) if "reader" in one else ""
                rows.append(
                    f"<tr><td>{html.escape(kind)}: {html.escape(one['group'])}</td><td class='n'>{horizon}</td>"
                    f"<td class='n'>{one['events']} of {one['n']}</td><td class='n'>{own}</td><td class='n'>{reader}</td></tr>"
                )
    return (
        "<details><summary>The same in figures</summary><table><tr><th>Group</th><th>Years</th><th>Cancers</th>"
        f"<th>CNN + LSTM, AUC</th><th>Perfect reader, AUC</th></tr>{''.join(rows)}</table></details>"
        if rows
        else ""
    )


def _slope_table(measured: dict[str, Any]) -> str:
    rows = []
    for kind, words in (("cancer", "Women who came to have cancer"), ("none", "Women in whom none was seen")):
        said, published = measured["slopes"].get(kind), PUBLISHED_SLOPES[kind]
        if said is None:
            continue
        ends = published["ci"]  # type: ignore[index]
        shown = f"{published['percent_a_year']:.2f}"  # type: ignore[index]
        if ends:
            shown += f" ({ends[0]:.2f} to {ends[1]:.2f})"
        rows.append(
            f"<tr><td>{words}</td><td class='n'>{said['n']}</td>"
            f"<td class='n'>{_with_ends(said['percent_a_year'], said['percent_a_year_ci'], 2)}</td>"
            f"<td class='n'>{shown}</td>"
            f"<td class='n'>× {_with_ends(said['times_a_year'], said['times_a_year_ci'], 3)}</td>"
            f"<td>{published['level']}</td></tr>"  # type: ignore[index]
        )
    return (
        "<table><tr><th></th><th>Women</th><th>5-year risk, points a year</th><th>Published</th><th>Factor a year</th>"
        f"<th>Published level</th></tr>{''.join(rows)}</table><p class='note'>Published: {PUBLISHED_SLOPES['source']}, real "
        "women and another model. Points a year depend on how common cancer is among the women; the factor less so "
        "(published before a cancer: about × 1.21 a year).</p>"
    )


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


def _explanation_words(measured: dict[str, Any]) -> str:
    words = []
    pointing = measured.get("pointing", {})
    if pointing.get("hits") is not None:
        kinds = "; ".join(
            f"{kind} {pointing[kind]['hits']:.0%} of {pointing[kind]['n']}"
            for kind in ("malignant", "benign")
            if pointing[kind]["hits"] is not None
        )
        words.append(
            f"The hottest point of the heat map lies on the finding in {pointing['hits']:.0%} of {pointing['n']} views with "
            f"a visible finding of 10 mm or more ({kinds})."
        )
    maps = measured.get("randomisation")
    if maps:
        words.append(
            f"With the network's weights shuffled, maps keep a rank correlation of {maps['correlation']:.2f} with the real "
            f"ones, and the hottest point lies on the finding in {maps['hits']:.0%}: the maps show what was learned, not "
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
    return "".join(f"<p>{html.escape(one)}</p>" for one in words)


def _sensitivity_figure(rows: Sequence[dict[str, Any]]) -> go.Figure | None:
    from plotly.subplots import make_subplots

    moved = list(dict.fromkeys(row["moved"] for row in rows))
    if not moved:
        return None
    figure = make_subplots(
        cols=len(moved), shared_yaxes=True, subplot_titles=[name.replace("_", " ") for name in moved]
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


def _sensitivity_table(rows: Sequence[dict[str, Any]]) -> str:
    body = "".join(
        f"<tr><td>{html.escape(row['moved'].replace('_', ' '))}</td><td class='n'>{row['value']:g}</td>"
        f"<td class='n'>{row['horizon_years']}</td><td class='n'>{_with_sign(row['gain'], row['gain_ci'])}</td><td class='n'>"
        + (_with_sign(row["model_gain"], row["model_gain_ci"]) if row.get("model_gain") is not None else "")
        + "</td></tr>"
        for row in rows
    )
    return (
        "<details><summary>The same in figures</summary><table><tr><th>Changed</th><th>to</th><th>Years</th>"
        f"<th>Perfect reader's gain</th><th>This software's</th></tr>{body}</table></details>"
    )


def _in_two_lines(words: str) -> str:
    """Put the interval under its figure, where five stand side by side."""
    value, _, ends = words.partition(" ")
    return f"{value} <small>{ends}</small>"


def _with_sign(value: float, ends: Sequence[float]) -> str:
    return f"{value:+.3f} ({ends[0]:+.3f} to {ends[1]:+.3f})"


def _with_ends(value: float, ends: Sequence[float], digits: int = 3) -> str:
    return f"{value:.{digits}f} ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})"
