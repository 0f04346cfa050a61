"""What a DICOM header says of patient, study, side and view; what is doubtful is flagged, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from core.images.reader import Header
from core.rules.ages import DAYS_PER_YEAR
from core.rules.vocabulary import VIEWS, QualityFlag

CRANIOCAUDAL_VIEWS = ("CC", "XCCL", "XCCM", "FB")

# CID 4014, in SNOMED CT and in the retired SNOMED-RT codes that older machines write.
_VIEW_CODES = {
    "399162004": "CC", "R-10242": "CC",
    "399368009": "MLO", "R-10226": "MLO",
    "399260004": "ML", "R-10224": "ML",
    "399352003": "LM", "R-10228": "LM",
    "399099002": "LMO", "R-10230": "LMO",
    "399192008": "XCCL", "R-1024A": "XCCL",
    "399101009": "XCCM", "R-1024B": "XCCM",
    "399196006": "FB", "R-10244": "FB",
    "399188001": "SIO", "R-102D0": "SIO",
    "441555000": "ISO", "R-40AAA": "ISO",
}  # fmt: skip
# CID 4015: views that show a part, or not the breast as it is; they are kept and marked.
_MODIFIER_CODES = {
    "399055006": "spot_compression", "R-102D7": "spot_compression",
    "399163009": "magnification", "R-102D6": "magnification",
    "399209000": "implant_displaced", "R-102D5": "implant_displaced",
    "399226006": "rolled", "R-102D4": "rolled",
    "399197002": "rolled", "R-102D3": "rolled",
    "415670009": "rolled", "R-102C9": "rolled",
    "414493004": "rolled", "R-102CA": "rolled",
    "399110001": "tangential", "R-102C2": "tangential",
    "399161006": "cleavage", "R-102D2": "cleavage",
    "399011000": "axillary_tail", "R-102D1": "axillary_tail",
}  # fmt: skip
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
    years = int(match[1]) * {"D": 1 / DAYS_PER_YEAR, "W": 7 / DAYS_PER_YEAR, "M": 1 / 12, "Y": 1.0}[match[2]]
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
    said |= {_VIEW_CODES[code] for code, _ in reading.codes("ViewCodeSequence") if code in _VIEW_CODES}
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
        flags.append(QualityFlag.FOR_PROCESSING)
    if (reading.text("BurnedInAnnotation", 8) or "").upper() == "YES":
        flags.append(QualityFlag.BURNED_IN_ANNOTATION)
    if reading.text("LossyImageCompression", 2) == "01":
        flags.append(QualityFlag.LOSSY_COMPRESSION)
    if (reading.text("BreastImplantPresent", 4) or "").upper() == "YES":
        flags.append(QualityFlag.IMPLANT)
    for _, item in reading.codes("ViewCodeSequence"):
        flags += [
            _MODIFIER_CODES[code]
            for code, _ in reading.codes("ViewModifierCodeSequence", item)
            if code in _MODIFIER_CODES and _MODIFIER_CODES[code] not in flags
        ]
    magnification = reading.numbers("EstimatedRadiographicMagnificationFactor")
    if magnification and magnification[0] > 1.3 and QualityFlag.MAGNIFICATION not in flags:
        flags.append(QualityFlag.MAGNIFICATION)
    if (reading.text("PartialView", 4) or "").upper() == "YES":
        flags.append(QualityFlag.PARTIAL_VIEW)
    if reading.contradictions:
        flags.append(QualityFlag.CONTRADICTORY_HEADER)
