"""What stands behind the course on demand: its axis, the same as a table, the chosen visit's 1 to 5 years, and its method."""

import streamlit as st

from core.records import PatientRecord, StudyStatus, Visit, cards
from core.rules import PlaceAtAge, ReferencePoint, exact_age_years, is_within_noise, place_at_age, said_alike
from core.rules.vocabulary import density_name
from dashboard import keys, look, opening
from dashboard.charts import horizons
from dashboard.charts.beside import OtherWomen
from dashboard.drawing import draw
from dashboard.house import here
from dashboard.patient import withheld

COURSE = "course"
"""The popover of this kind holds what stands behind the course."""
LINEAR, LOG = "linear", "logarithmic"
_STATUS = {StudyStatus.PENDING: "being scored", StudyStatus.REFUSED: "not scored"}
PUBLISHED = (
    "Published courses are of another score and are not drawn: in 54,014 women the median 5-year score of another program rose "
    "from 2.1 to 6.6 over the six years before a cancer and stayed at 1.8 to 2.2 in women without one (Lehman et al., Radiology "
    "2026, 10.1148/radiol.253023)."
)


def is_linear() -> bool:
    """Say whether the address asks for a linear axis."""
    return str(st.query_params.get(keys.AXIS, "")) == LINEAR


def other_women(record: PatientRecord) -> OtherWomen:
    """Return what the model that speaks has said of other women; nothing where another one spoke of her last."""
    newest = record.standing.newest
    settings = cards.settings_behind(here(), newest.score) if newest and newest.score else {}
    return OtherWomen.of(settings)


def place_of(record: PatientRecord, visit: Visit) -> PlaceAtAge | None:
    """Return where a visit's risk stands among reference women of her age then; None where that is not known."""
    if visit.score is None:
        return None
    settings = cards.settings_behind(here(), visit.score)
    return place_at_age(settings, exact_age_years(record.birth_date, visit.on), visit.score.risk_5y.value)


def offer(record: PatientRecord, chosen: Visit, others: OtherWomen) -> None:
    """Offer the course as a table, another axis, and the chosen visit's risk over the years."""
    opened = opening.popover(
        COURSE, "Table, axis, years", type="tertiary", icon=":material/table_rows:", key="course_more"
    )
    with opened as is_drawn, st.container(key="course_more_body"):
        if not is_drawn:
            return
        left, right = st.columns([5, 4], gap="medium")
        if record.scored:
            with left:
                _choose_axis()
                look.footer(method(others))
        if chosen.score:
            with right:
                look.heading("Cancer within 1 to 5 years", beside=look.iso(chosen.on))
                draw(
                    horizons.curve(chosen.score),
                    key=f"horizons_{chosen.study_uid}",
                    alt=horizons.said(chosen.score),
                )
        look.show(table(record, chosen))


def _choose_axis() -> None:
    def chosen() -> None:
        if st.session_state["course_axis"] == LINEAR:
            st.query_params[keys.AXIS] = LINEAR
        else:
            st.query_params.pop(keys.AXIS, None)

    st.radio(
        "Axis of the course",
        [LOG, LINEAR],
        index=int(is_linear()),
        key="course_axis",
        horizontal=True,
        on_change=chosen,
    )


def table(record: PatientRecord, chosen: Visit) -> str:
    """Return her visits as a table, the newest first."""
    rows = "".join(_row(record, visit, is_chosen=visit is chosen) for visit in reversed(record.visits))
    heads = "".join(
        f'<th scope="col"{" class=n" if number else ""}>{word}</th>'
        for word, number in (
            ("visit", False),
            ("5-year risk", True),
            ("since prior", True),
            (f'<span style="color:{look.LEFT}">●</span> left, 1 year', True),
            (f'<span style="color:{look.RIGHT}">◆</span> right, 1 year', True),
            (f'<span style="color:{look.PROGRESSION}">▲</span> grown', True),
            ("density", False),
            ("assessment", False),
            ("trust", False),
        )
    )
    intervals = "; in brackets 90 % intervals" if record.scored else ""
    return (
        f'<table class="lv-table lv-course"><caption>Visits, the newest first{intervals}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(record: PatientRecord, visit: Visit, *, is_chosen: bool) -> str:
    score = visit.score
    left = right = risk = look.UNKNOWN
    if score is not None:
        risk = f"<b>{look.percent(score.risk_5y.value)}</b> {look.interval_of(score.risk_5y)}"
        left, right = (
            f"{look.percent(score.malignancy[side])} {look.interval_of(score.malignancy_interval[side])}"
            for side in ("L", "R")
        )
    grown = f"{look.percent(visit.progression)} {look.interval_of(visit.progression_interval)}"
    by = ("reader" if visit.reader_density else "model") if visit.density else ""
    trust = (
        "trusted"
        if score
        else look.safe(withheld.in_full(visit) or visit.other_kind or _STATUS.get(visit.status, look.UNKNOWN))
    )
    read = look.safe(f"BI-RADS {visit.bi_rads}") if visit.bi_rads else "not read"
    cells = [
        (risk, "n"),
        (_change(record, visit), "n"),
        (left, "n"),
        (right, "n"),
        (grown, "n"),
        (f"{density_name(visit.density or look.UNKNOWN)} {by}", ""),
        (read, ""),
        (f"to read: {trust}" if visit.covered else trust, ""),
    ]
    body = "".join(f'<td class="{kind}">{text}</td>' for text, kind in cells)
    current = ' aria-current="true"' if is_chosen else ""
    return f'<tr{current}><th scope="row">{visit.on}</th>{body}</tr>'


def _change(record: PatientRecord, visit: Visit) -> str:
    """Say how 5-year risk has changed since the scored visit before."""
    prior = record.scored_before(visit)
    if prior is None or prior.score is None or visit.score is None:
        return look.UNKNOWN
    if not said_alike((prior.score, visit.score)):
        return look.OTHER_WEIGHTS
    noise = is_within_noise(prior.score, visit.score)
    words = look.points(visit.score.risk_5y.value - prior.score.risk_5y.value, within_noise=noise)
    return f'<span class="lv-noise" title="{look.WITHIN_NOISE}">≈ {words}</span>' if noise else words


def method(others: OtherWomen) -> str:
    """Say what stands behind the course, and of whom."""
    lines = []
    if others.by_age:
        lines.append("Pale blue: the middle half of the reference women of her age, with their median.")
    if others.courses is not None and others.courses.cancer and others.courses.none:
        found, none = others.courses.cancer, others.courses.none
        lines.append(
            "Pale lines: medians of the same model's 5-year risk by years before the end, drawn so that the end lies on her last "
            f"visit or diagnosis: {look.percent(found[0].median)} to {look.percent(found[-1].median)} in women in whom a cancer was "
            f"found ({_counts(found)} a year), {look.percent(none[0].median)} to {look.percent(none[-1].median)} in women in whom "
            f"none was ({_counts(none)}); {others.courses.women}."
        )
    return " ".join([*lines, PUBLISHED])


def _counts(points: tuple[ReferencePoint, ...]) -> str:
    counts = [point.n for point in points]
    return f"{min(counts)} to {max(counts)}"
