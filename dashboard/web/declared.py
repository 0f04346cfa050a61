"""What every address needs of who asks for it: said here, and what is not said here is closed to everybody.

The gate asks here before it lets a request on; a test walks all routes of the application, Streamlit's too.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.people import PUBLIC, SIGNED_IN, Permission
from core.people.needing import Need
from dashboard.pages import PAGES

NEEDED: Mapping[str, Need] = {
    "/health": PUBLIC,
    "/sign-in": PUBLIC,
    "/sign-in/font.woff2": PUBLIC,
    "/sign-in/step": PUBLIC,
    "/sign-in/oidc": PUBLIC,
    "/sign-in/oidc/back": PUBLIC,
    "/sign-in/oidc/logout": PUBLIC,
    "/sign-out": PUBLIC,
    "/signed-in": SIGNED_IN,
    "/plotly.js": SIGNED_IN,
    "/img/": Permission.SEE_PATIENTS,
    "/tile/": Permission.SEE_PATIENTS,
    "/thumb/": Permission.SEE_PATIENTS,
    "/opens-with": Permission.SEE_PATIENTS,
    "/crop/": Permission.SEE_PATIENTS,
    "/heatmap/": Permission.SEE_PATIENTS,
    "/registration/": Permission.SEE_PATIENTS,
    "/reading/": Permission.SEE_PATIENTS,
    "/report/": Permission.SEE_PATIENTS,
    "/arrive": Permission.ADD_STUDY,
    "/arrive/": Permission.ADD_STUDY,
    "/dicom-web/": Permission.ADD_STUDY,
    # Programs show a token there (`dashboard.web.admission`), and each call declares what it needs of its person.
    **dict.fromkeys(("/api", "/api/", "/fhir", "/fhir/", "/dicom-web"), SIGNED_IN),
    # Streamlit's own. The pages come over its stream, and each says for itself what it needs (`dashboard.pages`).
    "/": SIGNED_IN,
    "/home": SIGNED_IN,
    **{f"/{page.address}": SIGNED_IN for page in PAGES},
    "/index.html": SIGNED_IN,
    "/favicon.png": SIGNED_IN,
    "/manifest.json": SIGNED_IN,
    "/static/": SIGNED_IN,
    "/component/": SIGNED_IN,
    "/media/": SIGNED_IN,
    "/_stcore/bidi-components/": SIGNED_IN,
    "/_stcore/health": SIGNED_IN,
    "/_stcore/host-config": SIGNED_IN,
    "/_stcore/stream": SIGNED_IN,
    "/_stcore/upload_file/": Permission.ADD_STUDY,
    "/_stcore/metrics": Permission.ADMINISTER,
    "/_stcore/script-health-check": Permission.ADMINISTER,
    "/_stcore/agent/": Permission.ADMINISTER,
}
"""Addresses, and beginnings of such that end in a slash -> what they need. The longest that fits counts."""


def declared(path: str) -> tuple[str, Need] | None:
    """Return as what an address is declared and what it needs; None for one that is declared nowhere."""
    if (exact := NEEDED.get(path)) is not None:
        return path, exact
    begins = path
    while "/" in begins:
        begins = begins[: begins.rindex("/")]
        if (need := NEEDED.get(f"{begins}/")) is not None and begins:
            return f"{begins}/", need
    return None
