"""What readers do with a woman's lesions: measure, join, part, rename, call benign, take back; and how it is undone.

Every act is one transaction with its entry in the audit trail. It names the version of the lesion that the reader had
before her; where another reader has changed it since, nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import Permission, Person, audit, require
from core.people.needing import needs
from core.records.lesions import Axis, Box
from core.rules import ViewName
from core.rules.response import TOO_SMALL_MM
from core.rules.vocabulary import SIDE_WORDS, SIZE_NOT_SURE
from db.tables import Image, ImageSide, Laterality, Lesion, LesionStatus, Measurement, utc_now

__all__ = [
    "LesionChangedMeanwhile",
    "Sizing",
    "Undo",
    "add_measurement",
    "describe_lesion",
    "join_lesions",
    "next_label",
    "remove_measurement",
    "rename_lesion",
    "set_lesion_status",
    "split_lesion",
    "start_lesion",
    "undo_lesion_act",
]

LONGEST_LABEL, LONGEST_NOTE = 64, 10_000
LARGEST_MM = 500.0


class LesionChangedMeanwhile(ValueError):
    """The lesion is not any more what the reader had before her: nothing was written."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"{label} was changed by somebody else after you opened it. Nothing is written: look at it again, then repeat."
        )


@dataclass(frozen=True)
class Undo:
    """What takes an act back for as long as its lesions are as it left them (`versions`, by lesion id).

    `words` says what was done. `fields` holds what lesions said before, `moved` the lesion that measurements came from,
    `removed` what was taken away and `added` what came.
    """

    words: str
    mrn: str
    versions: Mapping[int, int]
    fields: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    moved: Mapping[int, int] = field(default_factory=dict)
    removed: tuple[int, ...] = ()
    added: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sizing:
    """What was measured on one image, in pixels of the image and mm.

    With the ends of an axis its length follows from the pixel size; without, the length is as the reader gives it. `box` is
    where the lesion lies; where none is given it is the one around the axes. 0 mm says that it is gone there.
    """

    box: Box | None = None
    long_axis: Axis | None = None
    short_axis: Axis | None = None
    long_mm: float | None = None
    short_mm: float | None = None
    too_small: bool = False
    proposed_by: str | None = None
    proposed_from: int | None = None


@needs(Permission.ASSESS)
def add_measurement(
    here: Installation,
    person: Person,
    lesion_id: int,
    sop_uid: str,
    sizing: Sizing,
    *,
    version: int,
    instead_of: int | None = None,
) -> Undo:
    """Keep what was measured of a lesion on an image of that breast.

    Parameters
    ----------
    version
        The lesion's version that the reader had before her.
    instead_of
        The measurement on the same image that this one replaces; it is kept, but shown nowhere.

    Raises
    ------
    AccessDenied
        If the person may not assess.
    LesionChangedMeanwhile
        If the lesion has another version by now.
    ValueError
        If the image is another woman's or of the other breast, shows the lesion already, or the lengths cannot be.
    """
    with here.database.write() as session:
        image = _image(session, sop_uid)
        lesion = lesion_to_add_to(session, lesion_id, version, image, instead_of=instead_of)
        made = measurement_of(lesion, image, sizing, person)
        if instead_of is not None:
            before = _measurement(session, instead_of)
            before.removed_at, before.removed_by_id = utc_now(), person.user_id
        return _kept(session, person, lesion, image, made, instead_of=instead_of)


@needs(Permission.ASSESS)
def start_lesion(
    here: Installation, person: Person, sop_uid: str, sizing: Sizing, *, kind: str = "", node: bool = False
) -> Undo:
    """Keep what was measured on an image as a new lesion of its breast, numbered within the patient.

    Raises `AccessDenied`, and ValueError where the image is not stored any more, or axes or lengths cannot be.
    """
    with here.database.write() as session:
        image = _image(session, sop_uid)
        patient_id = image.study.patient_id
        lesion = Lesion(
            patient_id=patient_id,
            laterality=side_of(image),
            label=next_label(session, patient_id),
            kind=_kind(kind),
            node=node,
            recorded_by_id=person.user_id,
        )
        session.add(lesion)
        session.flush()
        return _kept(session, person, lesion, image, measurement_of(lesion, image, sizing, person))


def side_of(image: Image) -> Laterality:
    """Return the breast that a finding on an image is in; raises `ValueError` where the image shows both."""
    if image.laterality is ImageSide.BOTH:
        raise ValueError(
            "This picture shows both breasts, or does not say which, and a finding is in one. Say first, under Correct, "
            "which breast the picture is of."
        )
    return Laterality(image.laterality.value)


def _kept(
    session: Session,
    person: Person,
    lesion: Lesion,
    image: Image,
    made: Measurement,
    *,
    instead_of: int | None = None,
) -> Undo:
    """Write a new measurement with its entry in the trail, inside the caller's transaction."""
    session.add(made)
    session.flush()
    detail = {
        "label": lesion.label, "image": image.sop_uid, "diameter_mm": made.diameter_mm, "short_mm": made.short_mm,
        "box": [made.x0, made.y0, made.x1, made.y1], "instead_of": instead_of, "proposed_by": made.proposed_by,
    }  # fmt: skip
    _record(session, person, "lesion_measured", lesion, detail)
    view = ViewName(image.laterality.value, image.view)
    return Undo(
        f"{lesion.label} is measured on {view.words} of {image.study.study_date}",
        lesion.patient.mrn,
        {lesion.id: lesion.version},
        removed=() if instead_of is None else (instead_of,),
        added=(made.id,),
    )


def lesion_to_add_to(
    session: Session, lesion_id: int, version: int, image: Image, *, instead_of: int | None = None
) -> Lesion:
    """Return a lesion, its version one on, that a measurement on an image can be added to, inside the caller's transaction.

    Raises `LesionChangedMeanwhile`, and ValueError where the image cannot show it or does already; see `add_measurement`.
    """
    lesion = _lesion(session, lesion_id, version)
    _same_breast(lesion, image)
    before = [one.id for one in _live(session, lesion.id) if one.image_id == image.id]
    if before != ([] if instead_of is None else [instead_of]):
        raise ValueError(f"{lesion.label} is measured on this image already. Take that back first.")
    lesion.version += 1
    return lesion


def measurement_of(lesion: Lesion, image: Image, sizing: Sizing, person: Person | None) -> Measurement:
    """Return the row of a measurement, checked; raises ValueError where box, axes or lengths cannot be."""
    for axis in (sizing.long_axis, sizing.short_axis):
        if axis is not None and not _lies_in(axis, image):
            raise ValueError("A measured axis does not lie in the image. Measure it again.")
    box = sizing.box or _box_around(sizing, image)
    if box is None or not (box[0] < box[2] and box[1] < box[3] and _lies_in(box, image)):
        raise ValueError("The box does not lie in the image. Draw it again.")
    # A magnified view shows more pixels than there are millimetres.
    spacing = image.pixel_spacing_mm if SIZE_NOT_SURE.isdisjoint(image.quality_flags) else None
    long_mm = _length(sizing.long_axis, spacing) if sizing.long_axis else sizing.long_mm
    short_mm = _length(sizing.short_axis, spacing) if sizing.short_axis else sizing.short_mm
    if sizing.too_small:
        long_mm, short_mm = TOO_SMALL_MM, TOO_SMALL_MM
    for length in (long_mm, short_mm):
        if length is not None and not 0 <= length <= LARGEST_MM:
            raise ValueError(f"A diameter lies between 0 and {LARGEST_MM:.0f} mm.")
    if long_mm is not None and short_mm is not None and short_mm > long_mm:
        raise ValueError("The short axis is longer than the long one. Measure both again.")
    axes = {"long": sizing.long_axis, "short": sizing.short_axis}
    drawn = {name: list(axis) for name, axis in axes.items() if axis is not None}
    return Measurement(
        lesion_id=lesion.id,
        image_id=image.id,
        view_code=ViewName(image.laterality.value, image.view).code,
        diameter_mm=long_mm,
        short_mm=short_mm,
        axes=drawn or None,
        x0=box[0], y0=box[1], x1=box[2], y1=box[3],
        proposed_by=sizing.proposed_by,
        proposed_from_id=sizing.proposed_from,
        measured_by_id=person.user_id if person else None,
    )  # fmt: skip


@needs(Permission.ASSESS)
def remove_measurement(here: Installation, person: Person, measurement_id: int, *, version: int) -> Undo:
    """Take a measurement back. A lesion without any is shown nowhere. Raises as `add_measurement`."""
    with here.database.write() as session:
        measurement = _measurement(session, measurement_id)
        lesion = _lesion(session, measurement.lesion_id, version)
        return take_back(session, person, lesion, [measurement])


def take_back(session: Session, person: Person, lesion: Lesion, measurements: Sequence[Measurement]) -> Undo:
    """Mark measurements of a lesion as taken back, inside the caller's transaction."""
    for one in measurements:
        one.removed_at, one.removed_by_id = utc_now(), person.user_id
        detail = {
            "label": lesion.label, "image": one.image.sop_uid, "box": [one.x0, one.y0, one.x1, one.y1],
            "diameter_mm": one.diameter_mm, "short_mm": one.short_mm,
        }  # fmt: skip
        _record(session, person, "finding_removed", lesion, detail)
    lesion.version += 1
    return Undo(
        f"A measurement of {lesion.label} is taken back",
        lesion.patient.mrn,
        {lesion.id: lesion.version},
        removed=tuple(one.id for one in measurements),
    )


@needs(Permission.ASSESS)
def join_lesions(
    here: Installation, person: Person, lesion_id: int, into_id: int, *, versions: tuple[int, int]
) -> Undo:
    """Say that two findings are one lesion: what was measured of the first becomes the second's.

    `versions` are those of both that the reader had before her. Raises as `add_measurement`; ValueError also where the two
    are of two breasts, or both were measured on one image, which shows a lesion once.
    """
    if lesion_id == into_id:
        raise ValueError("Choose another lesion to join it to.")
    with here.database.write() as session:
        lesion, into = _lesion(session, lesion_id, versions[0]), _lesion(session, into_id, versions[1])
        if lesion.patient_id != into.patient_id:
            raise ValueError("The two lesions are of two women.")
        if lesion.laterality is not into.laterality:
            raise ValueError("The two lesions are of two breasts: they cannot be one.")
        taken = {one.image_id: one for one in _live(session, into.id)}
        moving = _live(session, lesion.id)
        both = next((one.image for one in moving if one.image_id in taken), None)
        if both is not None:
            view = ViewName(both.laterality.value, both.view).words
            raise ValueError(
                f"Both were measured on {view} of {both.study.study_date}, and one image shows a lesion once. "
                "Take one of them back first."
            )
        for one in moving:
            one.lesion_id = into.id
        lesion.version += 1
        into.version += 1
        ids = [one.id for one in moving]
        _record(
            session, person, "lesion_joined", into,
            {"label": lesion.label, "into": into.label, "lesion": lesion.id, "measurements": ids},
        )  # fmt: skip
        return Undo(
            f"{lesion.label} is joined to {into.label}",
            lesion.patient.mrn,
            {lesion.id: lesion.version, into.id: into.version},
            moved=dict.fromkeys(ids, lesion.id),
        )


@needs(Permission.ASSESS)
def split_lesion(here: Installation, person: Person, measurement_ids: Sequence[int], *, version: int) -> Undo:
    """Say that some measurements of a lesion are of another one, which gets the next free name.

    Raises as `add_measurement`; ValueError also where they are none, not of one lesion, or all that it has.
    """
    with here.database.write() as session:
        parting = [_measurement(session, one) for one in measurement_ids]
        if len({one.lesion_id for one in parting}) != 1:
            raise ValueError("Choose measurements of one lesion.")
        lesion = _lesion(session, parting[0].lesion_id, version)
        if len(parting) == len(_live(session, lesion.id)):
            raise ValueError(f"These are all that {lesion.label} has: rename it instead.")
        other = Lesion(
            patient_id=lesion.patient_id,
            laterality=lesion.laterality,
            label=next_label(session, lesion.patient_id),
            kind=lesion.kind,
            node=lesion.node,
            organ=lesion.organ,
            recorded_by_id=person.user_id,
        )
        session.add(other)
        session.flush()
        for one in parting:
            one.lesion_id = other.id
        lesion.version += 1
        ids = [one.id for one in parting]
        _record(
            session, person, "lesion_split", lesion,
            {"label": lesion.label, "from": lesion.label, "to": other.label, "measurements": ids},
        )  # fmt: skip
        return Undo(
            f"{other.label} is parted from {lesion.label}",
            lesion.patient.mrn,
            {lesion.id: lesion.version, other.id: other.version},
            moved=dict.fromkeys(ids, lesion.id),
        )


@needs(Permission.ASSESS)
def rename_lesion(here: Installation, person: Person, lesion_id: int, label: str, *, version: int) -> Undo:
    """Give a lesion another name. Raises as `add_measurement`; ValueError also where it is empty, long or another's."""
    label = " ".join(label.split())
    if not label or len(label) > LONGEST_LABEL:
        raise ValueError(f"A name has 1 to {LONGEST_LABEL} characters.")
    return _say(
        here, person, lesion_id, {"label": label}, version, "lesion_renamed", f"is now called {label}"
    )


@needs(Permission.ASSESS)
def describe_lesion(
    here: Installation, person: Person, lesion_id: int, *, kind: str, node: bool, version: int
) -> Undo:
    """Say what a lesion is (mass, calcifications …), and whether it is a lymph node. Raises as `add_measurement`."""
    fields = {"kind": _kind(kind), "node": node}
    return _say(here, person, lesion_id, fields, version, "lesion_described", "is described anew")


@needs(Permission.ASSESS)
def set_lesion_status(
    here: Installation, person: Person, lesion_id: int, status: LesionStatus, *, note: str, version: int
) -> Undo:
    """Say that a lesion is known to be benign, resolved, or followed again.

    Raises as `add_measurement`; ValueError also where a lesion is called benign without a word on how that is known.
    """
    note = note.strip()[:LONGEST_NOTE]
    if status is LesionStatus.KNOWN_BENIGN and not note:
        raise ValueError("Say how it is known to be benign, for example by a biopsy and its date.")
    words = {
        LesionStatus.KNOWN_BENIGN: "is known benign: quiet until it grows",
        LesionStatus.RESOLVED: "is resolved",
        LesionStatus.FOLLOWED: "is followed",
    }
    fields = {
        "status": status,
        "status_at": utc_now(),
        "status_by_id": require(person, Permission.ASSESS).user_id,
        "note": note or None,
    }
    return _say(here, person, lesion_id, fields, version, "lesion_status", words[status])


@needs(Permission.ASSESS)
def undo_lesion_act(here: Installation, person: Person, undo: Undo) -> None:
    """Take an act back.

    Raises `AccessDenied`, `LesionChangedMeanwhile` where somebody has gone on from it, and ValueError where another lesion
    of hers has been given the name since.
    """
    with here.database.write() as session:
        lesions = {one: _lesion(session, one, version) for one, version in undo.versions.items()}
        for lesion_id, fields in undo.fields.items():
            for name, value in fields.items():
                setattr(lesions[lesion_id], name, value)
        for measurement_id, lesion_id in undo.moved.items():
            _measurement(session, measurement_id).lesion_id = lesion_id
        for measurement_id in undo.added:
            one = _measurement(session, measurement_id)
            one.removed_at, one.removed_by_id = utc_now(), person.user_id
        for measurement_id in undo.removed:
            one = _measurement(session, measurement_id, removed=True)
            one.removed_at, one.removed_by_id = None, None
        session.flush()
        for lesion in lesions.values():
            if lesion.label in _labels(session, lesion) and _live(session, lesion.id):
                raise ValueError(f"Another lesion of hers is called {lesion.label} by now. Rename it first.")
            lesion.version += 1
        first = next(iter(lesions.values()))
        _record(session, person, "lesion_undone", first, {"label": first.label, "undone": undo.words})


def next_label(session: Session, patient_id: int) -> str:
    """Return the next free name of a woman's findings; numbers are not used twice."""
    labels = session.scalars(select(Lesion.label).where(Lesion.patient_id == patient_id))
    taken = [int(last) for label in labels if (last := label.rpartition(" ")[2]).isdecimal()]
    return f"Finding {max(taken, default=0) + 1}"


def _say(
    here: Installation,
    person: Person,
    lesion_id: int,
    fields: Mapping[str, Any],
    version: int,
    action: str,
    words: str,
) -> Undo:
    """Write fields of a lesion and return what takes that back."""
    require(person, Permission.ASSESS)
    with here.database.write() as session:
        lesion = _lesion(session, lesion_id, version)
        if "label" in fields and fields["label"] in _labels(session, lesion):
            raise ValueError(
                f"Another lesion of hers is called {fields['label']}. Join the two, or choose another name."
            )
        before = {name: getattr(lesion, name) for name in fields}
        old = lesion.label
        for name, value in fields.items():
            setattr(lesion, name, value)
        lesion.version += 1
        told = {
            name: _plain(value) for name, value in fields.items() if name not in ("status_at", "status_by_id")
        }
        was = {name: _plain(value) for name, value in before.items() if name in told}
        _record(session, person, action, lesion, {"label": old, "before": was, "now": told})
        return Undo(f"{old} {words}", lesion.patient.mrn, {lesion.id: lesion.version}, {lesion.id: before})


def _labels(session: Session, lesion: Lesion) -> set[str]:
    """Return the names of her other lesions that are shown."""
    return set(
        session.scalars(
            select(Lesion.label)
            .join(Measurement, Measurement.lesion_id == Lesion.id)
            .where(
                Lesion.patient_id == lesion.patient_id,
                Lesion.id != lesion.id,
                Measurement.removed_at.is_(None),
            )
        )
    )


def _kind(words: str) -> str | None:
    return " ".join(words.split())[:32] or None


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, LesionStatus) else value


def _lesion(session: Session, lesion_id: int, version: int) -> Lesion:
    lesion = session.get(Lesion, lesion_id, with_for_update=True)
    if lesion is None:
        raise ValueError("This lesion is not here any more. Open the patient again.")
    if lesion.version != version:
        raise LesionChangedMeanwhile(lesion.label)
    return lesion


def _measurement(session: Session, measurement_id: int, *, removed: bool = False) -> Measurement:
    one = session.get(Measurement, measurement_id)
    if one is None or (one.removed_at is not None) != removed:
        raise ValueError("This measurement is not here any more. Open the patient again.")
    return one


def _live(session: Session, lesion_id: int) -> list[Measurement]:
    return list(
        session.scalars(
            select(Measurement)
            .where(Measurement.lesion_id == lesion_id, Measurement.removed_at.is_(None))
            .order_by(Measurement.id)
        )
    )


def _image(session: Session, sop_uid: str) -> Image:
    image = session.scalar(select(Image).where(Image.sop_uid == sop_uid))
    if image is None:
        raise ValueError("This image is not stored any more. Open the patient again.")
    return image


def _same_breast(lesion: Lesion, image: Image) -> None:
    if image.study.patient_id != lesion.patient_id:
        raise ValueError("This image is another woman's.")
    if side_of(image) is not lesion.laterality:
        words = SIDE_WORDS[lesion.laterality.value]
        raise ValueError(f"{lesion.label} is in the {words} breast, and this image shows the other one.")


def _lies_in(box: Box, image: Image) -> bool:
    x0, y0, x1, y1 = box
    across, down = (x0, x1), (y0, y1)
    return all(0 <= x <= image.columns for x in across) and all(0 <= y <= image.rows for y in down)


def _length(axis: Axis, spacing_mm: float | None) -> float | None:
    """Return the length of an axis in mm; None where the pixel size is not known."""
    return None if spacing_mm is None else math.hypot(axis[2] - axis[0], axis[3] - axis[1]) * spacing_mm


def _box_around(sizing: Sizing, image: Image) -> Box | None:
    """Return the smallest box around the axes; an axis along a row or a column still has a box."""
    axes = [axis for axis in (sizing.long_axis, sizing.short_axis) if axis is not None]
    if not axes:
        return None
    x = [value for axis in axes for value in axis[0::2]]
    y = [value for axis in axes for value in axis[1::2]]
    x0, x1 = _widened(min(x), max(x), image.columns)
    y0, y1 = _widened(min(y), max(y), image.rows)
    return x0, y0, x1, y1


def _widened(low: float, high: float, end: int) -> tuple[float, float]:
    short = max(0.0, 1 - (high - low)) / 2
    return max(0.0, low - short), min(float(end), high + short)


def _record(session: Session, person: Person, action: str, lesion: Lesion, detail: Mapping[str, Any]) -> None:
    audit.record(session, person, action, f"patient:{lesion.patient.mrn}", detail)
