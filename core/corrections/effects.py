"""What follows of a correction, in a person's words, before it is made."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from core.corrections.following import changed_inputs
from core.corrections.state import SeenStudy, State
from core.corrections.work import and_

__all__ = ["Preview", "StudyNamed", "lesions_touched", "preview_of"]


@dataclass(frozen=True)
class StudyNamed:
    """A study by whose and when."""

    patient: str
    study_date: date
    study_uid: str


@dataclass(frozen=True)
class Preview:
    """What a correction does and what follows of it.

    `says` is what is done. `anew` are the studies that are scored anew, `ended` those whose scores end with them, `back`
    those whose scores of before count again; `follows` says in sentences what becomes of everything else, `conflicts` what speaks against it and has to be confirmed. `stamp`
    says what it was made of: with it, a correction is refused where that has changed meanwhile.
    """

    mrn: str
    says: tuple[str, ...]
    anew: tuple[StudyNamed, ...]
    ended: tuple[StudyNamed, ...]
    back: tuple[StudyNamed, ...]
    follows: tuple[str, ...]
    conflicts: tuple[str, ...]
    stamp: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return all that follows, scores first."""
        return (*_said_of_scores(self), *self.follows)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``correct --json``."""
        document = asdict(self)
        for name in ("anew", "ended", "back"):
            for study in document[name]:
                study["study_date"] = study["study_date"].isoformat()
        return {name: list(value) if isinstance(value, tuple) else value for name, value in document.items()}


def preview_of(
    mrn: str,
    before: State,
    after: State,
    *,
    says: Iterable[str],
    notes: Iterable[str] = (),
    conflicts: Iterable[str] = (),
    lesions: Iterable[str] = (),
    back: Collection[int] = (),
    covered: Collection[int] = (),
) -> Preview:
    """Say what follows from what stood before and what stands after; of a study that is `covered` no alert is told."""
    changed = changed_inputs(before, after)
    anew = [after.studies[one] for one in changed if one in after.studies and one not in back]
    gone = [seen for seen in before.studies.values() if seen.study_id not in after.studies]
    touched = {*changed, *(seen.study_id for seen in gone), *_moved(before, after)}
    return Preview(
        mrn=mrn,
        says=tuple(says),
        anew=_named(anew),
        ended=_named(seen for seen in gone if seen.scored),
        back=_named(after.studies[study_id] for study_id in back),
        follows=(
            *notes,
            *_emptied(gone),
            *_assessments(before, after, touched),
            *lesions,
            *_alerts(before, after, touched, covered),
        ),
        conflicts=(*conflicts, *_assessed_and_gone(gone)),
        stamp=before.stamp,
    )


def lesions_touched(measured_on: Iterable[tuple[str, str]]) -> list[str]:
    """Say of lesions what becomes of measurements: pairs of a lesion's label and the view that it was measured on."""
    by_label: dict[str, list[str]] = {}
    for label, view in measured_on:
        by_label.setdefault(label, []).append(view)
    return [
        f"{label} was measured on {and_(dict.fromkeys(views))}: that stays, marked as of before the correction, and does not count."
        for label, views in by_label.items()
    ]


def _said_of_scores(preview: Preview) -> list[str]:
    said = []
    if preview.anew:
        number = len(preview.anew)
        said.append(
            f"{number} {'score is' if number == 1 else 'scores are'} made anew: {_days(preview.anew)}. "
            "Until then no number is shown there."
        )
    else:
        said.append("No score is made anew.")
    if preview.back:
        said.append(f"The scores of before count again: {_days(preview.back)}.")
    if preview.ended:
        said.append(f"What was scored of {_days(preview.ended)} is kept, and shown nowhere.")
    return said


def _days(studies: Iterable[StudyNamed]) -> str:
    """Name studies by their days, and by woman where they are of several."""
    by_woman: dict[str, list[str]] = {}
    for study in studies:
        by_woman.setdefault(study.patient, []).append(study.study_date.isoformat())
    if len(by_woman) == 1:
        return and_(next(iter(by_woman.values())))
    return "; ".join(f"{and_(days)} of MRN {mrn}" for mrn, days in by_woman.items())


def _emptied(gone: Iterable[SeenStudy]) -> list[str]:
    return [f"The study of {seen.on} holds no film any more and is put away." for seen in gone]


def _assessments(before: State, after: State, touched: Collection[int]) -> list[str]:
    said = []
    for study_id in sorted(touched):
        was, now = before.studies.get(study_id), after.studies.get(study_id)
        if was is None or now is None or was.assessed is None:
            continue
        by = f" by {was.assessed_by}" if was.assessed_by else ""
        whither = f", now of {now.on}" if now.on != was.on else ""
        whither += f", now of MRN {now.mrn}" if now.mrn != was.mrn else ""
        said.append(f"The assessment of {was.on}{by} (BI-RADS {was.assessed}) stays with its study{whither}.")
    return said


def _assessed_and_gone(gone: Iterable[SeenStudy]) -> list[str]:
    return [
        f"The study of {seen.on} was assessed (BI-RADS {seen.assessed}): its assessment is put away with it."
        for seen in gone
        if seen.assessed is not None
    ]


def _alerts(before: State, after: State, touched: Collection[int], covered: Collection[int]) -> list[str]:
    said = []
    touched = set(touched) - set(covered)
    for alert in before.alerts.values():
        now = after.alerts.get(alert.alert_id)
        if not alert.is_open or alert.study_id not in touched:
            continue
        on = before.studies[alert.study_id].on if alert.study_id in before.studies else None
        if alert.study_id not in after.studies:
            said.append(f"The alert at the study of {on} is not shown any more.")
        elif now is None or not now.is_open or alert.study_id in changed_inputs(before, after):
            said.append(f"The alert at the study of {on} is told again if the new score still raises it.")
    for alert in after.alerts.values():
        was = before.alerts.get(alert.alert_id)
        is_new = alert.is_open and (was is None or not was.is_open)
        if is_new and alert.study_id in after.studies and alert.study_id not in covered:
            said.append(f"An alert at the study of {after.studies[alert.study_id].on} is raised.")
    return said


def _moved(before: State, after: State) -> list[int]:
    return [
        study_id
        for study_id, was in before.studies.items()
        if (now := after.studies.get(study_id)) and (now.mrn, now.on) != (was.mrn, was.on)
    ]


def _named(studies: Iterable[SeenStudy]) -> tuple[StudyNamed, ...]:
    in_order = sorted(studies, key=lambda seen: (seen.on, seen.study_id))
    return tuple(StudyNamed(seen.mrn, seen.on, seen.uid) for seen in in_order)
