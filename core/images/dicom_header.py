"""What a DICOM header says of patient, study, side and view; what is doubtful is flagged, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from core.images.reader import VIEWS, Header
from core.images.view_codes import coded_modifier, coded_view

CRANIOCAUDAL_VIEWS = ("CC", "XCCL", "XCCM", "FB")

# Not `pydicom.uid.UID.is_valid`: archives hold UIDs with a part such as .007, which PS3.5 9.1 forbids. They name one
# thing as well as others do, and the file must not be refused for them.
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class HeaderReader:
    """A dataset whose elements may each be unreadable; collects what was noticed on the way."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.flags: list[str] = []
        self.contradictions: list[str] = []

    def value(self, keyword: str, dataset: Dataset | None = None) -> Any:
        """Return an element of the dataset, or of an item of a sequence; None if it is absent or malformed."""
        try:
            return (self.dataset if dataset is None else dataset).get(keyword)
        except Exception as error:  # noqa: BLE001 - one malformed element must not hide the others
            self.contradictions.append(f"{keyword} cannot be read ({type(error).__name__}).")
            return None

    def text(self, keyword: str, longest: int) -> str | None:
        """Return an element as printable text, cut to `longest` characters; None if there is none."""
        value = self.value(keyword)
        if value is None or isinstance(value, (bytes, Dataset)):
            return None
        cleaned = "".join(c for c in str(value) if c.isprintable()).strip()
        return cleaned[:longest] or None

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
        """Return an element as a day; None if it is no date, or one before 1880."""
        text = self.text(keyword, 10)
        match = re.fullmatch(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})", text or "")
        if match is None:
            return None
        try:
            found = date(*(int(part) for part in match.groups()))
        except ValueError:
            self.contradictions.append(f"{keyword} is no date: {text}.")
            return None
        return found if found.year >= 1880 else None


def header_of(reading: HeaderReader) -> Header:
    """Return what the file says of patient, study, side and view."""
    return Header(
        patient_id=reading.text("PatientID", 64),
        patient_name=_name(reading),
        birth_date=reading.day("PatientBirthDate"),
        sex=sex if (sex := reading.text("PatientSex", 1)) in ("F", "M", "O") else None,
        age_years=_age(reading),
        study_uid=_uid(reading, "StudyInstanceUID"),
        study_date=reading.day("StudyDate"),
        study_description=reading.text("StudyDescription", 256),
        sop_uid=_uid(reading, "SOPInstanceUID"),
        modality=reading.text("Modality", 16),
        laterality=_laterality(reading),
        view=_view(reading),
        simulated=_simulated(reading),
    )


def _name(reading: HeaderReader) -> str | None:
    """Return "Family, Given" from a person name (PS3.5 6.2.1.2), of its first, alphabetic group."""
    text = (reading.text("PatientName", 1024) or "").split("=")[0]
    family, _, rest = text.partition("^")
    given = " ".join(part for part in rest.split("^") if part)
    return ", ".join(part.strip() for part in (family, given) if part.strip())[:256] or None


def _simulated(reading: HeaderReader) -> bool:
    """Tell whether the file says that it was simulated, as the files of `seed_data` do."""
    comments = (reading.text("PatientComments", 1024) or "", reading.text("ImageComments", 1024) or "")
    manufacturer = reading.text("Manufacturer", 128) or ""
    return any(c.upper().startswith("SIMULATED") for c in comments) or "(simulated)" in manufacturer.lower()


def _age(reading: HeaderReader) -> float | None:
    match = re.fullmatch(r"(\d{3})([DWMY])", reading.text("PatientAge", 4) or "")
    if match is None:
        return None
    years = int(match[1]) * {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}[match[2]]
    return years if 0 < years < 130 else None


def _uid(reading: HeaderReader, keyword: str) -> str | None:
    text = reading.text(keyword, 128)
    if text is None:
        return None
    if len(text) > 64 or not _UID.fullmatch(text):
        reading.contradictions.append(f"{keyword} is no valid UID.")
        return None
    return text


def _laterality(reading: HeaderReader) -> str | None:
    """Return L or R where every attribute that names a side names the same one.

    ImageLaterality (0020,0062), Laterality (0020,0060), and FrameLaterality (0020,9072) of enhanced objects.
    """
    said = {reading.text("ImageLaterality", 16), reading.text("Laterality", 16)}
    for group in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for _, item in reading.codes(group):
            for _, anatomy in reading.codes("FrameAnatomySequence", item):
                said.add(str(reading.value("FrameLaterality", anatomy) or ""))
    sides = {s.upper() for s in said if s} & {"L", "R", "B"}
    if len(sides) > 1:
        reading.contradictions.append("The file names both sides: " + " and ".join(sorted(sides)) + ".")
    return sides.pop() if len(sides) == 1 and "B" not in sides else None


def _view(reading: HeaderReader) -> str | None:
    r"""Return the view where every attribute that names one names the same.

    View Position (0018,5101), View Code Sequence (0054,0220), and Patient Orientation (0020,0020) where it holds
    a view's name (CBIS-DDSM). Orientation letters are not enough: A\R is a CC as well as an XCCL, A\F an MLO
    as well as an ML, and one must not be taken for the other.
    """
    orientation = _orientation(reading)
    position = (reading.text("ViewPosition", 16) or "").upper()
    said = {name for name in (position, *orientation) if name in VIEWS}
    coded = (coded_view(value) for value, _ in reading.codes("ViewCodeSequence"))
    said |= {view for view in coded if view is not None}
    if position and position not in VIEWS:
        reading.contradictions.append(f"ViewPosition {position} is not known here.")
    if len(said) > 1:
        reading.contradictions.append("The file names two views: " + " and ".join(sorted(said)) + ".")
    if len(said) != 1:
        return None
    view = said.pop()
    letters = {letter for part in orientation if re.fullmatch("[APRLHF]{1,3}", part) for letter in part}
    if letters and (view in CRANIOCAUDAL_VIEWS) == bool(letters & {"H", "F"}):
        reading.contradictions.append(
            f"The view is {view}, but PatientOrientation {'/'.join(orientation)} is that of another."
        )
    return view


def _orientation(reading: HeaderReader) -> list[str]:
    value = reading.value("PatientOrientation")
    parts = [value] if isinstance(value, str) else list(value or [])
    return [str(part).strip().upper() for part in parts]


def flag_view(reading: HeaderReader, header: Header) -> None:
    """Add the quality flags that the header gives."""
    flags = reading.flags
    if (reading.text("PresentationIntentType", 32) or "").upper() == "FOR PROCESSING":
        flags.append("for_processing")
    if (reading.text("BurnedInAnnotation", 8) or "").upper() == "YES":
        flags.append("burned_in_annotation")
    if reading.text("LossyImageCompression", 2) == "01":
        flags.append("lossy_compression")
    if (reading.text("BreastImplantPresent", 4) or "").upper() == "YES":
        flags.append("implant")
    for _, item in reading.codes("ViewCodeSequence"):
        for value, _ in reading.codes("ViewModifierCodeSequence", item):
            modifier = coded_modifier(value)
            if modifier is not None and modifier not in flags:
                flags.append(modifier)
    magnification = reading.numbers("EstimatedRadiographicMagnificationFactor")
    if magnification and magnification[0] > 1.3 and "magnification" not in flags:
        flags.append("magnification")
    if (reading.text("PartialView", 4) or "").upper() == "YES":
        flags.append("partial_view")
    if reading.contradictions:
        flags.append("contradictory_header")
