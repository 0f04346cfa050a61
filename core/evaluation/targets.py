"""The proof: which of the project's targets a longitudinal model reaches on simulated women.

A target that is not reached is said to be so; one that so few women cannot decide is said to be that. What is to be shown,
without a bound to reach, is shown with its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from core.evaluation.proof import HORIZONS
from core.evaluation.wording import (
    known_seeds,
    percent,
    percent_with_bounds,
    said_interval,
    said_seeds,
    with_bounds,
)

__all__ = ["Target", "targets"]

GAIN_SHARE = 0.70
MALIGNANCY_SHARE = 0.85
DATES_AT_MOST = 0.60
PROGRESSION_AT_LEAST = 0.85
DENSITY_AT_LEAST = 0.80
POINTING_AT_LEAST = 0.70
GROUP_AT_LEAST = 0.90
O_E = (0.9, 1.1)
WOMEN_AT_LEAST = 2000
MAPS_AT_MOST = 0.50
"""Mean rank correlation of heat maps, or of parts, with those of shuffled weights above which they are not what was learned."""
PARTS_AGREE_AT_LEAST = 0.70
"""Rank agreement between what is said to have moved a score and what taking it back does."""
Verdict = Literal["reached", "not reached", "cannot be told", "not measured", "shown"]


@dataclass(frozen=True)
class PublishedSlope:
    """Percentage points of 5-year risk a year, with their interval where one is given, and how high the risk was."""

    percent_a_year: float
    ends: tuple[float, float] | None
    level: str


PUBLISHED_SLOPES = {
    "cancer": PublishedSlope(1.13, (1.07, 1.18), "2.1 to 6.6 % in six years"),
    "none": PublishedSlope(0.09, None, "1.8 to 2.2 %"),
}
"""Median 5-year AI risk in 54,014 women; in factors a year (6.6 / 2.1) ** (1 / 6) = 1.21 before a cancer."""
PUBLISHED_IN = "Lehman et al., Radiology 2026, 10.1148/radiol.253023"


@dataclass(frozen=True)
class Target:
    """One target beside what was measured; `comment` is for the reader of the report, `topic` what it belongs to."""

    what: str
    target: str
    measured: str
    verdict: Verdict
    comment: str = ""
    topic: str = ""

    def to_json(self) -> dict[str, str]:
        """Return plain values."""
        return asdict(self)


def targets(measured: dict[str, Any]) -> list[Target]:
    """Return the verdict on every target of the proof, from what `core.evaluation.longitudinal` measured."""
    progression = _auc_target(
        "Progression since the prior, by breast, women with a lesion",
        measured.get("progression_with_lesion"),
        PROGRESSION_AT_LEAST,
    )
    topics: dict[str, list[Target]] = {
        "Enough women": _women_targets(measured),
        "History helps: all visits against the last visit alone": _history_targets(measured),
        "Images help: against age, density and intervals alone": _image_targets(measured),
        "Dates and visit counts do not give the outcome away": _date_targets(measured),
        "Cancer found within a year": [_malignancy_target(measured)],
        "Progression since the prior": [progression],
        "Risks come true at every horizon": _calibration_targets(measured),
        "Density A to D": _density_targets(measured),
        "No group of women is left behind": _group_targets(measured),
        "Shown beside what is known": _shown_targets(measured),
        "Explanations can be trusted": _explanation_targets(measured),
    }
    return [replace(target, topic=topic) for topic, found in topics.items() for target in found]


def _women_targets(measured: dict[str, Any]) -> list[Target]:
    about = measured.get("set", {})
    if not about.get("simulated"):
        return []
    seeds, taught, known = about["seeds"], about.get("model_learned_from_seeds", []), known_seeds(about)
    if known:
        comment = f"Seed {known} taught this model: the figures are too good. Simulate women of another seed."
    elif taught:
        comment = (
            f"Seed {said_seeds(seeds)}. The model learned from {said_seeds(taught)}, says its card; that nothing was chosen "
            "on these women is for whoever ran this to say."
        )
    else:
        comment = f"Seed {said_seeds(seeds)}. That it was used neither in training nor in choosing is for whoever ran this to say."
    unseen = measured["women"] >= WOMEN_AT_LEAST and not known
    return [
        Target(
            "Simulated women evaluated",
            f"at least {WOMEN_AT_LEAST}, unseen",
            str(measured["women"]),
            "reached" if unseen else "not reached",
            comment,
        )
    ]


def _history_targets(measured: dict[str, Any]) -> list[Target]:
    found = []
    for horizon in map(str, HORIZONS):
        years = f"{horizon}-year AUC"
        control = measured["controls"].get("last", {}).get(horizon)
        what = f"{years}: all visits against the last visit alone"
        if control is None:
            found.append(
                Target(what, "interval above 0", "", "not measured", "Too few cancers, or no control.")
            )
            continue
        reader = measured.get("oracles", {}).get("readers", {}).get(horizon)
        beside = (
            f"Perfect readers gain {with_bounds(reader['gain'], reader['gain_ci'], sign=True)}."
            if reader
            else ""
        )
        low = control["gain_ci"][0]
        found.append(
            Target(
                what,
                "interval above 0",
                with_bounds(control["gain"], control["gain_ci"], sign=True),
                "reached" if low > 0 else "not reached",
                beside,
            )
        )
        what = f"{years}: share of what history gives a perfect reader"
        if reader is None:
            found.append(
                Target(what, f"at least {percent(GAIN_SHARE)}", "", "not measured", "No truth table.")
            )
            continue
        found.append(_share_target(what, GAIN_SHARE, reader["share"], reader["share_ci"]))
    return found


def _share_target(what: str, least: float, share: float | None, ends: Sequence[float | None]) -> Target:
    said = percent_with_bounds(share, ends)
    comment = ""
    if share is None or None in ends:
        comment = "The whole is so small that in some draws of women it is nothing: its share has no bound."
        return Target(what, f"at least {percent(least)}", said, "cannot be told", comment)
    return Target(
        what, f"at least {percent(least)}", said, "reached" if share >= least else "not reached", comment
    )


def _image_targets(measured: dict[str, Any]) -> list[Target]:
    found = []
    for horizon in ("5", "1"):
        control = measured["controls"].get("no_pixels", {}).get(horizon)
        what = f"{horizon}-year AUC: with images against age, density and intervals alone"
        found.append(
            Target(what, "interval above 0", "", "not measured", "Too few cancers, or no control.")
            if control is None
            else Target(
                what,
                "interval above 0",
                with_bounds(control["gain"], control["gain_ci"], sign=True),
                "reached" if control["gain_ci"][0] > 0 else "not reached",
            )
        )
    return found


def _date_targets(measured: dict[str, Any]) -> list[Target]:
    found = []
    dates = measured["controls"].get("dates", {})
    for horizon in map(str, HORIZONS):
        if horizon in dates:
            value, ends = dates[horizon]["auc"], dates[horizon]["auc_ci"]
            found.append(
                Target(
                    f"{horizon}-year AUC of dates and visit counts alone",
                    f"at most {DATES_AT_MOST:.2f}",
                    with_bounds(value, ends),
                    "reached" if value <= DATES_AT_MOST else "not reached",
                    "The dates of these women must not give their outcome away. After a longer gap more cancers "
                    "wait to be found, as in life: a little is to be expected at 1 year.",
                )
            )
    return found


def _malignancy_target(measured: dict[str, Any]) -> Target:
    what = "Cancer found within a year, by breast: share of the distance from 0.5 to the truth oracle"
    said = measured.get("oracles", {}).get("malignancy")
    if said is None:
        return Target(what, f"at least {percent(MALIGNANCY_SHARE)}", "", "not measured", "No truth table.")
    found = _share_target(what, MALIGNANCY_SHARE, said["share"], said["share_ci"])
    comment = (
        f"AUC {with_bounds(said['model'], said['model_ci'])}; oracle {with_bounds(said['oracle'], said['oracle_ci'])}. One who "
        f"knows the visible cancers only: {with_bounds(said['visible_only'], said['visible_only_ci'])}; share of that: "
        f"{percent(said['share_of_visible'])}."
    )
    return Target(found.what, found.target, found.measured, found.verdict, comment)


def _auc_target(what: str, said: dict[str, Any] | None, least: float) -> Target:
    if said is None:
        return Target(
            what, f"AUC at least {least:.2f}", "", "not measured", "Too few cases, or no truth table."
        )
    return Target(
        what,
        f"AUC at least {least:.2f}",
        with_bounds(said["auc"], said["auc_ci"]),
        "reached" if said["auc"] >= least else "not reached",
        f"{said['events']} of {said['n']} breasts at visits.",
    )


def _calibration_targets(measured: dict[str, Any]) -> list[Target]:
    found = []
    for horizon, said in measured["risk"].items():
        for name, key in (("cancers seen over expected", "o_e"), ("calibration slope", "calibration_slope")):
            ends = said.get(f"{key}_ci")
            found.append(
                Target(
                    f"{horizon}-year risk: {name}",
                    f"{O_E[0]} to {O_E[1]}",
                    with_bounds(said[key], ends),
                    "reached" if O_E[0] <= said[key] <= O_E[1] else "not reached",
                )
            )
    return found


def _density_targets(measured: dict[str, Any]) -> list[Target]:
    said = measured.get("density")
    if said is None:
        return [Target("Density A to D", f"at least {DENSITY_AT_LEAST:.2f}", "", "not measured")]
    return [
        Target(
            f"Density A to D: {name}",
            f"at least {DENSITY_AT_LEAST:.2f}",
            said_interval(said, key),
            "reached" if said[key] >= DENSITY_AT_LEAST else "not reached",
        )
        for name, key in (
            ("accuracy", "accuracy"),
            ("kappa", "kappa"),
            ("kappa, linear weights", "kappa_linear"),
        )
    ]


def _group_targets(measured: dict[str, Any]) -> list[Target]:
    """No group below 0.9 of the whole unexplained: explained is a group that is harder for a perfect reader too."""
    found = []
    for name, by_horizon in measured.get("groups", {}).items():
        for horizon, groups in by_horizon.items():
            whole = measured["risk"].get(horizon, {}).get("auc")
            if whole is None:
                continue
            below = [one for one in groups if "auc" in one and one["auc"] < GROUP_AT_LEAST * whole]
            excused = [one for one in below if _explained(one, whole)]
            unsure = [
                one for one in below if one not in excused and one["auc_ci"][1] >= GROUP_AT_LEAST * whole
            ]
            plain = [one for one in below if one not in excused and one not in unsure]
            unmeasured = [one for one in groups if "auc" not in one]
            verdict: Verdict = (
                "not reached" if plain else "cannot be told" if unsure or unmeasured else "reached"
            )
            words = [f"{one['group']} {one['auc']:.3f}" for one in below] or ["none below"]
            comment = ""
            if excused:
                comment += f"Harder for a perfect reader too: {', '.join(one['group'] for one in excused)}. "
            if unsure:
                comment += f"Too few women to tell: {', '.join(one['group'] for one in unsure)}. "
            if unmeasured:
                comment += f"Too few cancers to measure: {', '.join(one['group'] for one in unmeasured)}."
            found.append(
                Target(
                    f"{horizon}-year AUC by {name}",
                    f"no group below {GROUP_AT_LEAST:.1f} of the whole ({GROUP_AT_LEAST * whole:.3f})",
                    ", ".join(words),
                    verdict,
                    comment.strip(),
                )
            )
    return found


def _shown_targets(measured: dict[str, Any]) -> list[Target]:
    """Say what has no bound to reach: C-index, how well intervals hold what came true, slopes beside published ones."""
    from models.measures import wilson

    aim = "shown, with interval"
    found = [
        Target(
            "C-index, all times together",
            aim,
            with_bounds(measured["c_index"], measured["c_index_ci"]),
            "shown",
        )
        if "c_index" in measured
        else Target("C-index, all times together", aim, "", "not measured", "Too few cancers.")
    ]
    for horizon in map(str, HORIZONS):
        held = measured.get("interval_coverage", {}).get(horizon)
        what = f"{horizon}-year risk: tenths of women whose mean interval (90 %) holds what was seen"
        if held is None:
            found.append(Target(what, aim, "", "not measured", "Too few women or cancers."))
            continue
        low, high = wilson(held["covered"], held["groups"])
        found.append(
            Target(
                what,
                aim,
                percent_with_bounds(held["covered"], (low, high)),
                "shown",
                f"{percent(held['compatible'])} where the chance in what was seen is allowed for.",
            )
        )
    slopes = measured.get("slopes", {})
    for kind, words in (("cancer", "before a diagnosis"), ("none", "of women in whom no cancer was seen")):
        what, beside = f"Slope of 5-year risk {words}", "shown beside the published slope"
        if kind not in slopes:
            found.append(Target(what, beside, "", "not measured", "Too few women with two visits."))
            continue
        rise, ends = slopes[kind]["percent_a_year"], slopes[kind]["percent_a_year_ci"]
        found.append(
            Target(
                what,
                beside,
                f"{with_bounds(rise, ends, sign=True, digits=2)} points a year",
                "shown",
                f"Published, real women and another model: {PUBLISHED_SLOPES[kind].percent_a_year:+.2f}.",
            )
        )
    return found


def _explained(group: dict[str, Any], whole: float) -> bool:
    """Say whether the model keeps in this group 0.9 of its share of what a perfect reader reaches there."""
    if "reader_ratio" not in group:
        return False
    return bool(group["auc"] / whole >= GROUP_AT_LEAST * group["reader_ratio"])


def _explanation_targets(measured: dict[str, Any]) -> list[Target]:
    found = []
    pointing = measured.get("pointing", {})
    what = "Heat map: peak in the box of a visible finding of 10 mm or more"
    if pointing.get("hits") is None:
        found.append(
            Target(what, f"at least {percent(POINTING_AT_LEAST)}", "", "not measured", "No such box.")
        )
    else:
        ends = pointing.get("hits_ci")
        found.append(
            Target(
                what,
                f"at least {percent(POINTING_AT_LEAST)}",
                percent_with_bounds(pointing["hits"], ends),
                "reached" if pointing["hits"] >= POINTING_AT_LEAST else "not reached",
                f"{pointing['n']} views.",
            )
        )
    maps = measured.get("randomisation")
    if maps:
        found.append(
            Target(
                "Heat map: changes when the weights are shuffled",
                f"mean rank correlation at most {MAPS_AT_MOST:.1f}",
                f"{maps['correlation']:.2f}",
                "reached" if maps["correlation"] <= MAPS_AT_MOST else "not reached",
                f"{maps['views']} views, {maps['shuffles']} shuffles each; peak in the box then: {percent(maps['hits'])}.",
            )
        )
    adds = measured.get("contributions")
    if adds:
        found.append(
            Target(
                "What each visit brought adds up to the change in score",
                "to rounding",
                f"largest difference {adds['largest_difference']:.1e} (log-odds)"
                if adds["largest_difference"]
                else "no difference",
                "reached" if adds["largest_difference"] <= 1e-6 else "not reached",
                f"{adds['women']} women.",
            )
        )
    moved = measured.get("moved")
    if moved:
        found += _movement_targets(moved)
    return found


def _movement_targets(moved: dict[str, Any]) -> list[Target]:
    shuffled = moved["shuffled"]
    return [
        Target(
            "Why it moved: the parts sum to the change",
            "to rounding",
            f"largest difference {moved['largest_difference']:.1e} (log-odds)",
            "reached" if moved["largest_difference"] <= 1e-6 else "not reached",
            f"{moved['women']} women.",
        ),
        Target(
            "Why it moved: taking the largest part back moves the score most",
            f"rank agreement at least {PARTS_AGREE_AT_LEAST:.1f}",
            f"{moved['rank_agreement']:.2f}",
            "reached" if moved["rank_agreement"] >= PARTS_AGREE_AT_LEAST else "not reached",
            f"In {percent(moved['largest_first'])} of {moved['women']} women the largest part is the one that moves it most.",
        ),
        Target(
            "Why it moved: changes when the weights are shuffled",
            f"mean rank correlation at most {MAPS_AT_MOST:.1f}",
            f"{shuffled['rank_correlation']:.2f}",
            "reached" if shuffled["rank_correlation"] <= MAPS_AT_MOST else "not reached",
            f"{shuffled['women']} women, {shuffled['shuffles']} shuffles each; parts are {shuffled['size']:.2f} times as large "
            "then.",
        ),
    ]
