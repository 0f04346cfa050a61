"""How fast objects are taken over the DICOM network (C-STORE), beside Orthanc, which is sent the same ones by the same sender.

The sender is dcmtk's storescu on one association, with TCP_NODELAY; it is measured where it is installed. Each object is of a
woman and a study of its own and new to both; Success is answered when it is durable.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.care.benchmark import Measured
from core.installation import Installation
from core.network import Listener

__all__ = ["LARGE", "LARGE_ONES", "SMALL_ONES", "sent"]

LARGE = (3328, 2560)
"""17 MB of 16 bits, not compressed."""
LARGE_ONES, SMALL_ONES = 8, 100
_FIRST = 4
"""Objects that are sent before, so that both servers have started what they need."""
_LARGEST_PDU = "131072"


def sent(
    here: Installation, folder: Path, files: Mapping[str, Sequence[bytes]], orthanc_port: int | None
) -> dict[str, Measured]:
    """Return objects a second by the name of each kind of files, and as a share of Orthanc's where it listens.

    The first `_FIRST` of each kind are left out. Nothing is measured where there is no storescu.
    """
    sender = shutil.which("storescu")
    if sender is None:
        return {}
    listener = Listener(here, port=0, address="127.0.0.1")
    listener.start()
    measured = {}
    try:
        for name, some in files.items():
            first, rest = _laid(folder / f"{name}-first", some[:_FIRST]), _laid(folder / name, some[_FIRST:])
            ours = _rate(sender, listener.port, first, rest)
            measured[f"{name}_received"] = Measured(ours, "1/s")
            if orthanc_port is not None:
                theirs = _rate(sender, orthanc_port, first, rest)
                measured[f"orthanc_{name}_received"] = Measured(theirs, "1/s")
                measured[f"{name}_received_to_orthanc"] = Measured(ours / theirs, "ratio")
            shutil.rmtree(rest)
    finally:
        listener.stop()
    return measured


def _laid(folder: Path, files: Sequence[bytes]) -> Path:
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / f"{number:04d}.dcm").write_bytes(data)
    return folder


def _rate(sender: str, port: int, first: Path, rest: Path) -> float:
    _send(sender, port, first)
    count = len(list(rest.iterdir()))
    started = time.perf_counter()
    _send(sender, port, rest)
    return count / (time.perf_counter() - started)


def _send(sender: str, port: int, folder: Path) -> None:
    """Send a folder on one association; raises `ValueError` where an object is not answered with Success."""
    pdu = ("-pdu", _LARGEST_PDU, "--max-send-pdu", _LARGEST_PDU)
    done = subprocess.run(
        [sender, "-xe", *pdu, "+sd", "127.0.0.1", str(port), str(folder)],
        env={**os.environ, "TCP_NODELAY": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"storescu: {done.stderr.decode(errors='replace').strip()[-300:]}")
