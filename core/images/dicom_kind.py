"""What kind of picture a DICOM file says it holds: what is no mammogram at all, and what is one beside the standard."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset
from pydicom.uid import UID

from core.images.dicom_header import HeaderReader
from core.images.view_codes import coded_modifier, is_specimen
from core.rules.vocabulary import QualityFlag

__all__ = ["doubted_kind", "flag_kind"]

# Modalities under which single X-ray pictures of the breast arrive; others are something else by their own word.
_XRAY_MODALITIES = frozenset({"MG", "RG", "CR", "DX", "OT", "SC", ""})
_MAGNIFIED = 1.3
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# By the end of the SOP class: CR, DX, MG (each for presentation and for processing), secondary capture.
_XRAY_CLASSES = frozenset({"1", "1.1", "1.1.1", "1.2", "1.2.1", "7", "7.1", "7.2", "7.3", "7.4"})
_FOR_PROCESSING_CLASSES = frozenset({"1.1.1", "1.2.1", "13.1.5"})
_TOMOSYNTHESIS_CLASSES = frozenset({"13.1.3", "13.1.4", "13.1.5"})
_BREAST_WORDS = re.compile(r"BREAST|MAM|AXILL|SENO|BRUST", re.IGNORECASE)
_SPECIMEN = re.compile(r"\bspecimen\b", re.IGNORECASE)
_BREAST_CODES = frozenset({"76752008", "T-04000", "91470000", "T-D8104", "T-D8100"})

# Named so by machines' own checks; a woman is not.
_PHANTOM = re.compile(r"\bphantom\b|\bQC\b|\bflat ?field\b|\bquality control\b", re.IGNORECASE)

_TYPES: tuple[tuple[str, QualityFlag], ...] = (
    (r"TOMO_2D|GENERATED_2D|SYNTH\w*_?2D|2D_SYNTH\w*|S2D|C-?VIEW", QualityFlag.SYNTHETIC),
    (r"TOMO\w*|DBT|\w*PROJECTION|VOLUME|SLAB|MIP", QualityFlag.TOMOSYNTHESIS),
    (r"\w*RECOMBINED|SUBTRACT\w*|DES|DUAL_ENERGY_SUB\w*", QualityFlag.RECOMBINED),
    (r"LOW_ENERGY|HIGH_ENERGY|CESM|CEDM|CEM|POST_CONTRAST|CONTRAST", QualityFlag.CONTRAST_ENHANCED),
    (r"STEREO\w*|BIOPSY|SCOUT|PRE_?FIRE|POST_?FIRE", QualityFlag.STEREOTACTIC),
    (r"QC|CALIBRATION|PHANTOM|FLAT_?FIELD|TEST", QualityFlag.QUALITY_CONTROL),
)
"""Values of Image Type (0008,0008) from the third on, whole, and what they say."""
_DESCRIBED: tuple[tuple[str, QualityFlag], ...] = (
    (
        r"\bc-?view\b|\bs-?view\b|\bs2d\b|synthe(tic|si[sz]ed)[ _-]?(2-?d|mammo\w*|view)"
        r"|\b2-?d[ _-]synthe(tic|si[sz]ed)|insight ?2d|v-?preview|intelligent ?2d|\b3dquorum\b",
        QualityFlag.SYNTHETIC,
    ),
    (
        r"tomosynth|\btomo(graphy)?\b.*(proj|slice|recon|volume|slab|planes?\b|schicht)|\bdbt\b|\bbto\b",
        QualityFlag.TOMOSYNTHESIS,
    ),
    (r"recombined|subtracted|\bsubtraction\b", QualityFlag.RECOMBINED),
    (
        r"\bcesm\b|\bcedm\b|\b(ti)?cem\b|contrast[ -]enhanced|(low|high)[ _-]energy|senobright|\bi-?view\b",
        QualityFlag.CONTRAST_ENHANCED,
    ),
    (r"\bstereo\w*|\bbiops\w*", QualityFlag.STEREOTACTIC),
    (r"\bspot\b", QualityFlag.SPOT_COMPRESSION),
    (r"\bmag(nif\w*|view)?\b", QualityFlag.MAGNIFICATION),
    (r"\bphantom\b|\bquality control\b|\bqc\b|\bflat ?field\b", QualityFlag.QUALITY_CONTROL),
)
"""Words of descriptions that machines write into series and paddles, and what they say."""


def doubted_kind(reading: HeaderReader) -> str | None:
    """Return by which of its own words a file holds no mammogram; None if it does not say so."""
    modality = (reading.shown("Modality", 40) or "").upper()
    if modality not in _XRAY_MODALITIES:
        return f"The file calls itself modality {modality}."
    kind = UID(reading.shown("SOPClassUID", 64) or "")
    end = kind.removeprefix(_STORAGE)
    is_known = kind.startswith(_STORAGE) and kind.name != kind
    if is_known and end not in _XRAY_CLASSES | _TOMOSYNTHESIS_CLASSES:
        return f"By its SOP class it is of another kind: {kind.name}."
    if any(is_specimen(value) for value, _ in reading.codes("ViewCodeSequence")):
        return "By its view code it shows a tissue specimen, not the breast."
    if reading.value("SpecimenDescriptionSequence") or _SPECIMEN.search(_description(reading)):
        return "By its own description it shows a tissue specimen, not the breast."
    return _other_body_part(reading, modality)


def _description(reading: HeaderReader) -> str:
    return reading.shown("SeriesDescription", 256) or ""


def _other_body_part(reading: HeaderReader, modality: str) -> str | None:
    """Return which other part of the body it shows; a mammography machine's own word for the part is only remarked."""
    part = reading.shown("BodyPartExamined", 64)
    regions = reading.codes("AnatomicRegionSequence")
    other = part if part and not _BREAST_WORDS.search(part) else None
    if part and "SPECIMEN" in part.upper():
        return "By its body part it shows a specimen, not the breast."
    if part is None and regions and not any(value in _BREAST_CODES for value, _ in regions):
        meaning = (
            reading.shown("CodeMeaning", 64)
            if len(regions) != 1
            else str(regions[0][1].get("CodeMeaning", ""))
        )
        other = (meaning or regions[0][0])[:64]
        if _BREAST_WORDS.search(other):
            other = None
    if other is None:
        return None
    if modality in ("MG", "RG", "OT", "SC", ""):
        # Films were scanned, and machines configured, under whatever part came first.
        reading.contradictions.append(f"The modality is {modality or 'not said'}, the body part {other}.")
        return None
    return f"By its own word it shows another part of the body: {other}."


def flag_kind(reading: HeaderReader) -> None:
    """Add the quality flags of views and pictures beside the standard ones, wherever the file says so."""
    found: list[str] = []
    found += _modifiers(reading)
    end = (reading.shown("SOPClassUID", 64) or "").removeprefix(_STORAGE)
    if end in _TOMOSYNTHESIS_CLASSES or (reading.text("TomoClass") or "").upper() == "TOMOSYNTHESIS":
        found.append(QualityFlag.TOMOSYNTHESIS)
    if end in _FOR_PROCESSING_CLASSES:
        found.append(QualityFlag.FOR_PROCESSING)
    said = reading.value("ImageType")
    types = [said] if isinstance(said, str) else [str(part) for part in said or []]
    for word in types[2:]:
        found += [flag for pattern, flag in _TYPES if re.fullmatch(pattern, word.strip(), re.IGNORECASE)][:1]
    for keyword in (
        "SeriesDescription",
        "PaddleDescription",
        "AcquisitionDeviceProcessingDescription",
        "ProtocolName",
    ):
        words = reading.shown(keyword, 256)
        if words:
            found += [flag for pattern, flag in _DESCRIBED if re.search(pattern, words, re.IGNORECASE)]
    if QualityFlag.SYNTHETIC in found:  # its description may well name the tomosynthesis that it was made of
        found = [flag for flag in found if flag != QualityFlag.TOMOSYNTHESIS]
    for keyword in ("QualityControlImage", "CalibrationImage"):
        if (reading.text(keyword) or "").upper() in ("YES", "BOTH"):
            found.append(QualityFlag.QUALITY_CONTROL)
    if _PHANTOM.search(f"{reading.text('PatientName') or ''} {reading.text('PatientID') or ''}"):
        found.append(QualityFlag.QUALITY_CONTROL)
    if "STEREO" in (reading.text("PositionerType") or "").upper():
        found.append(QualityFlag.STEREOTACTIC)
    agent = reading.text("ContrastBolusAgent")
    if (agent and agent.upper() not in ("NONE", "NO", "N")) or reading.codes("ContrastBolusAgentSequence"):
        found.append(QualityFlag.CONTRAST_ENHANCED)
    if _magnification(reading) > _MAGNIFIED:
        found.append(QualityFlag.MAGNIFICATION)
    reading.flags += [flag for flag in dict.fromkeys(found) if flag not in reading.flags]


def _magnification(reading: HeaderReader) -> float:
    """Return by how much the breast is enlarged on the detector, as said or by the distances from the source; 1 if unknown."""
    said = reading.numbers("EstimatedRadiographicMagnificationFactor")
    if said:
        return said[0]
    to_detector = reading.numbers("DistanceSourceToDetector")
    to_patient = reading.numbers("DistanceSourceToPatient")
    if to_detector and to_patient and 200 <= to_patient[0] <= to_detector[0] <= 2000:
        return to_detector[0] / to_patient[0]
    return 1.0


def _modifiers(reading: HeaderReader) -> list[str]:
    """Return the flags of view modifiers: within the view's code, where they belong, or beside it."""
    items = [None, *(item for _, item in reading.codes("ViewCodeSequence"))]
    codes = [code for item in items for code in reading.codes("ViewModifierCodeSequence", item)]
    return [str(flag) for value, item in codes if (flag := coded_modifier(value, _meaning(item))) is not None]


def _meaning(item: Dataset) -> str:
    return str(item.get("CodeMeaning", "") or "")
