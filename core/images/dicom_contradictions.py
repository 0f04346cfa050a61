"""Where a DICOM header says two things of a woman or a picture: both are said, and what cannot be is not believed."""

from __future__ import annotations

from core.images.described import described_sides, described_views
from core.images.dicom_header import HeaderReader, orientation_of, quoted
from core.images.read_image import Header
from core.rules.ages import DAYS_PER_YEAR

__all__ = ["note_contradictions"]

_YOUNGEST = 15
"""Years below which an age is remarked: no woman is screened so young."""
# CID 244 in SNOMED CT and in the retired SNOMED-RT.
_SIDES_BY_CODE = {"24028007": "R", "G-A100": "R", "7771000": "L", "G-A101": "L"}


def note_contradictions(reading: HeaderReader, header: Header) -> None:
    """Compare age with birth date, side with orientation, and side and view with what descriptions say."""
    _settle_age(reading, header)
    _compare_side(reading, header)
    _compare_words(reading, header)
    _compare_region(reading, header)
    _name_words(reading, header)


def _settle_age(reading: HeaderReader, header: Header) -> None:
    """Compare birth date, age and day of the study; a birth date that cannot be is not believed."""
    born, day, age = header.birth_date, header.study_date, header.age_years
    if born is None or day is None:
        return
    if born == day:
        reading.contradictions.append(f"PatientBirthDate {born} is the day of the study.")
        header.birth_date = None
    elif (day - born).days / DAYS_PER_YEAR < _YOUNGEST:
        reading.contradictions.append(
            f"PatientBirthDate {born} makes her {(day - born).days / DAYS_PER_YEAR:.0f} years old on {day}."
            if born < day
            else f"PatientBirthDate {born} lies after the study of {day}."
        )
    elif age is not None and born < day and abs((day - born).days / DAYS_PER_YEAR - age) > 1.5:
        years = (day - born).days / DAYS_PER_YEAR
        reading.contradictions.append(
            f"PatientAge is {age:.0f} years; by PatientBirthDate {born} she was {years:.0f} on {day}."
        )


def _compare_side(reading: HeaderReader, header: Header) -> None:
    r"""Compare the side with the orientation: down and inwards is F\R of an oblique left view, F\L of a right one."""
    parts = orientation_of(reading)
    if header.laterality is None or header.view not in ("MLO", "SIO") or len(parts) != 2:
        return
    down = parts[1]
    inwards = {"L": "R", "R": "L"}[header.laterality]
    outwards = header.laterality
    if ("F" in down and outwards in down) or ("H" in down and inwards in down):
        reading.contradictions.append(
            f"The side is {header.laterality}, but PatientOrientation {'/'.join(parts)} is that of {inwards}."
        )


def _compare_words(reading: HeaderReader, header: Header) -> None:
    """Compare side and view with what people and machines write into descriptions: a remark, for these are often of a series."""
    for keyword in ("SeriesDescription", "ProtocolName", "AcquisitionProtocolName"):
        words = reading.shown(keyword, 256)
        if not words:
            continue
        for said, written in (
            (header.laterality, described_sides(words)),
            (header.view, described_views(words)),
        ):
            if said is not None and written and said not in written:
                reading.contradictions.append(
                    f"The file says {said}, but {keyword} {quoted(words)} is of {' and '.join(sorted(written))}."
                )


def _compare_region(reading: HeaderReader, header: Header) -> None:
    region = {
        _SIDES_BY_CODE[value]
        for _, item in reading.codes("AnatomicRegionSequence")
        for value, _ in reading.codes("AnatomicRegionModifierSequence", item)
        if value in _SIDES_BY_CODE
    }
    if header.laterality is not None and region and header.laterality not in region:
        reading.contradictions.append(
            f"The side is {header.laterality}, but AnatomicRegionModifierSequence says {' and '.join(sorted(region))}."
        )


def _name_words(reading: HeaderReader, header: Header) -> None:
    """Where side or view is not said, say what a description has of it, for the person who is asked: it is not taken."""
    words = reading.shown("SeriesDescription", 256) or ""
    for fact, said, written in (
        ("laterality", header.laterality, described_sides(words)),
        ("view", header.view, described_views(words)),
    ):
        if said is None and written and fact not in reading.unusable:
            reading.unusable[fact] = f"Only SeriesDescription, {quoted(words)}, says something of it."
