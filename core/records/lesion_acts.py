"""What readers do with a woman's lesions: measure, join, part, rename, call benign, take back.

Every act is one transaction with its entry in the audit trail, and with what takes it back where that is kept (`keep`). It
names the version of the lesion that the reader had before her; where another reader has changed it since, nothing is
written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import Permission, Person, require
from core.people.needing import needs
from core.records.sizing import Sizing, measurement_of, side_of
from core.records.undoing import (
    Keep,
    Undo,
    kept_by,
    lesion_as_seen,
    measurement_there,
    names_of_others,
    record_act,
    shown_measurements,
)
from core.rules import ViewName
from core.rules.vocabulary import SIDE_WORDS
from db.tables import Image, Lesion, LesionStatus, Measurement, utc_now

__all__ = [
    "add_measurement",
    "describe_lesion",
    "join_lesions",
    "next_label",
    "remove_measurement",
    "rename_lesion",
    "set_lesion_status",
    "split_lesion",
    "start_lesion",
]

LONGEST_LABEL, LONGEST_NOTE = 64, 10_000


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
    keep: Keep | None = None,
) -> Undo:
    """Keep what was measured of a lesion on an image of that breast.

    Parameters
    ----------
    version
        The lesion's version that the reader had before her.
    instead_of
        The measurement on the same image that this one replaces; it is kept, but shown nowhere.
    keep
        Keeps what takes the act back, in its transaction; what is returned is not kept anywhere else.

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
            before = measurement_there(session, instead_of)
            before.removed_at, before.removed_by_id = utc_now(), person.user_id
        undo = _kept(session, person, lesion, image, made, instead_of=instead_of)
        return kept_by(keep, session, undo)


@needs(Permission.ASSESS)
def start_lesion(
    here: Installation,
    person: Person,
    sop_uid: str,
    sizing: Sizing,
    *,
    kind: str = "",
    node: bool = False,
    keep: Keep | None = None,
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
        undo = _kept(session, person, lesion, image, measurement_of(lesion, image, sizing, person))
        return kept_by(keep, session, undo)


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
    record_act(session, person, "lesion_measured", lesion, detail)
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
    lesion = lesion_as_seen(session, lesion_id, version)
    _same_breast(lesion, image)
    before = [one.id for one in shown_measurements(session, lesion.id) if one.image_id == image.id]
    if before != ([] if instead_of is None else [instead_of]):
        raise ValueError(f"{lesion.label} is measured on this image already. Take that back first.")
    lesion.version += 1
    return lesion


@needs(Permission.ASSESS)
def remove_measurement(
    here: Installation, person: Person, measurement_id: int, *, version: int, keep: Keep | None = None
) -> Undo:
    """Take a measurement back. A lesion without any is shown nowhere. Raises as `add_measurement`."""
    with here.database.write() as session:
        measurement = measurement_there(session, measurement_id)
        lesion = lesion_as_seen(session, measurement.lesion_id, version)
        return kept_by(keep, session, take_back(session, person, lesion, [measurement]))


def take_back(session: Session, person: Person, lesion: Lesion, measurements: Sequence[Measurement]) -> Undo:
    """Mark measurements of a lesion as taken back, inside the caller's transaction."""
    for one in measurements:
        one.removed_at, one.removed_by_id = utc_now(), person.user_id
        detail = {
            "label": lesion.label, "image": one.image.sop_uid, "box": [one.x0, one.y0, one.x1, one.y1],
            "diameter_mm": one.diameter_mm, "short_mm": one.short_mm,
        }  # fmt: skip
        record_act(session, person, "finding_removed", lesion, detail)
    lesion.version += 1
    return Undo(
        f"A measurement of {lesion.label} is taken back",
        lesion.patient.mrn,
        {lesion.id: lesion.version},
        removed=tuple(one.id for one in measurements),
    )


@needs(Permission.ASSESS)
def join_lesions(
    here: Installation,
    person: Person,
    lesion_id: int,
    into_id: int,
    *,
    versions: tuple[int, int],
    keep: Keep | None = None,
) -> Undo:
    """Say that two findings are one lesion: what was measured of the first becomes the second's.

    `versions` are those of both that the reader had before her. Raises as `add_measurement`; ValueError also where the two
    are of two breasts, or both were measured on one image, which shows a lesion once.
    """
    if lesion_id == into_id:
        raise ValueError("Choose another lesion to join it to.")
    with here.database.write() as session:
        lesion = lesion_as_seen(session, lesion_id, versions[0])
        into = lesion_as_seen(session, into_id, versions[1])
        if lesion.patient_id != into.patient_id:
            raise ValueError("The two lesions are of two women.")
        if lesion.laterality is not into.laterality:
            raise ValueError("The two lesions are of two breasts: they cannot be one.")
        taken = {one.image_id: one for one in shown_measurements(session, into.id)}
        moving = shown_measurements(session, lesion.id)
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
        record_act(
            session, person, "lesion_joined", into,
            {"label": lesion.label, "into": into.label, "lesion": lesion.id, "measurements": ids},
        )  # fmt: skip
        undo = Undo(
            f"{lesion.label} is joined to {into.label}",
            lesion.patient.mrn,
            {lesion.id: lesion.version, into.id: into.version},
            moved=dict.fromkeys(ids, lesion.id),
        )
        return kept_by(keep, session, undo)


@needs(Permission.ASSESS)
def split_lesion(
    here: Installation,
    person: Person,
    measurement_ids: Sequence[int],
    *,
    version: int,
    keep: Keep | None = None,
) -> Undo:
    """Say that some measurements of a lesion are of another one, which gets the next free name.

    Raises as `add_measurement`; ValueError also where they are none, not of one lesion, or all that it has.
    """
    with here.database.write() as session:
        parting = [measurement_there(session, one) for one in measurement_ids]
        if len({one.lesion_id for one in parting}) != 1:
            raise ValueError("Choose measurements of one lesion.")
        lesion = lesion_as_seen(session, parting[0].lesion_id, version)
        if len(parting) == len(shown_measurements(session, lesion.id)):
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
        record_act(
            session, person, "lesion_split", lesion,
            {"label": lesion.label, "from": lesion.label, "to": other.label, "measurements": ids},
        )  # fmt: skip
        undo = Undo(
            f"{other.label} is parted from {lesion.label}",
            lesion.patient.mrn,
            {lesion.id: lesion.version, other.id: other.version},
            moved=dict.fromkeys(ids, lesion.id),
        )
        return kept_by(keep, session, undo)


@needs(Permission.ASSESS)
def rename_lesion(
    here: Installation, person: Person, lesion_id: int, label: str, *, version: int, keep: Keep | None = None
) -> Undo:
    """Give a lesion another name. Raises as `add_measurement`; ValueError also where it is empty, long or another's."""
    label = " ".join(label.split())
    if not label or len(label) > LONGEST_LABEL:
        raise ValueError(f"A name has 1 to {LONGEST_LABEL} characters.")
    return _say(
        here, person, lesion_id, {"label": label}, version, "lesion_renamed", f"is now called {label}", keep
    )


@needs(Permission.ASSESS)
def describe_lesion(
    here: Installation,
    person: Person,
    lesion_id: int,
    *,
    kind: str,
    node: bool,
    version: int,
    keep: Keep | None = None,
) -> Undo:
    """Say what a lesion is (mass, calcifications …), and whether it is a lymph node. Raises as `add_measurement`."""
    fields = {"kind": _kind(kind), "node": node}
    return _say(here, person, lesion_id, fields, version, "lesion_described", "is described anew", keep)


@needs(Permission.ASSESS)
def set_lesion_status(
    here: Installation,
    person: Person,
    lesion_id: int,
    status: LesionStatus,
    *,
    note: str,
    version: int,
    keep: Keep | None = None,
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
    return _say(here, person, lesion_id, fields, version, "lesion_status", words[status], keep)


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
    keep: Keep | None,
) -> Undo:
    """Write fields of a lesion and return what takes that back."""
    require(person, Permission.ASSESS)
    with here.database.write() as session:
        lesion = lesion_as_seen(session, lesion_id, version)
        if "label" in fields and fields["label"] in names_of_others(session, lesion):
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
        record_act(session, person, action, lesion, {"label": old, "before": was, "now": told})
        undo = Undo(f"{old} {words}", lesion.patient.mrn, {lesion.id: lesion.version}, {lesion.id: before})
        return kept_by(keep, session, undo)


def _kind(words: str) -> str | None:
    return " ".join(words.split())[:32] or None


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, LesionStatus) else value


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
