"""What a DICOM header says of patient, study, side and view; what is doubtful is flagged, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import PersonName

from core.images.read_image import Header
from core.images.view_codes import coded_view
from core.rules.ages import DAYS_PER_YEAR
from core.rules.vocabulary import VIEWS, QualityFlag

CRANIOCAUDAL_VIEWS = ("CC", "XCCL", "XCCM", "FB")

# Not `pydicom.uid.UID.is_valid`: archives hold UIDs with a part such as .007, which PS3.5 9.1 forbids. They name one
# thing as well as others do, and the file must not be refused for them.
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
LONGEST_IDENTIFIER = 64
"""Characters of a Long String (LO) and of a UID (UI) at most (PS3.5 6.2)."""
# First days of these years are what systems write that lack a date.
_PLACEHOLDER_YEARS = frozenset({1880, 1899, 1900, 1901, 9999})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_FIRST_MAMMOGRAMS = 1930
# Stands where bytes could not be decoded: two identifiers that differ there would look the same.
_UNDECODED = "\ufffd"


class HeaderReader:
    """A dataset whose elements may each be unreadable; collects what was noticed on the way."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.flags: list[str] = []
        self.contradictions: list[str] = []
        self.unusable: dict[str, str] = {}

    def value(self, keyword: str, dataset: Dataset | None = None) -> Any:
        """Return an element of the dataset, or of an item of a sequence; None if it is absent or malformed."""
        tag, within = _tag_of(keyword), self.dataset if dataset is None else dataset
        try:
            return within[tag].value if tag in within else None
        except AttributeError:
            return None
        except Exception as error:  # noqa: BLE001 - one malformed element must not hide the others
            self.contradictions.append(f"{keyword} cannot be read ({type(error).__name__}).")
            return None

    def one(self, keyword: str) -> Any:
        """Return an element that the standard gives one value; None if it has none or several, which is noted."""
        value = self.value(keyword)
        if isinstance(value, MultiValue) and len(value) > 1:
            wrong = _several(keyword, value)
            if wrong not in self.contradictions:  # some elements are asked for more than once
                self.contradictions.append(wrong)
            return None
        return value

    def text(self, keyword: str) -> str | None:
        """Return an element of one value as printable text; None if there is none."""
        value = self.one(keyword)
        if value is None or isinstance(value, (bytes, Dataset)):
            return None
        return "".join(c for c in str(value) if c.isprintable()).strip() or None

    def shown(self, keyword: str, longest: int) -> str | None:
        """Return a text that is only shown, never compared: cut to `longest` characters; None if there is none."""
        text = self.text(keyword)
        return text[:longest].strip() if text else None

    def identifier(self, keyword: str, field: str) -> str | None:
        """Return an identifier exactly as the file has it, but for the blanks around it; None if there is none.

        One of several values, too long, or with characters that nobody sees or that could not be decoded is never
        mended: two patients could become one. It is None, and `unusable` says why under the name `field`.
        """
        value = self.value(keyword)
        if value is None or isinstance(value, (bytes, Dataset)):
            return None
        if isinstance(value, MultiValue) and len(value) > 1:
            wrong: str | None = _several(keyword, value)
        else:
            text = str(value).strip(" \0\r\n\t")
            wrong = _unusable(keyword, text)
        if wrong is None:
            return text or None
        self.contradictions.append(wrong)
        self.unusable[field] = wrong
        return None

    def numbers(self, keyword: str) -> list[float]:
        """Return the finite numbers of an element; empty if it holds anything else."""
        value = self.value(keyword)
        if value is None or value == "":
            return []
        values = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
        try:
            found = [float(v) for v in values]
        except (TypeError, ValueError):
            return []
        return found if all(np.isfinite(found)) else []

    def codes(self, keyword: str, dataset: Dataset | None = None) -> list[tuple[str, Dataset]]:
        """Return the code values of a code sequence, each with its item."""
        sequence = self.value(keyword, dataset)
        try:
            return [(str(item.get("CodeValue", "")).strip(), item) for item in sequence or []]
        except Exception:  # noqa: BLE001 - not a sequence after all
            return []

    def day(self, keyword: str) -> date | None:
        """Return an element as a day; None if it is no date, or one that stands where none is known."""
        text = self.text(keyword)
        match = re.fullmatch(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})(\d{4,6}.*)?", text or "")
        if match is None or set(str(text)) <= set("0.-/"):
            return None
        try:
            found = date(*(int(part) for part in match.groups()[:3]))
        except ValueError:
            self.contradictions.append(f"{keyword} is no date: {quoted(str(text))}.")
            return None
        if found.year < 1880 or ((found.month, found.day) == (1, 1) and found.year in _PLACEHOLDER_YEARS):
            self.contradictions.append(f"{keyword} {found} stands for a date that is not known.")
            return None
        return found


@cache
def _tag_of(keyword: str) -> BaseTag:
    # The library looks a keyword up anew each time, and most elements that are asked for are not there.
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no keyword of DICOM.")
    return Tag(tag)


def _several(keyword: str, values: Iterable[Any]) -> str:
    parts = [quoted(str(value)) for value in values]
    more = f" and {len(parts) - 4} more" if len(parts) > 4 else ""
    return (
        f"{_named(keyword)} holds {len(parts)} values where the standard knows one "
        f"(a backslash parts values): {', '.join(parts[:4])}{more}."
    )


def _unusable(keyword: str, text: str) -> str | None:
    if len(text) > LONGEST_IDENTIFIER:
        return (
            f"{_named(keyword)} has {len(text)} characters, more than the {LONGEST_IDENTIFIER} of the standard: "
            f"{quoted(text)}."
        )
    if _UNDECODED in text:
        return f"{_named(keyword)} is not written in the character set that the file names: {quoted(text)}."
    if not text.isprintable():
        return f"{_named(keyword)} holds characters that cannot be seen: {quoted(text)}."
    return None


def _named(keyword: str) -> str:
    tag = tag_for_keyword(keyword) or 0
    return f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def quoted(text: str) -> str:
    """Return a text from a file for a sentence: short, and without what cannot be seen."""
    shown = "".join(c if c.isprintable() else _UNDECODED for c in text)
    return f"“{shown[:40]}…”" if len(shown) > 41 else f"“{shown}”"


def header_of(reading: HeaderReader) -> Header:
    """Return what the file says of patient, study, side and view, and note where it says two things."""
    name, *other_names = _names(reading) or [None]
    return Header(
        patient_id=reading.identifier("PatientID", "patient_id"),
        patient_id_issuer=reading.identifier("IssuerOfPatientID", "patient_id_issuer"),
        patient_name=name,
        other_names=[other for other in other_names if other],
        birth_date=reading.day("PatientBirthDate"),
        # An empty one, and what the standard does not know, is unknown: it is none of the three.
        sex=sex if (sex := reading.text("PatientSex")) in ("F", "M", "O") else None,
        age_years=_age(reading),
        study_uid=_uid(reading, "StudyInstanceUID", "study_uid"),
        study_date=_study_date(reading),
        study_description=reading.shown("StudyDescription", 256),
        sop_uid=_uid(reading, "SOPInstanceUID", "sop_uid"),
        series_uid=_named_only(reading, "SeriesInstanceUID"),
        sop_class_uid=_named_only(reading, "SOPClassUID"),
        modality=reading.shown("Modality", 16),
        laterality=_laterality(reading),
        view=_view(reading),
        simulated=_simulated(reading),
        unusable=reading.unusable,
    )


def _study_date(reading: HeaderReader) -> date | None:
    """Return the day of the study; what speaks against it, or stands in its place, is said."""
    said = reading.day("StudyDate")
    if said is not None and said.year < _FIRST_MAMMOGRAMS:
        reading.contradictions.append(f"StudyDate {said} lies before there were mammograms.")
        said = None
    acquired = reading.day("AcquisitionDate") or reading.day("AcquisitionDateTime")
    made = reading.day("ContentDate")
    is_capture = (reading.text("SOPClassUID") or "").startswith(_SECONDARY_CAPTURE)
    if said and made and is_capture and acquired is None and abs((made - said).days) > 1:
        # A film that was scanned, or a picture that was converted: archives then write the day on which they did so.
        reading.unusable["study_date"] = (
            f"It is a secondary capture with StudyDate {said} and ContentDate {made}: "
            "days on which the file was made, neither that of the mammogram."
        )
        return None
    if said is None:
        several = reading.value("StudyDate")
        written = " and ".join(several) if isinstance(several, MultiValue) else str(several or "")
        why = (
            f"StudyDate is {quoted(written)}, which is no day of a study."
            if written
            else "StudyDate is empty."
        )
        others = [
            f"{keyword} {day}"
            for keyword in ("AcquisitionDate", "AcquisitionDateTime", "ContentDate", "SeriesDate")
            if (day := reading.day(keyword)) is not None and day.year >= _FIRST_MAMMOGRAMS
        ]
        reading.unusable["study_date"] = " ".join(
            [why, *(f"{', '.join(others)} is there." for _ in others[:1])]
        )
    elif acquired is not None and abs((acquired - said).days) > 1:
        reading.contradictions.append(f"StudyDate {said} and AcquisitionDate {acquired} are different days.")
    return said


def _names(reading: HeaderReader) -> list[str | None]:
    """Return "Family, Given" of a person name (PS3.5 6.2.1.2) in each script that it is written in, Latin first."""
    value = reading.one("PatientName")
    if not value or isinstance(value, (bytes, Dataset)):
        return []
    groups = PersonName(value if isinstance(value, PersonName) else str(value)).components
    return list(dict.fromkeys(name for group in groups if (name := shown_name(group))))


def shown_name(group: str) -> str:
    """Return “Family, Given” of a name as DICOM writes it, with ^ between its parts; another name as it is."""
    printable = "".join(c for c in group if c.isprintable())
    family, _, rest = printable.partition("^")
    given = " ".join(part for part in rest.split("^") if part)
    return ", ".join(part.strip() for part in (family, given) if part.strip())[:256]


def _simulated(reading: HeaderReader) -> bool:
    """Tell whether the file says that it was simulated, as the files of `seed_data` do."""
    comments = (reading.text("PatientComments") or "", reading.text("ImageComments") or "")
    manufacturer = reading.text("Manufacturer") or ""
    return any(c.upper().startswith("SIMULATED") for c in comments) or "(simulated)" in manufacturer.lower()


def _age(reading: HeaderReader) -> float | None:
    match = re.fullmatch(r"(\d{3})([DWMY])", reading.text("PatientAge") or "")
    if match is None:
        return None
    years = int(match[1]) * {"D": 1 / DAYS_PER_YEAR, "W": 7 / DAYS_PER_YEAR, "M": 1 / 12, "Y": 1.0}[match[2]]
    return years if 0 < years < 130 else None


def _uid(reading: HeaderReader, keyword: str, field: str) -> str | None:
    text = reading.identifier(keyword, field)
    if text is not None and not _UID.fullmatch(text):
        reading.contradictions.append(f"{keyword} is no valid UID.")
        return None
    return text


def _named_only(reading: HeaderReader, keyword: str) -> str | None:
    """Return a UID by which nothing is decided, so that what is wrong in it is no contradiction."""
    said = reading.value(keyword)
    return said if isinstance(said, str) and len(said) <= 64 and _UID.fullmatch(said) else None


def _laterality(reading: HeaderReader) -> str | None:
    """Return L or R where every attribute that names a side names the same one.

    ImageLaterality (0020,0062), Laterality (0020,0060), and FrameLaterality (0020,9072) of enhanced objects.
    """
    said = {reading.text("ImageLaterality"), reading.text("Laterality")}
    for group in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for _, item in reading.codes(group):
            for _, anatomy in reading.codes("FrameAnatomySequence", item):
                said.add(str(reading.value("FrameLaterality", anatomy) or ""))
    words = {s.upper() for s in said if s}
    for keyword in ("ImageLaterality", "Laterality"):
        several = reading.value(keyword)
        if isinstance(several, MultiValue) and len(several) > 1:
            reading.unusable["laterality"] = _several(keyword, several)
            return None
    sides = words & {"L", "R", "B"}
    if len(sides) > 1:
        wrong = "The file names both sides: " + " and ".join(sorted(sides)) + "."
        reading.contradictions.append(wrong)
        reading.unusable["laterality"] = wrong
    elif not sides <= {"L", "R"} or (words and not sides):
        word = (sides or words).pop()
        meaning = " (both)" if word == "B" else ""
        reading.unusable["laterality"] = f"The file says {quoted(word)}{meaning}, which is no side of a view."
    return sides.pop() if len(sides) == 1 and "B" not in sides else None


def _view(reading: HeaderReader) -> str | None:
    r"""Return the view where every attribute that names one names the same.

    View Position (0018,5101), View Code Sequence (0054,0220), and Patient Orientation (0020,0020) where it holds
    a view's name (CBIS-DDSM). Orientation letters are not enough: A\R is a CC as well as an XCCL, A\F an MLO
    as well as an ML, and one must not be taken for the other.
    """
    orientation = orientation_of(reading)
    position = (reading.text("ViewPosition") or "").upper()
    said = {name for name in (position, *orientation) if name in VIEWS}
    coded = (coded_view(value) for value, _ in reading.codes("ViewCodeSequence"))
    said |= {view for view in coded if view is not None}
    if position and position not in VIEWS:
        wrong = f"ViewPosition {quoted(position)} is not known here."
        reading.contradictions.append(wrong)
        reading.unusable["view"] = wrong
    if len(said) > 1:
        wrong = "The file names two views: " + " and ".join(sorted(said)) + "."
        reading.contradictions.append(wrong)
        reading.unusable["view"] = wrong
    if len(said) != 1:
        return None
    view = said.pop()
    letters = {letter for part in orientation if re.fullmatch("[APRLHF]{1,3}", part) for letter in part}
    if letters and (view in CRANIOCAUDAL_VIEWS) == bool(letters & {"H", "F"}):
        reading.contradictions.append(
            f"The view is {view}, but PatientOrientation {'/'.join(orientation)} is that of another."
        )
    return view


def orientation_of(reading: HeaderReader) -> list[str]:
    """Return the parts of Patient Orientation: which way the rows and which way the columns run."""
    value = reading.value("PatientOrientation")
    parts = [value] if isinstance(value, str) else list(value or [])
    return [str(part).strip().upper() for part in parts]


def flag_view(reading: HeaderReader) -> None:
    """Add the quality flags that the header gives."""
    flags = reading.flags
    is_raw = (reading.text("PresentationIntentType") or "").upper() == "FOR PROCESSING"
    if is_raw and QualityFlag.FOR_PROCESSING not in flags:
        flags.append(QualityFlag.FOR_PROCESSING)
    if (reading.text("BurnedInAnnotation") or "").upper() == "YES":
        flags.append(QualityFlag.BURNED_IN_ANNOTATION)
    if reading.text("LossyImageCompression") == "01":
        flags.append(QualityFlag.LOSSY_COMPRESSION)
    if (reading.text("BreastImplantPresent") or "").upper() == "YES":
        flags.append(QualityFlag.IMPLANT)
    partial = reading.codes("PartialViewCodeSequence")
    if partial or (reading.text("PartialView") or "").upper() == "YES":
        flags.append(QualityFlag.PARTIAL_VIEW)
    if reading.contradictions:
        flags.append(QualityFlag.CONTRADICTORY_HEADER)
