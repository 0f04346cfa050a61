"""The forms in which a reader measures a lesion, says what it is, and takes back what was measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import streamlit as st

from core.installation import Installation
from core.people import Permission, Person
from core.records import (
    FollowedLesion,
    LesionStatus,
    MeasuredPlace,
    PatientRecord,
    Proposal,
    Sizing,
    Undo,
    ViewImage,
    Visit,
    add_measurement,
    are_being_aligned,
    describe_lesion,
    join_lesions,
    propose_place,
    remove_measurement,
    rename_lesion,
    set_lesion_status,
    split_lesion,
)
from dashboard import components, keys, look, outages, session
from dashboard.house import here

BY_HAND = "moved"
"""How a place was found whose frame a reader has dragged."""
CROP_MM, CROP_SHARE = 45.0, 0.22
"""How wide a crop is: in mm, or as a share of the picture where its pixel size is not known."""
KINDS = ("mass", "calcifications", "distortion", "asymmetry", "lymph node", "cyst", "fibroadenoma")
HOW = {
    "size": "Measured",
    "seen": "Seen, not measured",
    "small": "Too small to measure (counts as 5 mm)",
    "gone": "Looked for, and gone (0 mm)",
}


@dataclass(frozen=True)
class Desk:
    """What the forms work on: a lesion of a woman, beside her others, and the versions that the reader has seen."""

    here: Installation
    person: Person
    record: PatientRecord
    lesion: FollowedLesion
    lesions: Sequence[FollowedLesion]
    seen: dict[int, int]
    form: str

    def version(self, lesion: FollowedLesion) -> int:
        """Return the version of a lesion that the reader had before her."""
        return self.seen.get(lesion.lesion_id, lesion.version)

    def act(self, do: Callable[[], Undo]) -> Undo | None:
        """Do what was asked for; where it cannot be, say so in the form."""
        with outages.beside_the_act("It is not recorded."):
            try:
                return do()
            except ValueError as error:
                st.warning(str(error))
        return None


def measure(desk: Desk) -> Undo | None:
    """Ask for the size on one image of that breast; its place is proposed from another study, and confirmed here."""
    images = _images(desk)
    if not images:
        st.caption("It is measured on every image of that breast. Take a measurement back to repeat it.")
        return None
    sop_uid = st.selectbox(
        "On",
        list(images),
        format_func=lambda one: f"{images[one][0].on}  {images[one][1].view_name.words}",
        key=f"{desk.form}_on",
    )
    visit, image = images[sop_uid]
    source = _source(desk.lesion, image, visit)
    proposal = _proposed(desk, source, sop_uid) if source else None
    if source is None or proposal is None:
        st.caption(
            f"It was not measured on an {image.view_name.words} yet, so no place can be proposed. Open the image, draw a box "
            f"around it and keep it as {desk.lesion.label}."
        )
        _open_image(sop_uid)
        return None
    box = _show_places(desk, source, proposal, image, visit)
    how = st.radio(
        "There it is",
        list(HOW),
        format_func=HOW.__getitem__,
        key=f"{desk.form}_how",
        label_visibility="collapsed",
    )
    long_mm = short_mm = None
    if how == "size":
        long_column, short_column = st.columns(2)
        long_mm = long_column.number_input(
            "Long axis (mm)", 0.1, 500.0, None, 0.5, format="%.1f", key=f"{desk.form}_long_{sop_uid}"
        )
        short_mm = short_column.number_input(
            "Short axis (mm)", 0.1, 500.0, None, 0.5, format="%.1f", key=f"{desk.form}_short_{sop_uid}"
        )
    keep, elsewhere = st.columns([1.5, 1])
    with elsewhere:
        _open_image(sop_uid, "It lies elsewhere")
    ready = how != "size" or long_mm is not None
    if not keep.button(
        "Confirm the place and keep", key=f"{desk.form}_keep", type="primary", disabled=not ready
    ):
        return None
    gone = 0.0 if how == "gone" else None
    sizing = Sizing(
        box=box or proposal.box,
        long_mm=gone if how == "gone" else long_mm,
        short_mm=gone if how == "gone" else short_mm,
        too_small=how == "small",
        proposed_by=BY_HAND if box else proposal.by,
        proposed_from=source.measurement_id,
    )
    return desk.act(
        lambda: add_measurement(
            desk.here,
            desk.person,
            desk.lesion.lesion_id,
            sop_uid,
            sizing,
            version=desk.version(desk.lesion),
        )
    )


def _proposed(desk: Desk, source: MeasuredPlace, sop_uid: str) -> Proposal | None:
    """Propose a place at once, and a better one as soon as the two images are aligned.

    What is confirmed is what the reader had before her, not what has come in the moment in which she pressed; and what she
    has dragged stays with the crop in which she did.
    """
    state, before = st.session_state, f"{desk.form}_proposed_{source.measurement_id}_{sop_uid}"
    dragged = state.get(_place_key(desk, source, sop_uid), {}).get("box")
    if before in state and (dragged or state.get(f"{desk.form}_keep")):
        shown: Proposal = state[before]
        return shown
    proposal = propose_place(desk.here, source.measurement_id, sop_uid, at_once=True)
    state[before] = proposal
    if proposal is not None and proposal.aligning:
        _wait_for_alignment(proposal.aligning)
    return proposal


def _place_key(desk: Desk, source: MeasuredPlace, sop_uid: str) -> str:
    return f"{desk.form}_place_{source.measurement_id}_{sop_uid}"


@st.fragment(run_every=1.0)
def _wait_for_alignment(pair: tuple[str, str]) -> None:
    """Propose the place anew once the two are aligned, or it is known that they cannot be."""
    session.seen_by(Permission.SEE_PATIENTS)
    if not are_being_aligned(here(), [pair]):
        st.rerun()


def change(desk: Desk) -> Undo | None:
    """Ask for a name, a kind, a status, and which other finding is the same lesion."""
    return _rename(desk) or _say_status(desk) or _describe(desk) or _join(desk)


def take_back(desk: Desk) -> Undo | None:
    """Ask which measurement was a mistake, or is of another lesion."""
    places = {place.measurement_id: place for place in desk.lesion.places}
    with st.form(f"{desk.form}_back", border=False):
        which = st.selectbox(
            "Measurement",
            list(places),
            index=None,
            format_func=lambda one: _say_place(places[one]),
            placeholder="Choose",
            key=f"{desk.form}_back_which",
            width=360,
        )
        away, other = st.columns(2)
        removed = away.form_submit_button(
            "Take back", type="primary", key=f"{desk.form}_back_away", width="stretch"
        )
        parted = other.form_submit_button("Is another lesion", key=f"{desk.form}_back_other", width="stretch")
    if not (removed or parted):
        return None
    if which is None:
        st.warning("Choose a measurement.")
        return None
    version = desk.version(desk.lesion)
    if removed:
        return desk.act(lambda: remove_measurement(desk.here, desk.person, which, version=version))
    return desk.act(lambda: split_lesion(desk.here, desk.person, [which], version=version))


def _rename(desk: Desk) -> Undo | None:
    with st.form(f"{desk.form}_rename", border=False):
        field, button = st.columns([2.4, 1], vertical_alignment="bottom")
        label = field.text_input("Name", desk.lesion.label, max_chars=64, key=f"{desk.form}_label")
        if not button.form_submit_button("Rename", key=f"{desk.form}_rename_do", width="stretch"):
            return None
    version = desk.version(desk.lesion)
    return desk.act(
        lambda: rename_lesion(desk.here, desk.person, desk.lesion.lesion_id, label, version=version)
    )


def _say_status(desk: Desk) -> Undo | None:
    words = {
        LesionStatus.KNOWN_BENIGN: "known benign: quiet until it grows",
        LesionStatus.RESOLVED: "resolved, or removed",
        LesionStatus.FOLLOWED: "followed",
    }
    with st.form(f"{desk.form}_status", border=False):
        which, button = st.columns([2.4, 1], vertical_alignment="bottom")
        status = which.selectbox(
            "Status",
            [status for status in words if status is not desk.lesion.status],
            format_func=words.__getitem__,
            key=f"{desk.form}_status_which",
        )
        note = st.text_input(
            "How that is known", desk.lesion.note or "", max_chars=500, key=f"{desk.form}_status_note"
        )
        if not button.form_submit_button("Say so", key=f"{desk.form}_status_do", width="stretch"):
            return None
    version = desk.version(desk.lesion)
    return desk.act(
        lambda: set_lesion_status(
            desk.here, desk.person, desk.lesion.lesion_id, status, note=note, version=version
        )
    )


def _describe(desk: Desk) -> Undo | None:
    lesion = desk.lesion
    kinds = list(dict.fromkeys([*([lesion.kind] if lesion.kind else []), *KINDS]))
    with st.form(f"{desk.form}_describe", border=False):
        which, button = st.columns([2.4, 1], vertical_alignment="bottom")
        kind = which.selectbox(
            "Kind", kinds, index=0 if lesion.kind else None, placeholder="Choose", key=f"{desk.form}_kind",
            format_func=look.plain,
        )  # fmt: skip
        if not button.form_submit_button("Describe", key=f"{desk.form}_describe_do", width="stretch"):
            return None
    version = desk.version(lesion)
    return desk.act(
        lambda: describe_lesion(
            desk.here,
            desk.person,
            lesion.lesion_id,
            kind=kind or "",
            node=kind == "lymph node",
            version=version,
        )
    )


def _join(desk: Desk) -> Undo | None:
    others = {
        one.lesion_id: one
        for one in desk.lesions
        if one.laterality == desk.lesion.laterality and one.lesion_id != desk.lesion.lesion_id
    }
    if not others:
        return None
    with st.form(f"{desk.form}_join", border=False):
        which, button = st.columns([2.4, 1], vertical_alignment="bottom")
        into = which.selectbox(
            "The same lesion as",
            list(others),
            index=None,
            format_func=lambda one: look.plain(others[one].label),
            placeholder="Choose",
            key=f"{desk.form}_into",
        )
        if not button.form_submit_button("Join", key=f"{desk.form}_join_do", width="stretch"):
            return None
    if into is None:
        st.warning("Choose the other finding.")
        return None
    versions = desk.version(desk.lesion), desk.version(others[into])
    return desk.act(
        lambda: join_lesions(desk.here, desk.person, desk.lesion.lesion_id, into, versions=versions)
    )


def _images(desk: Desk) -> dict[str, tuple[Visit, ViewImage]]:
    """Return the images of that breast on which the lesion is not measured yet: newest study first."""
    measured = {place.sop_uid for place in desk.lesion.places}
    seen_on = {place.view.view for place in desk.lesion.places}
    found = [
        (visit, image)
        for visit in reversed(desk.record.visits)
        for image in visit.images
        if image.laterality == desk.lesion.laterality and image.sop_uid not in measured
    ]
    found.sort(
        key=lambda pair: pair[1].view not in seen_on
    )  # those on which a place can be proposed come first
    return {image.sop_uid: (visit, image) for visit, image in found}


def _source(lesion: FollowedLesion, image: ViewImage, visit: Visit) -> MeasuredPlace | None:
    """Return the measurement on the same view that is nearest in time."""
    same = [place for place in lesion.places if place.view == image.view_name and not place.corrected]
    return min(same, key=lambda place: abs((place.on - visit.on).days), default=None)


def _show_places(
    desk: Desk, source: MeasuredPlace, proposal: Proposal, image: ViewImage, visit: Visit
) -> tuple[float, float, float, float] | None:
    """Show where it was measured and where it is proposed, there to be dragged; return the box once it was."""
    hers = (one for of in desk.record.visits for one in of.images)
    before = next((one for one in hers if one.sop_uid == source.sop_uid), image)
    measured, proposed = st.columns(2, gap="small")
    told = look.safe(f"measured, {source.on}")
    with measured:
        look.show(
            f'<div class="lv-pairs lv-places"><span><i><img src="{_crop_address(before, _edges(before, source.box))}" '
            f'alt="{told}" {"class=flipped" if before.flipped else ""}></i>{told}</span></div>'
        )
    edges = _edges(image, proposal.box)
    shown = {
        "src": _crop_address(image, edges),
        "edges": edges,
        "box": list(proposal.box),
        "flipped": image.flipped,
        "label": f"proposed, {visit.on}",
    }
    with proposed:
        box = components.place(shown, key=_place_key(desk, source, image.sop_uid))
    first = "Moved by you; it was proposed" if box else "Proposed"
    st.caption(f"{first} {proposal.said} Drag the frame to where it lies, or move it by the arrow keys.")
    return box


def _edges(image: ViewImage, box: Sequence[float]) -> list[int]:
    """Return left, top, right and bottom of the square around the middle of a box, in pixels of the image."""
    half = (CROP_MM / image.spacing_mm if image.spacing_mm else CROP_SHARE * image.columns) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    # A crop that reaches beyond the image would be cut, and its middle no longer be the place.
    half = max(8.0, min(half, x, y, image.columns - x, image.rows - y))
    return [round(edge) for edge in (x - half, y - half, x + half, y + half)]


def _crop_address(image: ViewImage, edges: Sequence[int]) -> str:
    return f"/crop/{quote(image.sop_uid)}?box={','.join(map(str, edges))}"


def _open_image(sop_uid: str, label: str = "Open the image") -> None:
    st.page_link(
        "screens/read_image.py",
        label=label,
        icon=":material/open_in_new:",
        query_params={keys.IMAGE: sop_uid},
    )


def _say_place(place: MeasuredPlace) -> str:
    size = (
        look.millimetres(place.long_mm)
        if place.long_mm
        else ("gone" if place.long_mm == 0 else "not measured")
    )
    return look.plain(f"{place.on} {place.view.words}, {size}")
