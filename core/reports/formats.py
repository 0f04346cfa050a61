"""What a report can be: its format, media type, the end of its file's name."""

from __future__ import annotations

import enum

__all__ = ["Format"]


class Format(enum.StrEnum):
    """What a report can be."""

    PDF = "pdf"
    HTML = "html"
    FHIR = "fhir"
    SR = "sr"

    @property
    def media_type(self) -> str:
        """Return its media type."""
        return _MEDIA_TYPES[self]

    @property
    def suffix(self) -> str:
        """Return how its file's name ends."""
        return _SUFFIXES[self]

    @property
    def words(self) -> str:
        """Say what it is."""
        return _WORDS[self]


_MEDIA_TYPES = {
    Format.PDF: "application/pdf",
    Format.HTML: "text/html; charset=utf-8",
    Format.FHIR: "application/fhir+json",
    Format.SR: "application/dicom",
}
_SUFFIXES = {Format.PDF: ".pdf", Format.HTML: ".html", Format.FHIR: ".json", Format.SR: ".dcm"}
_WORDS = {
    Format.PDF: "PDF for the tumour board",
    Format.HTML: "web page in one file",
    Format.FHIR: "FHIR R4 bundle",
    Format.SR: "DICOM structured report",
}
