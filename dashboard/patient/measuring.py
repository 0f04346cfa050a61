"""The dialog in which a reader says of which lesion the calipers are that she drew in the viewer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.people import Permission
from core.records import (
    FollowedLesion,
    MeasuredPlace,
    PatientRecord,
    Sizing,
    Undo,
    ViewImage,
    Visit,
    add_measurement,
    axis_of,
    lesions_of_patient,
    start_lesion,
)
from core.rules.vocabulary import SIDE_WORDS, SIZE_NOT_SURE
from dashboard import components, look, outages, session
from dashboard.house import here
from dashboard.patient import lesions
from dashboard.patient.lesion_forms import KINDS

NODE = "lymph node"
NEW = 0
ASKED = "measure_asked"


@dataclass(frozen=True)
class Drawn:
    """What was drawn on one view: the axes as the viewer says them, and how long they are where the image tells it."""

    visit: Visit
    image: ViewImage
    sizing: Sizing

    @property
    def words(self) -> str:
        """Say the size; in pixels where no millimetres are known."""
        axes = [axis for axis in (self.sizing.long_axis, self.sizing.short_axis) if axis is not None]
        lengths = [((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 for x0, y0, x1, y1 in axes]
        if self.is_sized and self.image.spacing_mm:
            return " × ".join(look.millimetres(length * self.image.spacing_mm) for length in lengths)
        return " × ".join(f"{length:.0f} px" for length in lengths)

    @property
    def is_sized(self) -> bool:
        """Say whether the size of a pixel is that of what it shows: on a magnification it is not."""
        return bool(self.image.spacing_mm) and SIZE_NOT_SURE.isdisjoint(self.image.quality_flags)


def ask(record: PatientRecord, asked: Mapping[str, Any]) -> None:
    """Open the dialog on what was drawn; nothing where the image is not hers any more."""
    drawn = _drawn(record, asked)
    if drawn is None:
        st.toast("This image is not in her record any more. Open the patient again.")
        return
    # What she has before her now: the versions of this moment, not of the one in which she presses.
    st.session_state[ASKED] = [one for one in lesions_of_patient(here(), record.mrn) if _may_be(one, drawn)]
    ask_which(record, drawn, str(asked["asked"]))


def _drawn(record: PatientRecord, asked: Mapping[str, Any]) -> Drawn | None:
    found = [
        (visit, image)
        for visit in record.visits
        for image in visit.images
        if image.sop_uid == asked["sop_uid"]
    ]
    if not found:
        return None
    visit, image = found[0]
    return Drawn(visit, image, Sizing(long_axis=axis_of(asked["long"]), short_axis=axis_of(asked["short"])))


def _may_be(lesion: FollowedLesion, drawn: Drawn) -> bool:
    return lesion.laterality == drawn.image.laterality


@st.dialog("Keep the measurement: which lesion is it?", width="medium")
def ask_which(record: PatientRecord, drawn: Drawn, token: str) -> None:
    """Ask whether it is one of her lesions of that breast, or a new one; nothing is chosen for the reader."""
    session.require(Permission.ASSESS)  # now: the dialog runs by itself as long as it is open
    known: dict[int, FollowedLesion] = {one.lesion_id: one for one in st.session_state.get(ASKED, [])}
    axes = "long × short axis" if drawn.sizing.short_axis else "long axis"
    look.show(
        f"<p><b>{look.safe(drawn.words)}</b> ({axes}) on {look.safe(drawn.image.view_name.words)} of {drawn.visit.on}</p>"
    )
    if not drawn.is_sized:
        st.caption(
            "How large a pixel is here is not known for certain: the calipers are kept, without millimetres."
        )
    chosen = st.radio(
        "Lesion",
        [*known, NEW],
        index=None if known else 0,
        format_func=lambda one: _say(known[one], drawn) if one else "A new lesion",
        key=f"measure_which_{token}",
        label_visibility="collapsed",
    )
    kind: str | None = None
    if chosen == NEW:
        kind = st.selectbox(
            "Kind", KINDS, index=None, placeholder="Not said", key=f"measure_kind_{token}", width=240
        )
    if st.button("Keep", type="primary", disabled=chosen is None, key=f"measure_keep_{token}"):
        lesion = known.get(chosen or NEW)
        with outages.beside_the_act("The measurement is not kept."):
            try:
                undo = _keep(drawn, lesion, kind or "")
            except ValueError as error:
                st.warning(str(error))
                return
            components.keep_heard(token)
            lesions.done(record, undo)


def _keep(drawn: Drawn, lesion: FollowedLesion | None, kind: str) -> Undo:
    person = session.require(Permission.ASSESS)
    sop_uid = drawn.image.sop_uid
    if lesion is None:
        return start_lesion(here(), person, sop_uid, drawn.sizing, kind=kind, node=kind == NODE)
    before = _on_it(lesion, drawn)
    return add_measurement(
        here(),
        person,
        lesion.lesion_id,
        sop_uid,
        drawn.sizing,
        version=lesion.version,
        instead_of=before.measurement_id if before else None,
    )


def _on_it(lesion: FollowedLesion, drawn: Drawn) -> MeasuredPlace | None:
    return next((place for place in lesion.places if place.sop_uid == drawn.image.sop_uid), None)


def _say(lesion: FollowedLesion, drawn: Drawn) -> str:
    """Say a lesion in one line, with what the calipers would replace, or where it was seen last."""
    before = _on_it(lesion, drawn)
    if before is not None:
        size = look.millimetres(before.long_mm)
        return look.plain(
            f"{lesion.label}: replaces {size} by {before.by or 'a reader'} on this image, which is kept aside"
        )
    last = lesion.places[-1]
    return look.plain(
        f"{lesion.label}, {SIDE_WORDS[lesion.laterality]}: {look.millimetres(last.long_mm)} on {last.view.words} of {last.on}"
    )
