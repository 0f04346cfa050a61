"""Whose an image is, of when and of what: settled from what a person states and what the file says, never guessed."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any

from core.images import Header
from core.incoming.identity import is_hers, is_of
from core.incoming.items import Statement
from core.refusals import Refusal
from core.rules.vocabulary import BOTH_BREASTS, PICTURES, SHOW_BOTH, SIDES
from db.tables import (
    ImageSide,
)

LONGEST_MRN = 64
# What systems and people write where they have no number: under it all such women would become one.
_OF_NOBODY = re.compile(
    r"anon(ym(ous|i[sz]ed)?)?|none|unknown|unk|n/?a|null|nil|no[ _-]?id|default|removed|0+|[-.?*_]+|x{2,}",
    re.IGNORECASE,
)
_LONGEST_NAME = 256
# Our own UIDs lie under the UUID root (PS3.5 B.2) and follow from what they name, so that repeating gives the same.
_NAMESPACE = uuid.UUID("6f1d3f0e-2c53-4a53-9d5c-0d6f7a3b9e11")


@dataclass(frozen=True)
class Claim:
    """Whose image this is, of when and of what, after statement and file were heard.

    `file_says` is what the file says beside or against that (`db.tables.Image.file_says`); `by_person` tells whether a
    person or a manifest said whose and when, or the file alone.
    """

    mrn: str
    study_date: date
    study_uid: str | None
    sop_uid: str
    laterality: ImageSide
    view: str
    file_says: dict[str, Any]
    by_person: bool
    modality: str = "MG"


def study_uid_of(mrn: str, study_date: date, modality: str = "MG") -> str:
    """Return the UID of the study that a person states: the same for the same patient, day and modality."""
    return _uid("study", mrn, study_date.isoformat(), *([modality] if modality != "MG" else []))


def _uid(*named: str) -> str:
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(10).join(named)).int}"


def check_statement(statement: Statement) -> None:
    """Raise `ValueError` where a statement cannot be meant: no MRN, a name of signs, or a day that has not come yet."""
    if not statement.mrn.strip() or len(statement.mrn) > LONGEST_MRN or not statement.mrn.isprintable():
        raise ValueError(f"The patient's MRN must have 1 to {LONGEST_MRN} printable characters.")
    if statement.name and (len(statement.name) > _LONGEST_NAME or not statement.name.isprintable()):
        raise ValueError(f"The patient's name must have at most {_LONGEST_NAME} printable characters.")
    if not date(1900, 1, 1) <= statement.study_date <= date.today() + timedelta(days=1):
        raise ValueError(f"The date of the study, {statement.study_date}, lies in the future or before 1900.")
    if statement.birth_date and statement.birth_date > statement.study_date:
        raise ValueError(f"The birth date {statement.birth_date} lies after the study.")
    for name, (side, view) in statement.views.items():
        if side not in (*SIDES, *([BOTH_BREASTS] if view in SHOW_BOTH else [])) or view not in PICTURES:
            raise ValueError(
                f"{name}: {side}-{view} is no view. Sides are L and R, views {', '.join(PICTURES)}."
            )


def said_view(statement: Statement, name: str) -> tuple[str, str] | None:
    """Return the side and view that a person states of a file, by its whole name or by its last part."""
    return statement.views.get(name) or statement.views.get(PurePath(name).name)


def settle_claim(
    header: Header, name: str, sha256: str, statement: Statement | None, kind: str | None = None
) -> Claim:
    """Settle whose, when and what from statement and file; raises `Refusal` for what neither says.

    `kind` is US or MR of a picture that is kept as that (`core.incoming.other_kinds`), and then stands for the view.
    """
    side, view = header.laterality, kind or header.view
    file_says: dict[str, Any] = {}
    if statement is None:
        mrn, study_date = _said_by_file(header)
    else:
        mrn, study_date = statement.mrn, statement.study_date
        file_says = _otherwise(header, statement)
        said = said_view(statement, name)
        if said is not None:
            if side is not None and said[0] != side:
                file_says["laterality"] = side
            if view is not None and said[1] != view:
                file_says["view"] = view
            side, view = said
    if side is None and kind in SHOW_BOTH:
        side = BOTH_BREASTS  # marked so (`core.incoming.other_kinds`), and read by no model
    if side is None:
        raise Refusal("unknown_laterality", header.unusable.get("laterality", ""))
    if view is None:
        raise Refusal("unknown_view", header.unusable.get("view", ""))
    if header.modality not in (None, kind or "MG"):
        file_says["modality"] = header.modality
    # Only a file of the same woman and day says her age.
    that_day = header.study_date in (None, study_date)
    if header.age_years is not None and that_day and is_hers(header, mrn, statement, None):
        file_says["age_years"] = header.age_years
    same_patient = header.patient_id == mrn and header.study_date == study_date
    return Claim(
        mrn=mrn,
        study_date=study_date,
        study_uid=header.study_uid if statement is None or same_patient else None,
        sop_uid=header.sop_uid or _uid("image", sha256),
        laterality=ImageSide(side),
        view=view,
        file_says=file_says,
        by_person=statement is not None,
        modality=kind or "MG",
    )


def _said_by_file(header: Header) -> tuple[str, date]:
    """Return MRN and day as the file says them; raises `Refusal` where it does not, or not as it can be kept."""
    for fact in ("patient_id", "patient_id_issuer"):
        if fact in header.unusable:
            raise Refusal("no_identity", header.unusable[fact])
    for fact in ("study_uid", "sop_uid"):
        if fact in header.unusable:
            raise Refusal("bad_identifier", header.unusable[fact])
    if header.patient_id is None:
        raise Refusal("no_identity")
    if _OF_NOBODY.fullmatch(header.patient_id.strip()):
        raise Refusal("no_identity", f"PatientID is “{header.patient_id}”, which stands for no one.")
    if header.study_date is None:
        raise Refusal("no_study_date", header.unusable.get("study_date", ""))
    if header.study_date > date.today() + timedelta(days=1):
        raise Refusal("no_study_date", f"The file says {header.study_date}, which has not come yet.")
    return header.patient_id, header.study_date


def _otherwise(header: Header, statement: Statement) -> dict[str, Any]:
    """Return what the file says of person and date where it is not what the person says."""
    another = not is_of(header, statement.mrn)
    other_day = header.study_date not in (None, statement.study_date)
    said = {
        "patient_id": header.unusable.get("patient_id", header.patient_id) if another else None,
        "patient_id_issuer": header.patient_id_issuer
        if another
        else header.unusable.get("patient_id_issuer"),
        "patient_name": header.patient_name if another or statement.name else None,
        "birth_date": header.birth_date if another or statement.birth_date else None,
        "study_date": header.study_date if other_day else None,
        "study_uid": header.unusable.get("study_uid", header.study_uid if another or other_day else None),
        "sop_uid": header.unusable.get("sop_uid"),
    }
    ours = {"patient_name": statement.name, "birth_date": statement.birth_date}
    return {
        key: value.isoformat() if isinstance(value, date) else value
        for key, value in said.items()
        if value is not None and value != ours.get(key)
    }
