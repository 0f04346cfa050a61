"""Which PACS there is, and by which way it is asked."""

from __future__ import annotations

from core.installation import Installation
from core.network.pacs.remote import Pacs
from core.settings import Settings

__all__ = ["NoPacs", "is_pacs_configured", "open_pacs"]


class NoPacs(ValueError):
    """No PACS is named in the settings."""

    def __init__(self) -> None:
        super().__init__(
            "No PACS is set. Name it in LONGVIEW_PACS_URL (DICOMweb), or in LONGVIEW_PACS_AET, LONGVIEW_PACS_HOST and "
            "LONGVIEW_PACS_PORT."
        )


def is_pacs_configured(settings: Settings) -> bool:
    """Return whether the settings name a PACS."""
    return bool(settings.pacs_url or (settings.pacs_aet and settings.pacs_host))


def open_pacs(here: Installation) -> Pacs:
    """Return the PACS of the settings, by DICOMweb where they name an address for it; raises `NoPacs`."""
    settings = here.settings
    if settings.pacs_url:
        from core.network.pacs.web import WebPacs

        return WebPacs(settings)
    if settings.pacs_aet and settings.pacs_host:
        from core.network.pacs.dimse import DimsePacs

        return DimsePacs(here)
    raise NoPacs
