"""Rows of an export without the woman they are of: what is not known to be harmless is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from core.deidentification.identity import Identity

__all__ = ["COLUMNS", "without_her", "words_moved"]

_MOVED = [
    "study_date",
    "comparison_date",
    "event_date",
    "end_date",
    "recorded_on",
    "assessed_at",
    "revealed_at",
    "signed_at",
    "computed_at",
    "measured_at",
    "raised_at",
    "acknowledged_at",
    "made_at",
    "undone_at",
]
_UIDS = ("study_uid", "sop_uid", "comparison_uid")
_HARMLESS = [
    "simulated",
    "sex",
    "modality",
    "status",
    "bi_rads",
    "bi_rads_edition",
    "reader_density",
    "read_in_part",
    "version",
    "bi_rads_right",
    "bi_rads_left",
    "edition",
    "density",
    "covered",
    "management",
    "laterality",
    "rows",
    "columns",
    "pixel_spacing_mm",
    "manufacturer",
    "quality_flags",
    "speaks",
    "model",
    "weights_sha256",
    "calibration",
    "smallest_change",
    "density_by",
    "priors",
    "missing_views",
    "trust_level",
    "trust_reason",
    "trust_distance",
    "trust_limit",
    "untrusted",
    "kind",
    "correction",
    "result",
    "bmi",
    "first_degree_relatives_with_breast_cancer",
    "postmenopausal",
    "hormone_therapy",
    "prior_biopsy",
    "lesion_id",
    "node",
    "organ",
    "lesion_status",
    "view",
    "view_now",
    "diameter_mm",
    "short_mm",
    "axes",
    "x0",
    "y0",
    "x1",
    "y1",
    "rule",
    "message",
    "progression",
    "progression_low",
    "progression_high",
    "density_a",
    "density_b",
    "density_c",
    "density_d",
    "density_c_or_d",
]
_LEFT_OUT = [
    "name",
    "description",
    "refusal_reason",
    "assessment_note",
    "assessed_by",
    "findings",
    "note",
    "reason",
    "signed_by",
    "detail",
    "sha256",
    "lesion",
    "lesion_note",
    "proposed_by",
    "measured_by",
    "acknowledged_by",
    "acknowledgement",
    "other_patient",
    "says",
    "made_by",
    "undone_by",
]
_BORN = "birth_date"
_RISK = re.compile(r"(risk_\dy|malignancy_(left|right))(_low|_high)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

COLUMNS = frozenset({"patient", _BORN, *_MOVED, *_UIDS, *_HARMLESS, *_LEFT_OUT})
"""Columns of which it is settled what becomes of them; any other one is left out."""


def without_her(key: bytes, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with her pseudonym, moved days, UIDs in place of hers, her year of birth, and none of the words of people.

    `row` holds plain values, days and moments in ISO. The year is that of the moved day: ages stay as they are.
    """
    identity = Identity.of(key, str(row["patient"]))
    return {name: _cell(name, value, identity) for name, value in row.items()}


def is_settled(column: str) -> bool:
    """Tell whether it is known what a column holds."""
    return column in COLUMNS or _RISK.fullmatch(column) is not None


def _cell(name: str, value: Any, identity: Identity) -> Any:
    if name == "patient":
        return identity.pseudonym
    if value is None or name in _LEFT_OUT or not is_settled(name):
        return None
    if name == _BORN:
        return str(identity.day(date.fromisoformat(value)).year)
    if name in _UIDS:
        return identity.uid(value)
    if name in _MOVED:
        return _moved(value, identity)
    return words_moved(value, identity) if isinstance(value, str) else value


def _moved(value: str, identity: Identity) -> str:
    if len(value) == len("2020-01-01"):
        return identity.day(date.fromisoformat(value)).isoformat()
    return (datetime.fromisoformat(value) + timedelta(days=identity.shift_days)).isoformat()


def words_moved(text: str, identity: Identity) -> str:
    """Return a sentence that a program made, with the days in it moved.

    >>> words_moved("Compared with 2020-02-29.", Identity("P-1", 1, b""))
    'Compared with 2020-03-01.'
    """

    def moved(match: re.Match[str]) -> str:
        try:
            return identity.day(date.fromisoformat(match[0])).isoformat()
        except ValueError:
            return "a day"

    return _DAY.sub(moved, text)
