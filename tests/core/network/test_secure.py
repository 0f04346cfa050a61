"""Encrypted and identified connections: who has no certificate of the hospital's authority sends and gives nothing."""

import io
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydantic import SecretStr
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from core.network import Listener, PacsFailed, pull_priors
from core.network.tls import asking_context, listening_context, peer_certificates
from core.settings import Settings
from db.tables import Image
from tests.core.network.conftest import ORTHANC, PLUGIN, Orthanc, Papers, mammogram, started_orthanc
from tests.core.network.made_up_web import MadeUpWeb, made_up_web
from tests.core.network.test_listening import MG, STORESCU, replace_settings, rows


@pytest.fixture
def secure(here, papers: Papers) -> Iterator[Listener]:
    made = Listener(replace_settings(here, listen_tls=True, listen_seconds=2.0, **papers.settings), port=0)
    made.start()
    yield made
    made.stop()


def sent(port: int, *files: bytes, context: ssl.SSLContext | None) -> list[int] | None:
    """Send files, and return the statuses; None where the sender is not let in."""
    ae = AE("MAMMO1")
    ae.acse_timeout = ae.connection_timeout = 10
    ae.add_requested_context(MG, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", port, tls_args=(context, "127.0.0.1") if context else None)
    if not association.is_established:
        return None
    statuses = [association.send_c_store(pydicom.dcmread(io.BytesIO(file))).Status for file in files]
    association.release()
    return statuses


def test_a_sender_with_a_certificate_of_the_authority_is_let_in(here, secure, papers):
    assert sent(secure.port, mammogram(0), mammogram(1), context=papers.context()) == [0, 0]
    assert len(rows(here, Image)) == 2


def test_without_such_a_certificate_or_without_tls_nobody_is_let_in(here, secure, papers):
    strange = ssl.create_default_context(cafile=str(papers.ca))
    strange.load_cert_chain(papers.stranger, papers.stranger_key)
    for context in (None, papers.context(shown=False), strange):
        assert sent(secure.port, mammogram(), context=context) is None
    assert rows(here, Image) == []
    assert sent(secure.port, mammogram(), context=papers.context()) == [0]


def test_a_sender_that_dawdles_over_its_greeting_keeps_nobody_out(here, secure, papers):
    with socket.create_connection(("127.0.0.1", secure.port), 5) as silent, socket.create_connection(("127.0.0.1", secure.port), 5) as half:  # fmt: skip
        half.sendall(b"\x16\x03\x01\x02\x00\x01")  # the begin of a greeting
        begun = time.monotonic()
        assert sent(secure.port, mammogram(), context=papers.context()) == [0]
        assert time.monotonic() - begun < 2.0
        for dawdler in (half, silent):
            assert is_cut_off(dawdler)


def is_cut_off(connection: socket.socket) -> bool:
    connection.settimeout(15)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.skipif(STORESCU is None, reason="dcmtk is not on this machine: apt-get install dcmtk")
def test_dcmtk_stores_over_tls_too(here, secure, papers, tmp_path):
    (tmp_path / "1.dcm").write_bytes(mammogram())
    own = ["+tls", str(papers.key), str(papers.certificate), "+cf", str(papers.ca)]
    arguments = [*own, "-aec", "LONGVIEW", "127.0.0.1", str(secure.port), str(tmp_path / "1.dcm")]
    subprocess.run([STORESCU, *arguments], check=True, timeout=60, capture_output=True)
    assert len(rows(here, Image)) == 1


def settings_with(**values) -> Settings:
    return Settings(_env_file=None, **values)


def test_files_that_are_missing_or_none_are_named(papers, tmp_path):
    assert listening_context(settings_with()) is None
    none = tmp_path / "none.pem"
    none.write_text("nothing")
    for values, named in (
        ({"listen_tls": True}, "LONGVIEW_TLS_CERTIFICATE"),
        ({"listen_tls": True, "tls_certificate": tmp_path / "away.pem"}, "away.pem cannot be read"),
        ({"listen_tls": True, "tls_certificate": none}, "LONGVIEW_TLS_KEY do not belong together"),
        (
            {"listen_tls": True, "tls_certificate": papers.certificate, "tls_key": papers.stranger_key},
            "do not belong together",
        ),
        ({"listen_tls": True, **papers.settings, "tls_ca": none}, "LONGVIEW_TLS_CA"),
    ):
        with pytest.raises(ValueError, match=named):
            listening_context(settings_with(**values))
    with pytest.raises(ValueError, match="LONGVIEW_TLS_CA"):
        peer_certificates(settings_with(tls_ca=none))
    assert asking_context(settings_with(**papers.settings)).verify_mode is ssl.CERT_REQUIRED


@pytest.fixture(scope="module")
def locked_orthanc(tmp_path_factory, papers: Papers) -> Iterator[Orthanc]:
    """A PACS whose DICOM port speaks TLS only, and whose DICOMweb asks who is there."""
    if ORTHANC is None or not PLUGIN.exists():
        pytest.skip("Orthanc is not on this machine: apt-get install orthanc orthanc-dicomweb")
    folder: Path = tmp_path_factory.mktemp("locked")
    more = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(papers.certificate),
        "DicomTlsPrivateKey": str(papers.key),
        "DicomTlsTrustedCertificates": str(papers.ca),
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"longview": "a-password-of-its-own"},
    }
    login = ("longview", "a-password-of-its-own")
    with started_orthanc(folder, more, login=login) as running:
        yield running


def test_a_pacs_is_asked_over_tls_and_only_one_that_the_authority_knows(here, locked_orthanc, papers):
    locked_orthanc.empty()
    locked_orthanc.keep(mammogram(0, on="20180102"), mammogram(1, on="20180102"))
    place = {"pacs_aet": "ARCHIVE", "pacs_host": "127.0.0.1", "pacs_port": locked_orthanc.dicom}
    with pytest.raises(PacsFailed, match="cannot be reached"):
        pull_priors(replace_settings(here, **place), "W1")
    unknown = {**papers.settings, "tls_ca": papers.stranger}
    with pytest.raises(PacsFailed, match=r"over TLS.*LONGVIEW_TLS_CA"):
        pull_priors(replace_settings(here, **place, pacs_tls=True, **unknown), "W1")
    pulled = pull_priors(replace_settings(here, **place, pacs_tls=True, **papers.settings), "W1")
    assert [item.outcome for item in pulled.items] == ["accepted", "accepted"]


def test_dicomweb_over_https_is_asked_only_where_the_authority_knows_it(here, papers):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(papers.certificate, papers.key)
    server.load_verify_locations(papers.ca)
    server.verify_mode = ssl.CERT_REQUIRED
    with made_up_web(MadeUpWeb([mammogram(0), mammogram(1)]), server) as pacs:

        def asking(**values):
            return replace_settings(here, pacs_url=pacs.url, **values)

        # Not the machine's own authorities, nor another one; nor does the PACS let in who shows no certificate.
        for settings in ({}, {"tls_ca": papers.stranger}):
            with pytest.raises(PacsFailed, match=r"over TLS.*LONGVIEW_TLS_CA"):
                pull_priors(asking(**settings), "W1")
        with pytest.raises(PacsFailed, match="cannot be reached"):
            pull_priors(asking(tls_ca=papers.ca), "W1")
        assert pacs.asked == []
        pulled = pull_priors(asking(**papers.settings), "W1")
        assert [item.outcome for item in pulled.items] == ["accepted", "accepted"]


def test_a_pacs_that_asks_for_user_and_password_is_given_them_and_nobody_else_reads_them(
    here, locked_orthanc
):
    locked_orthanc.empty()
    locked_orthanc.keep(mammogram(0), mammogram(1))

    def asking(**values):
        return replace_settings(here, pacs_url=locked_orthanc.web, **values)

    wrong = SecretStr("another")
    for given in ({}, {"pacs_user": "longview", "pacs_password": wrong}, {"pacs_token": wrong}):
        with pytest.raises(PacsFailed, match=r"HTTP 40[13].*LONGVIEW_PACS_USER"):
            pull_priors(asking(**given), "W1")
    login = {"pacs_user": "longview", "pacs_password": SecretStr("a-password-of-its-own")}
    pulled = pull_priors(asking(**login), "W1")
    assert [item.outcome for item in pulled.items] == ["accepted", "accepted"]
    assert "a-password" not in repr(asking(**login).settings)


def test_a_token_is_shown_as_the_bearer_that_it_is(here):
    with made_up_web(MadeUpWeb([mammogram(0)], authorization="Bearer t0k3n")) as pacs:
        with pytest.raises(PacsFailed, match="HTTP 401"):
            pull_priors(replace_settings(here, pacs_url=pacs.url), "W1")
        pulled = pull_priors(replace_settings(here, pacs_url=pacs.url, pacs_token=SecretStr("t0k3n")), "W1")
        assert pulled.count("accepted") == 1
