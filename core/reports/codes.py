"""Codes of the terms that reports exchange, for FHIR and DICOM SR alike: only those that the standards' own lists hold.

Sources: DICOM PS3.16 context groups 6001 (composition), 6023 (sides) and 6026 (assessment), with their SNOMED CT codes.
BI-RADS 4A to 4C and 6 have no code there: they stand under a scheme of our own, in words.
"""

from __future__ import annotations

from typing import NamedTuple

from core.rules.vocabulary import BI_RADS, density_words

__all__ = [
    "ASSESSMENT",
    "BREAST",
    "DENSITY",
    "OWN",
    "PROBABILITY_OF_CANCER",
    "Code",
    "assessment_code",
    "density_code",
]

OWN = "99LONGVIEW"


class Code(NamedTuple):
    """A coded term; `scheme` is DICOM's: SCT (SNOMED CT), DCM, LN (LOINC), or ours."""

    value: str
    scheme: str
    meaning: str


ASSESSMENT = Code("111005", "DCM", "Assessment Category")
DENSITY = Code("129793001", "SCT", "Mammography breast density")
PROBABILITY_OF_CANCER = Code("111047", "DCM", "Probability of cancer")
MAMMOGRAPHY = Code("71651007", "SCT", "Mammography")
SCREENING_REPORT = Code("24606-6", "LN", "MG Breast Screening")
LONG_AXIS = Code("103339001", "SCT", "Long axis")
SHORT_AXIS = Code("103340004", "SCT", "Short axis")
BREAST_CANCER = Code("254837009", "SCT", "Malignant neoplasm of breast")
BREAST = {
    "L": Code("80248007", "SCT", "Left breast"),
    "R": Code("73056007", "SCT", "Right breast"),
    None: Code("63762007", "SCT", "Both breasts"),
}

_ASSESSMENTS = {
    "0": Code("397138000", "SCT", "Mammography assessment (Category 0) - Need additional imaging evaluation"),
    "1": Code("397140005", "SCT", "Mammography assessment (Category 1) - Negative"),
    "2": Code("397141009", "SCT", "Mammography assessment (Category 2) - Benign finding"),
    "3": Code("397143007", "SCT", "Mammography assessment (Category 3) - Probably benign finding"),
    "4": Code("397144001", "SCT", "Mammography assessment (Category 4) - Suspicious abnormality"),
    "5": Code("397145000", "SCT", "Mammography assessment (Category 5) - Highly suggestive of malignancy"),
}
_DENSITIES = {
    "A": Code("129716005", "SCT", "Almost entirely fat"),
    "B": Code("129717001", "SCT", "Scattered fibroglandular densities"),
    "C": Code("129718006", "SCT", "Heterogeneously dense"),
    "D": Code("129719003", "SCT", "Extremely dense"),
}


def assessment_code(category: str) -> Code:
    """Return the code of a BI-RADS category; of one that the lists lack, ours."""
    return _ASSESSMENTS.get(category) or Code(category, OWN, f"BI-RADS {BI_RADS.get(category, category)}")


def density_code(said: str) -> Code:
    """Return the code of a density category; of one that the lists lack, ours."""
    return _DENSITIES.get(said) or Code(said, OWN, density_words(said))
