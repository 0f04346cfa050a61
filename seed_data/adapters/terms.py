"""The words of public data sets, put into those of the exam manifest; what has no counterpart becomes empty."""

from __future__ import annotations

import re
from datetime import date, datetime

from core.rules.ages import DAYS_PER_YEAR
from core.rules.vocabulary import DENSITIES, VIEWS

__all__ = ["age_years", "bi_rads", "day", "density", "flag", "laterality", "view"]

_SIDES = {"L": "L", "LEFT": "L", "R": "R", "RIGHT": "R"}
_VIEWS = {
    "CRANIOCAUDAL": "CC",
    "CRANIO-CAUDAL": "CC",
    "MEDIOLATERAL OBLIQUE": "MLO",
    "MEDIO-LATERAL OBLIQUE": "MLO",
}
_BLANK = {"", "NAN", "NA", "N/A", "NONE", "NULL", "-"}
_UNITS = {"D": DAYS_PER_YEAR, "W": 52.18, "M": 12.0, "Y": 1.0}


def laterality(text: str) -> str:
    """Return L or R; empty for both, neither or anything else."""
    return _SIDES.get(text.strip().upper(), "")


def view(text: str) -> str:
    """Return the view's DICOM name where it is one that is read, else the word itself in capitals."""
    word = text.strip().upper()
    if word in _BLANK:
        return ""
    return word if word in VIEWS else _VIEWS.get(word, word)


def density(text: str) -> str:
    """Return the BI-RADS composition A to D from A–D, 1–4 (4th edition) or such as ``DENSITY C``; else empty."""
    word = re.sub(r"\.0+$", "", text.strip().upper().removeprefix("DENSITY").strip())
    return {"1": "A", "2": "B", "3": "C", "4": "D"}.get(word, word if word in DENSITIES else "")


def bi_rads(text: str) -> str:
    """Return the BI-RADS assessment 0 to 6 from such as ``BI-RADS 4``, ``4.0`` or ``4``; else empty."""
    word = re.sub(r"^BI-?RADS\s*", "", text.strip().upper())
    word = re.sub(r"\.0+$", "", word)
    return word if re.fullmatch(r"[0-6]|4[ABC]", word) else ""


def flag(text: str) -> bool | None:
    """Return True or False from 1/0, true/false, yes/no; None where nothing of these is said."""
    word = re.sub(r"\.0+$", "", text.strip().upper())
    if word in ("1", "TRUE", "YES", "Y"):
        return True
    return False if word in ("0", "FALSE", "NO", "N") else None


def age_years(text: str) -> str:
    """Return an age in years from such as ``58``, ``58.0`` or DICOM's ``058Y``; empty outside 0 < age <= 120."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([DWMY]?)", text.strip().upper())
    if match is None:
        return ""
    years = float(match[1]) / _UNITS[match[2] or "Y"]
    return f"{years:g}" if 0 < years <= 120 else ""


def day(text: str) -> str:
    """Return an ISO date from ``2016-10-04``, ``20161004``, or either with a time behind; empty if it is none."""
    word = text.strip()
    match = re.match(r"(\d{4})-(\d{2})-(\d{2})(?:$|[ T])", word) or re.match(r"(\d{4})(\d{2})(\d{2})$", word)
    if match is not None:
        try:
            return date(*(int(part) for part in match.groups())).isoformat()
        except ValueError:
            return ""
    try:
        return datetime.strptime(word, "%m/%d/%Y").date().isoformat()
    except ValueError:
        return ""
