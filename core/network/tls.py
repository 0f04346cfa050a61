"""Encrypted and identified connections: DICOM's secure transport (PS3.15 B.12, after BCP 195), for both directions.

One certificate is this installation's, whether it listens or asks; one file of authorities says whom it believes.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from core.settings import Settings

__all__ = ["asking_context", "listening_context", "peer_certificates"]


def listening_context(settings: Settings) -> ssl.SSLContext | None:
    """Return how senders are spoken to; None where `listen_tls` is off.

    With authorities set, only senders whose certificate one of them has signed are let in. Raises `ValueError` with a
    sentence for files that are missing or none.
    """
    if not settings.listen_tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if settings.tls_certificate is None:
        raise ValueError(
            "LONGVIEW_LISTEN_TLS needs a certificate: set LONGVIEW_TLS_CERTIFICATE and LONGVIEW_TLS_KEY."
        )
    _show_own(context, settings)
    if settings.tls_ca is not None:
        _believe(context, settings.tls_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def asking_context(settings: Settings) -> ssl.SSLContext:
    """Return how a PACS or a sender is called: its certificate is checked, and its name in it; raises `ValueError`."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_ca is not None:
        # Only these are believed, and not beside them all that the machine knows.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _believe(context, settings.tls_ca)
    _show_own(context, settings)
    return context


def peer_certificates(settings: Settings) -> tuple[str | bool, str | tuple[str, str] | None]:
    """Return whom `requests` is to believe and what to show it (its `verify` and `cert`); raises `ValueError`."""
    asking_context(settings)  # says in words what is wrong with a file
    own: str | tuple[str, str] | None = None
    if settings.tls_certificate is not None:
        own = str(settings.tls_certificate)
        if settings.tls_key is not None:
            own = own, str(settings.tls_key)
    return (str(settings.tls_ca) if settings.tls_ca is not None else True), own


def _show_own(context: ssl.SSLContext, settings: Settings) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None:
        return
    for name, path in (("LONGVIEW_TLS_CERTIFICATE", certificate), ("LONGVIEW_TLS_KEY", key)):
        if path is not None:
            _check_readable(name, path)
    try:
        # A key with a password would be asked for at a terminal that nobody sits at.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ValueError(
            "LONGVIEW_TLS_CERTIFICATE and LONGVIEW_TLS_KEY do not belong together, or are no PEM files without a password."
        ) from error


def _believe(context: ssl.SSLContext, authorities: Path) -> None:
    _check_readable("LONGVIEW_TLS_CA", authorities)
    try:
        context.load_verify_locations(authorities)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ValueError(f"LONGVIEW_TLS_CA: {authorities} holds no certificates in PEM.") from error


def _check_readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"{name}: {path} cannot be read ({error.strerror}).") from error
