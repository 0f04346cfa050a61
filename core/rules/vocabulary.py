"""The field's words: sides, views, findings, densities, BI-RADS, what may be remarked of an image. Codes and words.

Codes are what is stored, exchanged and compared; words are made from them where they are shown.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Literal, NamedTuple, Self

Side = Literal["L", "R"]
SIDES: tuple[Side, Side] = ("L", "R")
"""The breasts by their DICOM codes (Image Laterality (0020,0062)), left first, as everything that counts both has it."""

SIDE_WORDS: Mapping[str, str] = {"L": "left", "R": "right"}

BOTH_BREASTS = "B"
"""Stands in the place of the side where a picture shows both breasts or does not say which: magnetic resonance alone."""
IMAGE_SIDE_WORDS: Mapping[str, str] = {**SIDE_WORDS, BOTH_BREASTS: "both"}
"""The sides of pictures, those of other means than X-rays included."""

SEX_WORDS: Mapping[str, str] = {"F": "female", "M": "male", "O": "other"}
"""Administrative sex by its DICOM codes (Patient's Sex (0010,0040))."""

VIEW_WORDS: Mapping[str, str] = {
    "CC": "craniocaudal",
    "MLO": "mediolateral oblique",
    "ML": "mediolateral",
    "LM": "lateromedial",
    "LMO": "lateromedial oblique",
    "XCCL": "exaggerated craniocaudal, lateral",
    "XCCM": "exaggerated craniocaudal, medial",
    "FB": "from below",
    "SIO": "superolateral to inferomedial oblique",
    "ISO": "inferomedial to superolateral oblique",
}
"""Views of one breast by their DICOM codes (View Position (0018,5101), CID 4014)."""

VIEWS = tuple(VIEW_WORDS)
CC, MLO = VIEWS[:2]
STANDARD_VIEWS = (CC, MLO)
"""The two views that screening takes of each breast."""


OTHER_KIND_WORDS: Mapping[str, str] = {"US": "ultrasound", "MR": "magnetic resonance"}
"""Pictures of a breast by other means than X-rays, by their DICOM modality, which stands in the place of the view."""

SHOW_BOTH = frozenset({"MR"})
"""Those that may show both breasts in one picture."""

PICTURES = (*VIEWS, *OTHER_KIND_WORDS)
"""All that a picture of one breast may be."""


class ViewName(NamedTuple):
    """Which view of which breast.

    >>> ViewName("R", "CC").code, ViewName("R", "CC").words, ViewName.of_code("L-MLO").laterality
    ('R-CC', 'R CC', 'L')
    """

    laterality: str
    view: str

    @property
    def code(self) -> str:
        """Return side and view as they are stored and written in manifests and commands: R-CC."""
        return f"{self.laterality}-{self.view}"

    @property
    def words(self) -> str:
        """Return side and view as readers say them: R CC; of one that shows both breasts both MR."""
        side = IMAGE_SIDE_WORDS[BOTH_BREASTS] if self.laterality == BOTH_BREASTS else self.laterality
        return f"{side} {self.view}"

    @classmethod
    def of_code(cls, code: str) -> Self:
        """Return the view that a code such as R-CC or L-US names; raises `ValueError` if it names none."""
        laterality, _, view = code.partition("-")
        sides = (*SIDES, BOTH_BREASTS) if view in SHOW_BOTH else SIDES
        if laterality not in sides or view not in PICTURES:
            raise ValueError(f"“{code}” is no view. Sides are L and R, views {', '.join(PICTURES)}.")
        return cls(laterality, view)


FOUR_VIEWS = tuple(ViewName(side, view) for view in STANDARD_VIEWS for side in reversed(SIDES))
"""The four views of a screening study, in the order of their hanging: what the model expects of a visit."""


class FindingClass(enum.StrEnum):
    """What one breast shows at one study, least first: the `finding` of a manifest."""

    NORMAL = "normal"
    BENIGN = "benign"
    MALIGNANT = "malignant"

    @classmethod
    def of_lesion(cls, *, malignant: bool) -> Self:
        """Return what a breast shows whose worst lesion is malignant, or is not."""
        return cls.MALIGNANT if malignant else cls.BENIGN


FINDINGS = tuple(finding.value for finding in FindingClass)
"""The classes of finding, least first, in the order in which the networks answer."""

DENSITY_WORDS: Mapping[str, str] = {
    "A": "A · almost entirely fatty",
    "B": "B · scattered fibroglandular",
    "C": "C · heterogeneously dense",
    "D": "D · extremely dense",
}
DENSITIES = tuple(DENSITY_WORDS)
"""The BI-RADS categories of breast density, fattiest first, in the order in which the networks answer."""
DENSE = "C+D"
"""What a model says that knows a breast to be dense and was not measured to tell C from D; no reader records it."""
DENSITIES_SAID = (*DENSITIES, DENSE)
"""What may be said of density, by a reader or a model."""

BI_RADS_EDITION = "v2025"
BI_RADS: Mapping[str, str] = {
    "0": "0 · needs additional imaging",
    "1": "1 · negative",
    "2": "2 · benign",
    "3": "3 · probably benign",
    "4A": "4A · low suspicion",
    "4B": "4B · moderate suspicion",
    "4C": "4C · high suspicion",
    "5": "5 · highly suggestive of malignancy",
    "6": "6 · known malignancy",
}
"""The BI-RADS assessments of `BI_RADS_EDITION` that a reader may give, with their words."""


def density_name(said: str) -> str:
    """Return a density as it stands in a line: B, C or D."""
    return said.replace("+", " or ")


def density_mark(said: str) -> str:
    """Return a density as it stands in a figure, where there is room for little: B, C/D."""
    return said.replace("+", "/")


def density_words(said: str) -> str:
    """Return a density with its words, as `DENSITY_WORDS` has those that readers record."""
    return DENSITY_WORDS.get(said) or f"{density_name(said)} · heterogeneously or extremely dense"


def likeliest(shares: Mapping[str, float]) -> str:
    """Return the density category of the highest probability; of equal ones the fattiest."""
    return max(DENSITIES, key=lambda letter: shares[letter])


class Reading(enum.Enum):
    """What an image with a quality flag is to the model and to the hanging."""

    STANDARD = enum.auto()
    """A standard view, with a remark."""
    BESIDE_THE_STANDARD = enum.auto()
    """Read by the model, but taken beside the standard view."""
    NOT_BY_THE_MODEL = enum.auto()
    """Kept and shown; the model cannot read it as a view of the breast."""


class QualityFlag(enum.StrEnum):
    """What intake remarks of an image: its code as it is stored, its words, and who reads such an image."""

    words: str
    reading: Reading

    def __new__(cls, code: str, reading: Reading = Reading.STANDARD, words: str = "") -> Self:
        """Make a flag; its words are its code's, if it has none of its own."""
        flag = str.__new__(cls, code)
        flag._value_ = code
        flag.words = words or code.replace("_", " ")
        flag.reading = reading
        return flag

    FOR_PROCESSING = "for_processing", Reading.NOT_BY_THE_MODEL
    SPOT_COMPRESSION = "spot_compression", Reading.NOT_BY_THE_MODEL
    MAGNIFICATION = "magnification", Reading.NOT_BY_THE_MODEL
    TANGENTIAL = "tangential", Reading.NOT_BY_THE_MODEL
    CLEAVAGE = "cleavage", Reading.NOT_BY_THE_MODEL
    AXILLARY_TAIL = "axillary_tail", Reading.NOT_BY_THE_MODEL
    AXILLARY_TISSUE = "axillary_tissue", Reading.NOT_BY_THE_MODEL
    INFRAMAMMARY_FOLD = "inframammary_fold", Reading.NOT_BY_THE_MODEL
    MULTI_FRAME = "multi_frame", Reading.NOT_BY_THE_MODEL, "middle one of several frames"
    TOMOSYNTHESIS = "tomosynthesis", Reading.NOT_BY_THE_MODEL
    SYNTHETIC = "synthetic", Reading.NOT_BY_THE_MODEL
    CONTRAST_ENHANCED = "contrast_enhanced", Reading.NOT_BY_THE_MODEL
    RECOMBINED = "recombined", Reading.NOT_BY_THE_MODEL
    STEREOTACTIC = "stereotactic", Reading.NOT_BY_THE_MODEL
    QUALITY_CONTROL = "quality_control", Reading.NOT_BY_THE_MODEL
    NOT_RECOGNISED = "not_recognised", Reading.NOT_BY_THE_MODEL
    ULTRASOUND = "ultrasound", Reading.NOT_BY_THE_MODEL
    MAGNETIC_RESONANCE = "magnetic_resonance", Reading.NOT_BY_THE_MODEL
    SIDE_NOT_SAID = "side_not_said", Reading.NOT_BY_THE_MODEL, "both breasts, or side not said"
    ANTERIOR_COMPRESSION = "anterior_compression", Reading.BESIDE_THE_STANDARD
    IMPLANT_DISPLACED = "implant_displaced", Reading.BESIDE_THE_STANDARD
    ROLLED = "rolled", Reading.BESIDE_THE_STANDARD
    PARTIAL_VIEW = "partial_view", Reading.BESIDE_THE_STANDARD
    IMPLANT = "implant"
    BURNED_IN_ANNOTATION = "burned_in_annotation"
    LOSSY_COMPRESSION = "lossy_compression"
    CONTRADICTORY_HEADER = "contradictory_header", Reading.STANDARD, "what the file says does not agree"
    PIXEL_SPACING_DISAGREES = "pixel_spacing_disagrees"
    STRONGLY_COMPRESSED = "strongly_compressed"
    WINDOW_UNUSABLE = "window_unusable"
    WINDOW_APPROXIMATED = "window_approximated"
    TURNED_UPRIGHT = "turned_upright"
    NIPPLE_IN_PROFILE = "nipple_in_profile"
    LOW_RESOLUTION = "low_resolution"
    OVEREXPOSED = "overexposed"
    LOW_CONTRAST = "low_contrast"
    CUT_OFF = "cut_off"
    UNDEREXPOSED = "underexposed"
    BLURRED = "blurred"
    MOTION = "motion"
    PECTORAL_MUSCLE_SHORT = "pectoral_muscle_short"
    DEPTH_DIFFERS = "depth_differs"
    DUPLICATED_VIEW = "duplicated_view"
    SAME_PICTURE = "same_picture"


NOT_FOR_THE_MODEL = frozenset(flag for flag in QualityFlag if flag.reading is Reading.NOT_BY_THE_MODEL)
"""Flags of images that are kept and shown, but that the model cannot read as a view of the breast."""

UNLEARNED_KINDS = frozenset(
    {
        QualityFlag.MULTI_FRAME,
        QualityFlag.TOMOSYNTHESIS,
        QualityFlag.SYNTHETIC,
        QualityFlag.CONTRAST_ENHANCED,
        QualityFlag.RECOMBINED,
        QualityFlag.STEREOTACTIC,
        QualityFlag.QUALITY_CONTROL,
    }
)
"""Of these, the flags of pictures of another kind than any model here has learned, not even one of single images."""

OTHER_KIND_FLAGS: Mapping[str, QualityFlag] = {
    "US": QualityFlag.ULTRASOUND,
    "MR": QualityFlag.MAGNETIC_RESONANCE,
}
"""The flag of a picture by other means, by its modality."""

OTHER_THAN_STANDARD = frozenset(flag for flag in QualityFlag if flag.reading is not Reading.STANDARD)
"""These, and the flags of images that the model reads, but that are taken beside the standard view."""

SIZE_NOT_SURE = frozenset(
    {QualityFlag.MAGNIFICATION, QualityFlag.SPOT_COMPRESSION, QualityFlag.PIXEL_SPACING_DISAGREES}
)
"""Flags of images whose pixel size says nothing certain of the size of what they show."""


_FLAG_WORDS = {flag.value: flag.words for flag in QualityFlag}


def flag_words(code: str) -> str:
    """Return the words of a stored flag; of one that this release does not know those of its code."""
    return _FLAG_WORDS.get(code, code.replace("_", " "))
