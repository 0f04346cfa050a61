"""A woman's pictures, hung, one visit with another to compare it with, and what readers kept on them."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.people import Permission, Person
from core.records import KeptFinding, PatientRecord, ViewImage, Visit, why_no_heat_map
from core.rules import ViewName, hanging_protocols
from core.rules.vocabulary import (
    IMAGE_SIDE_WORDS,
    OTHER_KIND_FLAGS,
    OTHER_KIND_WORDS,
    OTHER_THAN_STANDARD,
    SIDE_WORDS,
    SIZE_NOT_SURE,
    FindingClass,
    QualityFlag,
    flag_words,
)
from dashboard import addresses, components, keys, look
from dashboard.patient import measuring, ribbon


def viewer(
    record: PatientRecord,
    chosen: Visit,
    compared: Visit | None,
    found: Sequence[KeptFinding],
    person: Person,
    *,
    whole_page: bool = False,
) -> None:
    """Hang the chosen visit with the one it is compared with; every other visit can be chosen without a run of the page.

    A view can be opened to be read by itself, and the page left for the one that shows nothing else, and back. Calipers
    can be kept as a lesion's size by who may assess.
    """
    asks = components.viewer(
        hung(record, found),
        current=chosen.study_uid,
        prior=compared.study_uid if compared else None,
        whole_page=whole_page,
        can_measure=person.may(Permission.ASSESS),
        on_choose=follow,
    )
    if asks.read:
        st.switch_page("screens/read_image.py", query_params={keys.IMAGE: asks.read})
    if asks.measure and person.may(Permission.ASSESS):
        measuring.ask(record, asks.measure)
    if asks.compare or asks.leave:
        place = {**addresses.query_of(record.mrn), keys.VISIT: chosen.study_uid}
        if compared:
            place[keys.PRIOR] = compared.study_uid
        st.switch_page("screens/compare.py" if asks.compare else "screens/patient.py", query_params=place)


def follow() -> None:
    """Take over into the address what was chosen in the viewer."""
    current, compared = components.chosen_visits()
    ribbon.go_to(current, compared=compared)


def compared_with(record: PatientRecord, visit: Visit, asked: str = "") -> Visit | None:
    """Return the visit that another is compared with: the one asked for, else the one before it; None where there is none."""
    wanted = record.visit(asked)
    return wanted if wanted and wanted is not visit else prior_of(record, visit)


def prior_of(record: PatientRecord, visit: Visit) -> Visit | None:
    """Return the visit before, of an earlier day, with pictures; one of the same kind of pictures before any other."""
    earlier = [other for other in record.visits if other.on < visit.on and other.images]
    alike = [other for other in earlier if other.modality == visit.modality]
    return next(reversed(alike or earlier), None)


def hung(record: PatientRecord, found: Sequence[KeptFinding]) -> dict[str, Any]:
    """Say for the viewer all visits, oldest first, each with its line in the strip, its views and its prior; and the layouts."""
    visits = []
    for visit in record.visits:
        missing = record.missing_views(visit)
        panes = panes_of(visit, missing)
        no_heat = why_no_heat_map(visit)
        for one in panes:
            on_it = [finding for finding in found if finding.sop_uid == one["sop_uid"]]
            one["findings"] = [
                {"box": finding.box, "label": _label(finding), "axes": finding.axes} for finding in on_it
            ]
            one["no_heat"] = no_heat
        prior = prior_of(record, visit)
        visits.append(
            ribbon.strip_entry(visit, missing)
            | ribbon.step_entry(record, visit)
            | {"panes": panes, "prior": prior.study_uid if prior else None}
        )
    rules = hanging_protocols.protocols()
    return {
        "visits": visits,
        "opens_with": rules.opens_with,
        "layouts": [
            {
                "name": layout.name,
                "key": layout.key,
                "rows": [
                    [{"view": place.view.code, "study": place.study} for place in row] for row in layout.rows
                ],
            }
            for layout in rules.layout
        ],
    }


def _label(finding: KeptFinding) -> str:
    """Return what stands at a lesion in the picture: its name, and its size where it was measured by calipers."""
    if not finding.axes or finding.diameter_mm is None:
        return finding.label
    lengths = [finding.diameter_mm, *([finding.short_mm] if finding.short_mm is not None else [])]
    return f"{finding.label}, {' × '.join(look.millimetres(length) for length in lengths)}"


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
        "view": view.code,
        "side": SIDE_WORDS[view.laterality],
        "label": view.words,
        "note": "",
        "missing": f"{view.words} {where}.",
        "flipped": False,
    }


def _pane_label(image: ViewImage) -> str:
    """Return what an image is, as it is said of one: its side and view, or its side and by what means it was made."""
    other = OTHER_KIND_WORDS.get(image.view)
    if other is None:
        return image.view_name.words
    is_one = image.laterality in SIDE_WORDS
    return f"{image.laterality} {other}" if is_one else f"{other}, {QualityFlag.SIDE_NOT_SAID.words}"


def pane_of(image: ViewImage, *, another: bool = False) -> dict[str, object]:
    """Say a view for the viewer: what kind of picture it is, its quality, and what was done to hang it.

    `another` says that an image of the same side and view hangs already.
    """
    other = OTHER_KIND_WORDS.get(image.view)
    kinds = [
        flag_words(flag)
        for flag in image.quality_flags
        if flag in OTHER_THAN_STANDARD
        and flag not in (OTHER_KIND_FLAGS.get(image.view), QualityFlag.SIDE_NOT_SAID)
    ]
    notes = [flag_words(flag) for flag in image.quality_flags if flag not in OTHER_THAN_STANDARD]
    if image.flipped:
        notes.append("mirrored to hang")
    elif image.chest_wall is None and other is None:
        notes.append("chest wall not found: shown as stored")
    if another and not kinds and other is None:
        kinds = ["another image"]
    return {
        "sop_uid": image.sop_uid,
        "view": image.view_name.code,
        "rows": image.rows,
        "columns": image.columns,
        "spacing_mm": image.spacing_mm,
        "measured": SIZE_NOT_SURE.isdisjoint(image.quality_flags),
        "side": IMAGE_SIDE_WORDS[image.laterality],
        # Only a mammogram has a chest wall to be hung by.
        "centred": other is not None,
        "label": " · ".join([_pane_label(image), *kinds]),
        "note": " · ".join(notes),
        "remarks": "\n".join(image.remarks),
        "missing": "",
        "flipped": image.flipped,
    }
