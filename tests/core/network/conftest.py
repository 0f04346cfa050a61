"""A listener in this process, and a real PACS (Orthanc) beside it, on loopback."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.installation import Installation
from core.network import Listener
from tests.grown.servers import free_port
from tests.pictures import breast, dicom

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
ORTHANC = shutil.which("Orthanc") or ("/usr/sbin/Orthanc" if Path("/usr/sbin/Orthanc").exists() else None)


def mammogram(number: int = 0, *, mrn: str = "W1", on: str = "20200102", **tags: Any) -> bytes:
    """A small mammogram with all the identifiers that a PACS asks for; the same for the same arguments."""
    study = f"1.2.826.{on}.{sum(mrn.encode())}"
    said = {
        "PatientID": mrn,
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "SOPInstanceUID": f"{study}.1.{number + 1}",
        "StudyDate": on,
        "ViewPosition": ("CC", "MLO")[number % 2],
        "StudyTime": "101010",
        "AccessionNumber": "A1",
    }
    return dicom(breast("L", seed=number, rows=200, columns=150), **{**said, **tags})


@pytest.fixture
def listener(here: Installation) -> Iterator[Listener]:
    made = Listener(here, port=0)
    made.start()
    yield made
    made.stop()


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc; `caller_port` is where it believes Longview to listen."""

    http: int
    dicom: int
    caller_port: int
    login: tuple[str, str] | None = None

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def ask(self, path: str, body: bytes | dict[str, Any] | None = None, method: str | None = None) -> Any:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data, method=method)
        if self.login:
            request.add_header("Authorization", "Basic " + b64encode(":".join(self.login).encode()).decode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def keep(self, *files: bytes) -> list[str]:
        return [str(self.ask("/instances", file)["ID"]) for file in files]

    def empty(self) -> None:
        for patient in self.ask("/patients"):
            self.ask(f"/patients/{patient}", method="DELETE")


@dataclass(frozen=True)
class Papers:
    """What a hospital's authority gave out: its own certificate, this machine's with its key, and a stranger's."""

    ca: Path
    certificate: Path
    key: Path
    stranger: Path
    stranger_key: Path

    @property
    def settings(self) -> dict[str, Any]:
        return {"tls_certificate": self.certificate, "tls_key": self.key, "tls_ca": self.ca}

    def context(self, *, shown: bool = True) -> ssl.SSLContext:
        """Return how a sender with (or without) a certificate of this authority calls."""
        made = ssl.create_default_context(cafile=str(self.ca))
        if shown:
            made.load_cert_chain(self.certificate, self.key)
        return made


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine: apt-get install openssl")
    folder = tmp_path_factory.mktemp("papers")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl(*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Hospital CA")
    openssl(*new, "-x509", "-keyout", "stranger.key", "-out", "stranger.pem", "-subj", "/CN=127.0.0.1")
    openssl(*new, "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=longview")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    openssl("x509", "-req", "-in", "own.csr", *signed, "-out", "own.pem")
    return Papers(
        *(folder / name for name in ("ca.pem", "own.pem", "own.key", "stranger.pem", "stranger.key"))
    )


@contextmanager
def started_orthanc(
    folder: Path, more: dict[str, Any] | None = None, *, login: tuple[str, str] | None = None
) -> Iterator[Orthanc]:
    """Run an empty Orthanc on loopback, at ports that are free, with all that it keeps in a folder.

    `more` are settings of its own; with `login` it is asked as that user.
    """
    made = Orthanc(free_port(), free_port(), free_port(), login)
    settings = {
        "Name": "ARCHIVE",
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": made.http,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": made.dicom,
        "DicomAet": "ARCHIVE",
        "DicomModalities": {"longview": ["LONGVIEW", "127.0.0.1", made.caller_port]},
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "Plugins": [str(PLUGIN)],
        **(more or {}),
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = (folder / "log").open("wb")
    process = subprocess.Popen([str(ORTHANC), str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                made.ask("/system")
                break
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)
        yield made
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@pytest.fixture(scope="session")
def running_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    if ORTHANC is None or not PLUGIN.exists():
        pytest.skip("Orthanc is not on this machine: apt-get install orthanc orthanc-dicomweb")
    with started_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture
def orthanc(running_orthanc: Orthanc) -> Orthanc:
    running_orthanc.empty()
    return running_orthanc
