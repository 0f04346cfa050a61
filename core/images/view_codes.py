"""The codes of DICOM by which a file names its view and what was done to the breast."""

from __future__ import annotations

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

__all__ = ["coded_modifier", "coded_view", "is_specimen"]

_VIEW_CODES = {
    codes.cid4014.CranioCaudal: "CC",
    codes.cid4014.MedioLateralObliqueProjection: "MLO",
    codes.cid4014.MedioLateralProjection: "ML",
    codes.cid4014.LateroMedial: "LM",
    codes.cid4014.LateroMedialOblique: "LMO",
    codes.cid4014.CranioCaudalExaggeratedLaterally: "XCCL",
    codes.cid4014.CranioCaudalExaggeratedMedially: "XCCM",
    codes.cid4014.CaudoCranial: "FB",
    codes.cid4014.SuperolateralToInferomedialOblique: "SIO",
    codes.cid4014.InferomedialToSuperolateralOblique: "ISO",
}
"""Views by their codes (CID 4014)."""
_MODIFIER_CODES = {
    codes.cid4015.SpotCompression: "spot_compression",
    codes.cid4015.Magnification: "magnification",
    codes.cid4015.ImplantDisplaced: "implant_displaced",
    codes.cid4015.RolledMedial: "rolled",
    codes.cid4015.RolledLateral: "rolled",
    codes.cid4015.RolledSuperior: "rolled",
    codes.cid4015.RolledInferior: "rolled",
    codes.cid4015.Tangential: "tangential",
    codes.cid4015.Cleavage: "cleavage",
    codes.cid4015.AxillaryTail: "axillary_tail",
    codes.cid4015.AxillaryTissue: "axillary_tissue",
    codes.cid4015.InfraMammaryFold: "inframammary_fold",
    codes.cid4015.NippleInProfile: "nipple_in_profile",
    codes.cid4015.AnteriorCompression: "anterior_compression",
}
"""Views that show a part, or not the breast as it is, by their codes (CID 4015); they are kept and marked."""


def coded_view(value: str) -> str | None:
    """Return the view that a code value of CID 4014 stands for, None if it is none of them."""
    return _named(_VIEW_CODES, value)


def coded_modifier(value: str, meaning: str = "") -> str | None:
    """Return the quality flag of a code of CID 4015, None if it is none of those that are marked.

    A machine's own code counts by its meaning, where that is one of the context group's.
    """
    coded = _named(_MODIFIER_CODES, value)
    said = meaning.strip().casefold()
    meant = (flag for code, flag in _MODIFIER_CODES.items() if said and code.meaning.casefold() == said)
    return coded or next(meant, None)


def is_specimen(value: str) -> bool:
    """Tell whether a code value of CID 4014 stands for a tissue specimen, which is no view of the breast."""
    return _named({codes.cid4014.TissueSpecimenFromBreast: "specimen"}, value) is not None


def _named(names: dict[Code, str], value: str) -> str | None:
    """Return what a code stands for, be it in SNOMED CT or in the retired SNOMED-RT that older machines write.

    Of the code's scheme no notice is taken: machines call the retired one SRT, SNM3 or 99SDM, and no value is in both.
    """
    either = [Code(value, scheme, "") for scheme in ("SCT", "SRT")]
    return next((name for code, name in names.items() if code in either), None)
