"""Her course over time, and her visits to choose from."""

from collections.abc import Sequence

import streamlit as st

from core.images import hanging
from core.people import Permission
from core.records import PatientRecord, StudyStatus, Visit
from core.rules import ViewName, is_within_noise, said_alike
from core.rules.vocabulary import BOTH_BREASTS, MLO, SIDE_WORDS, SIDES
from core.wording import counted
from dashboard import keys, look, session
from dashboard.charts import course
from dashboard.charts.beside import OtherWomen
from dashboard.charts.course_lines import Drawing
from dashboard.drawing import draw
from dashboard.patient import course_more, withheld


def choose_visit(record: PatientRecord) -> Visit:
    """Return the chosen visit: the one in the address, else the last."""
    asked = str(st.query_params.get(keys.VISIT, ""))
    return record.visit(asked) or record.visits[-1]


def go_to(study_uid: str, *, compared: str | None = None) -> None:
    """Choose a visit everywhere on the page, and the one it is compared with; None stands for the one before it."""
    st.query_params[keys.VISIT] = study_uid
    if compared:
        st.query_params[keys.PRIOR] = compared
    else:
        st.query_params.pop(keys.PRIOR, None)


def trend(record: PatientRecord, chosen: Visit) -> None:
    """Draw the course in short; a click on a visit chooses it."""
    # The chart's key changes with the choice, so that one click is answered once and the next starts afresh.
    key = f"trend_{record.mrn}_{chosen.study_uid}"

    def clicked() -> None:
        for point in st.session_state[key]["selection"]["points"]:
            uid = str((point.get("customdata") or [""])[0])
            if uid != chosen.study_uid and record.visit(uid):
                go_to(uid)

    others = course_more.other_women(record)
    with st.container(key="ribbon"):
        draw(
            course.trend(
                record, chosen=chosen.study_uid, drawing=_drawing(record, chosen, others, short=True)
            ),
            key=key,
            on_select=clicked,
            selection_mode="points",
            alt=f"Course of 5-year risk over {counted(len(record.scored), 'scored visit')}; as a table under Table, axis, years"
            if record.scored
            else f"{counted(len(record.visits), 'visit')} without a number, events and density",
        )
        course_more.offer(record, chosen, others)


def _drawing(record: PatientRecord, chosen: Visit, others: OtherWomen, *, short: bool = False) -> Drawing:
    """Return how her course is drawn: on the axis that the address asks for, with where the chosen visit stands."""
    place = course_more.place_of(record, chosen)
    words = ""
    if place is not None:
        youngest, oldest = place.ages
        words = (
            f"{chosen.on}: above <b>{place.higher_than} of 100</b> women of her age "
            f"({youngest}–{oldest}; reference: {place.n} {look.safe(place.women)})"
        )
    return Drawing(others, course_more.is_linear(), short, words)


@st.fragment
def whole_course(record: PatientRecord) -> None:
    """Draw the whole course, with growth at every visit, once it is asked for."""
    session.seen_by(Permission.SEE_PATIENTS)
    asked = st.expander("The whole course: growth at every visit, all intervals", on_change="rerun")
    if asked.open:
        chosen = choose_visit(record)
        drawing = _drawing(record, chosen, course_more.other_women(record))
        with asked:
            draw(
                course.trend(record, chosen=chosen.study_uid, drawing=drawing),
                key=f"course_{record.mrn}",
                alt="The whole course: 5-year risk, malignancy of each breast and growth, events, density",
            )


def risk_of(visit: Visit) -> str:
    """Say how high a visit's risk is as shortly as a thumbnail is wide."""
    if visit.other_kind is not None:
        return visit.modality
    if visit.rank is not None:
        return f"{visit.rank.higher_than} of 100"
    return "withheld" if visit.doubt is not None else withheld.in_short(visit)


def step_entry(record: PatientRecord, visit: Visit) -> dict[str, object]:
    """Say of a visit in the strip how its risk has changed since the scored visit before: a sign, and words on hover."""
    prior = record.scored_before(visit)
    if prior is None or prior.score is None or visit.score is None:
        return {"step": "", "step_hint": ""}
    if not said_alike((prior.score, visit.score)):
        return {"step": "", "step_hint": f"{prior.on}: {look.OTHER_WEIGHTS}"}
    change = visit.score.risk_5y.value - prior.score.risk_5y.value
    if is_within_noise(prior.score, visit.score):
        return {"step": "≈", "step_hint": f"since {prior.on} {look.WITHIN_NOISE}"}
    words = look.points(change)
    return {"step": words[0], "step_hint": f"{words} points since {prior.on}"}


def _remarked(visit: Visit) -> str:
    """Return a line for each picture that was taken less well than it should be; "" if there is none."""
    return "".join(
        f"\n{image.view_name.words}: {remark}" for image in visit.images for remark in image.remarks
    )


def strip_entry(visit: Visit, not_taken: Sequence[ViewName]) -> dict[str, object]:
    """Say one visit for the strip, with the views that no study of its day has."""
    thumbs = {}
    for laterality in reversed(SIDES):
        hers = [image for image in visit.images if image.laterality == laterality]
        best = visit.hung(ViewName(laterality, MLO)) or hanging.to_hang(hers)
        if best:
            thumbs[SIDE_WORDS[laterality]] = {
                "sop_uid": best.sop_uid,
                "flipped": best.flipped,
                "label": best.view_name.words,
            }
    both = next((image for image in visit.images if image.laterality == BOTH_BREASTS), None)
    if both and not thumbs:
        thumbs["both"] = {"sop_uid": both.sop_uid, "flipped": False, "label": both.view_name.words}
    missing = len(not_taken)
    words = {StudyStatus.PENDING: "being scored", StudyStatus.REFUSED: "not scored"}
    note = ("" if visit.other_kind else words.get(visit.status, "")) or (
        f"{missing} view{'s' if missing > 1 else ''} missing" if missing else ""
    )
    return {
        "uid": visit.study_uid,
        "on": visit.on.isoformat(),
        "risk": risk_of(visit),
        "told": visit.score is not None or (visit.doubt is None and not visit.covered),
        "note": note or visit.other_kind or ("part of a visit" if visit.missing_views else "4 views"),
        "warns": bool(note),
        "bi_rads": f"BI-RADS {visit.bi_rads}" if visit.bi_rads else "",
        "hint": f"Visit of {visit.on}"
        + (f": {withheld.in_full(visit)}" if visit.doubt or visit.covered else "")
        + (f", {visit.assessment.words} by {visit.assessed_by or 'a reader'}" if visit.bi_rads else "")
        + (f", not taken: {', '.join(view.words for view in not_taken)}" if missing else ""),
        "remarks": _remarked(visit),
        "thumbs": thumbs,
    }
