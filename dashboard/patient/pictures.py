"""The chosen visit’s pictures, hung, and what readers kept on them."""

from collections.abc import Sequence

import streamlit as st

from core.people import Permission, Person
from core.records import KeptFinding, ViewImage, Visit
from core.rules import ViewName, hanging_protocols
from core.rules.vocabulary import OTHER_THAN_STANDARD, SIDE_WORDS, FindingClass, flag_words
from dashboard import components, keys, look


def viewer(visit: Visit, not_taken: Sequence[ViewName], found: Sequence[KeptFinding]) -> None:
    """Hang the chosen visit's views, with the findings kept on them; a view can be opened to be read by itself."""
    panes = panes_of(visit, not_taken)
    for one in panes:
        on_it = [finding for finding in found if finding.sop_uid == one["sop_uid"]]
        one["findings"] = [{"box": finding.box, "label": finding.label} for finding in on_it]
    rows = max(sum(one["side"] == side for one in panes) for side in SIDE_WORDS.values())
    read = components.viewer(panes, title=f"{visit.on}", height=max(480, 360 * rows))
    if read:
        st.switch_page("screens/read_image.py", query_params={keys.IMAGE: read})


def findings_of(visit: Visit, found: Sequence[KeptFinding], person: Person) -> None:
    """List what readers kept on this visit's images."""
    look.heading("Findings")
    rows = "".join(
        f"<tr><td><b>{look.safe(finding.label)}</b></td><td>{look.safe(finding.view_name.words)}</td>"
        f"<td>{look.safe(finding.by)}</td>"
        f'<td class="n">{look.millimetres(finding.diameter_mm)}</td>'
        f'<td class="n">{look.percent(finding.reading.get(FindingClass.MALIGNANT))}</td></tr>'
        for finding in found
        if finding.study_uid == visit.study_uid
    )
    if not rows:
        how = (
            " Choose “Read this image” on a view, draw a box and keep it."
            if person.may(Permission.ASSESS)
            else ""
        )
        look.show(f'<p class="lv-muted lv-footer">None kept.{how}</p>')
        return
    look.show(
        '<table class="lv-table"><tr><th>finding</th><th>view</th><th>kept by</th><th class="n">longest side</th>'
        '<th class="n" title="What the model said of the box when it was kept; not every model is calibrated for that">'
        f"malignant</th></tr>{rows}</table>"
    )


def panes_of(visit: Visit, not_taken: Sequence[ViewName]) -> list[dict[str, object]]:
    """Say the views of the hanging protocol, then every other image of the study: none is kept from the reader."""
    views = hanging_protocols.protocol().views
    hung = [image for view in views if (image := visit.hung(view))]
    panes = [pane(visit, view, not_taken) for view in views]
    if visit.images and not hung:
        panes = []
    places = {image.view_name for image in hung}
    return panes + [
        pane_of(image, another=image.view_name in places) for image in visit.images if image not in hung
    ]


def pane(visit: Visit, view: ViewName, not_taken: Sequence[ViewName]) -> dict[str, object]:
    """Say what one place of the hanging shows: a view, or which view is missing."""
    image = visit.hung(view)
    if image:
        return pane_of(image)
    where = "was not taken at this visit" if view in not_taken else "is in another study of this day"
    return {
        "sop_uid": None,
        "side": SIDE_WORDS[view.laterality],
        "label": view.words,
        "note": "",
        "missing": f"{view.words} {where}.",
        "flipped": False,
    }


def pane_of(image: ViewImage, *, another: bool = False) -> dict[str, object]:
    """Say a view for the viewer: what kind of picture it is, its quality, and what was done to hang it.

    `another` says that an image of the same side and view hangs already.
    """
    kinds = [flag_words(flag) for flag in image.quality_flags if flag in OTHER_THAN_STANDARD]
    notes = [flag_words(flag) for flag in image.quality_flags if flag not in OTHER_THAN_STANDARD]
    if image.flipped:
        notes.append("mirrored to hang")
    elif image.chest_wall is None:
        notes.append("chest wall not found: shown as stored")
    if another and not kinds:
        kinds = ["another image"]
    return {
        "sop_uid": image.sop_uid,
        "side": SIDE_WORDS[image.laterality],
        "label": " · ".join([image.view_name.words, *kinds]),
        "note": " · ".join(notes),
        "missing": "",
        "flipped": image.flipped,
    }
