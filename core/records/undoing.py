"""What takes an act on lesions back, and what holds every act to the version of the lesion that the reader has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import Permission, Person, audit
from core.people.needing import needs
from db.tables import Lesion, Measurement, utc_now

__all__ = ["Keep", "LesionChangedMeanwhile", "Undo", "take_act_back", "undo_lesion_act"]


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


Keep = Callable[[Session, Undo], None]
"""Keeps what takes an act back, in the act's own transaction: either both are there afterwards or neither."""


def kept_by(keep: Keep | None, session: Session, undo: Undo) -> Undo:
    """Return what takes an act back, kept where somebody wants it kept."""
    if keep is not None:
        keep(session, undo)
    return undo


@needs(Permission.ASSESS)
def undo_lesion_act(here: Installation, person: Person, undo: Undo) -> None:
    """Take an act back. Raises `AccessDenied`, and as `take_act_back`."""
    with here.database.write() as session:
        take_act_back(session, person, undo)


def take_act_back(session: Session, person: Person, undo: Undo) -> None:
    """Take an act back with its entry in the trail, inside the caller's transaction.

    Raises `LesionChangedMeanwhile` where somebody has gone on from it, and ValueError where another lesion of hers has been
    given the name since.
    """
    lesions = {one: lesion_as_seen(session, one, version) for one, version in undo.versions.items()}
    for lesion_id, fields in undo.fields.items():
        for name, value in fields.items():
            setattr(lesions[lesion_id], name, value)
    for measurement_id, lesion_id in undo.moved.items():
        measurement_there(session, measurement_id).lesion_id = lesion_id
    for measurement_id in undo.added:
        one = measurement_there(session, measurement_id)
        one.removed_at, one.removed_by_id = utc_now(), person.user_id
    for measurement_id in undo.removed:
        one = measurement_there(session, measurement_id, removed=True)
        one.removed_at, one.removed_by_id = None, None
    session.flush()
    for lesion in lesions.values():
        if lesion.label in names_of_others(session, lesion) and shown_measurements(session, lesion.id):
            raise ValueError(f"Another lesion of hers is called {lesion.label} by now. Rename it first.")
        lesion.version += 1
    first = next(iter(lesions.values()))
    record_act(session, person, "lesion_undone", first, {"label": first.label, "undone": undo.words})


def lesion_as_seen(session: Session, lesion_id: int, version: int) -> Lesion:
    """Return a lesion to change; raises `LesionChangedMeanwhile` where it has another version, ValueError where it is gone."""
    lesion = session.get(Lesion, lesion_id, with_for_update=True)
    if lesion is None:
        raise ValueError("This lesion is not here any more. Open the patient again.")
    if lesion.version != version:
        raise LesionChangedMeanwhile(lesion.label)
    return lesion


def measurement_there(session: Session, measurement_id: int, *, removed: bool = False) -> Measurement:
    """Return a measurement that is shown, or one that was taken back; raises ValueError where it is not so any more."""
    one = session.get(Measurement, measurement_id)
    if one is None or (one.removed_at is not None) != removed:
        raise ValueError("This measurement is not here any more. Open the patient again.")
    return one


def shown_measurements(session: Session, lesion_id: int) -> list[Measurement]:
    """Return a lesion's measurements that were not taken back."""
    return list(
        session.scalars(
            select(Measurement)
            .where(Measurement.lesion_id == lesion_id, Measurement.removed_at.is_(None))
            .order_by(Measurement.id)
        )
    )


def names_of_others(session: Session, lesion: Lesion) -> set[str]:
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


def record_act(
    session: Session, person: Person, action: str, lesion: Lesion, detail: Mapping[str, Any]
) -> None:
    """Write the entry of an act on a lesion in the trail, inside its transaction."""
    audit.record(session, person, action, f"patient:{lesion.patient.mrn}", detail)
