"""``python -m tests.core.network.rates``: how fast C-STORE is beside Orthanc, by the same sender in the same run.

The sender is dcmtk's storescu on one association, with TCP_NODELAY as it comes and set; objects are new to both. Prints
``{"small": {...}, "17 MB": {...}}``: objects a second of either, and their ratio.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core.installation import Installation
from core.settings import Settings
from tests.core.network.conftest import mammogram, started_orthanc
from tests.core.network.test_kill import LISTEN, started
from tests.pictures import breast, dicom

SMALL, LARGE = 60, 8


def small(number: int) -> bytes:
    """A mammogram of 200 x 150 pixels, each of a woman and a study of its own."""
    uid = f"1.2.826.18.{number}"
    named = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "SOPInstanceUID": f"{uid}.2"}
    return mammogram(number, mrn=f"R{number}", **named)


def large(number: int) -> bytes:
    """A mammogram of 3328 × 2560 pixels of 16 bits."""
    uid = f"1.2.826.17.{number}"
    pixels = breast("L", seed=number, rows=3328, columns=2560)
    named = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "SOPInstanceUID": f"{uid}.2"}
    return dicom(pixels, PatientID=f"B{number}", **named)


def send(folder: Path, port: int, nodelay: str) -> float:
    """Send a folder and return objects a second."""
    arguments = [
        "-xe",
        "-pdu",
        "131072",
        "--max-send-pdu",
        "131072",
        "127.0.0.1",
        str(port),
        "+sd",
        str(folder),
    ]
    began = time.perf_counter()
    environment = {**os.environ, "TCP_NODELAY": nodelay}
    subprocess.run(["storescu", *arguments], check=True, env=environment, capture_output=True)
    return len(list(folder.iterdir())) / (time.perf_counter() - began)


def measure(nodelay: str, place: Path) -> dict[str, dict[str, float]]:
    """Measure both servers, each empty, with objects of both sizes."""
    folders = {"small": place / "small", "17 MB": place / "large"}
    for folder in folders.values():
        folder.mkdir()
    for number in range(SMALL):
        (folders["small"] / f"{number}.dcm").write_bytes(small(number))
    for number in range(LARGE):
        (folders["17 MB"] / f"{number}.dcm").write_bytes(large(number))
    here = Installation.open(Settings(home=place / "var", _env_file=None))
    here.migrate()
    child = started(LISTEN, str(here.home))
    found = {}
    try:
        port = int(child.stdout.readline())
        (place / "orthanc").mkdir()
        with started_orthanc(place / "orthanc") as orthanc:
            for name, folder in folders.items():
                ours, theirs = send(folder, port, nodelay), send(folder, orthanc.dicom, nodelay)
                found[name] = {"ours": ours, "orthanc": theirs, "ratio": ours / theirs}
    finally:
        child.kill()
    return found


if __name__ == "__main__":
    answer = {}
    for nodelay in ("0", "1"):
        with tempfile.TemporaryDirectory() as folder:
            answer[f"TCP_NODELAY={nodelay}"] = measure(nodelay, Path(folder))
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
