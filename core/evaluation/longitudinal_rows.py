"""What the report of a longitudinal evaluation says in tables and sentences, from what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.evaluation.longitudinal_figures import NAMES
from core.evaluation.targets import (
    MAPS_AT_MOST,
    PUBLISHED_SLOPES,
)
from core.evaluation.wording import bounds, percent, said_interval, with_bounds


@dataclass(frozen=True)
class Cell:
    """A figure and, set under it, its interval."""

    value: str
    bounds: str


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


def auc_rows(measured: dict[str, Any]) -> tuple[AucRow, ...]:
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


def calibration_rows(measured: dict[str, Any]) -> tuple[CalibrationRow, ...]:
    """Return O/E, slope and coverage by horizon."""
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


def interval_coverage(measured: dict[str, Any]) -> IntervalCoverage | None:
    """Return how often the interval of 5-year risk holds what was seen; None where that was not measured."""
    held = measured.get("interval_coverage", {}).get("5")
    return IntervalCoverage(f"{100 * held['width']:.0f}", percent(held["covered"])) if held else None


def trust_rows(measured: dict[str, Any]) -> tuple[TrustRow, ...]:
    """Return the figures by level of trust."""
    return tuple(
        TrustRow(
            one["level"],
            one["reason"] or "",
            one["n"],
            *(said_interval(one, f"auc_{k}") if f"auc_{k}" in one else "" for k in (1, 5)),
        )
        for one in measured.get("trust", ())
    )


def agreement_words(measured: dict[str, Any]) -> str:
    """Say how often breasts and woman agree."""
    found = measured.get("agreement")
    if found is None:
        return ""
    return (
        f"Of {found['visits']} visits, {found['breast_above_woman']} give a breast more than the woman within a year, "
        f"{found['woman_above_both']} the woman more than both breasts together, and {found['falls']} a risk that falls "
        "with the years."
    )


def interval_rows(measured: dict[str, Any]) -> tuple[IntervalRow, ...]:
    """Return how often intervals hold the complete study, by what was taken away."""
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


def smallest_change_words(measured: dict[str, Any]) -> str:
    """Say which change of 5-year risk is one."""
    known = measured.get("intervals", {}).get("smallest_change", {}).get("risk")
    if not known:
        return ""
    factors = [f"× {math.exp(one):.2f}" for one in known]
    return (
        f"The odds of cancer within 5 years must change by more than {', '.join(factors[:3])} (low, middle and high risks), in "
        f"breasts of density C or D by more than {', '.join(factors[3:])}, to be more than "
        f"what positioning and exposure do ({measured['intervals']['repeated_on']})."
    )


def breast_rows(measured: dict[str, Any]) -> tuple[BreastRow, ...]:
    """Return malignancy and progression by breast, beside perfect readers."""
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


def density_agreement(measured: dict[str, Any]) -> DensityAgreement | None:
    """Return how well density is told; None where that was not measured."""
    said = measured.get("density")
    if not said:
        return None
    kappas = (with_bounds(said[key], said[f"{key}_ci"], digits=2) for key in ("kappa", "kappa_linear"))
    return DensityAgreement(said["n"], percent(said["accuracy"]), *kappas)


def group_rows(measured: dict[str, Any]) -> tuple[GroupRow, ...]:
    """Return the figures by group of women."""
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


def slope_rows(measured: dict[str, Any]) -> tuple[SlopeRow, ...]:
    """Return by how much risk rises a year, beside what was published."""
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


def explanation_words(measured: dict[str, Any]) -> tuple[str, ...]:
    """Say in sentences how far the explanations may be believed."""
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


def sensitivity_rows(rows: Sequence[dict[str, Any]]) -> tuple[SensitivityRow, ...]:
    """Return the gain of history as the simulated women are made otherwise."""
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
