"""What a screening unit brings on a stick: four women's studies of several days, and files that are none."""

from __future__ import annotations

import io
import zipfile
import zlib

from tests import pictures

WOMEN = {"W-1": "Adams^Ann", "W-2": "Baker^Bea", "W-3": "Clark^Cora", "W-4": "Davis^Dora"}
DAYS = ("20190312", "20210405", "20230518")
BAD = ("notes.txt", "empty.dcm", "cut.dcm", "inner.zip", "scan.png.dcm")


def study(mrn: str, day: str, *, name: str | None = None, seed: int = 0) -> dict[str, bytes]:
    """Return the four views of one woman and day, by file name."""
    made = {}
    for number, (side, view) in enumerate([("L", "CC"), ("R", "CC"), ("L", "MLO"), ("R", "MLO")]):
        # No two pictures are the same: what is the same is a duplicate.
        pixels = pictures.breast(
            side, seed=zlib.crc32(f"{mrn} {day} {seed}".encode()) + number, rows=120, columns=96
        )
        made[f"{mrn}/{day}/{side}{view}.dcm"] = pictures.dicom(
            pixels,
            PatientID=mrn,
            PatientName=name or WOMEN.get(mrn, "Doe^Jane"),
            PatientBirthDate="19600101",
            StudyDate=day,
            ImageLaterality=side,
            ViewPosition=view,
            StudyInstanceUID=f"1.2.826.0.1.{sum(mrn.encode())}.{day}",
        )
    return made


def zipped(files: dict[str, bytes]) -> bytes:
    """Return files as a ZIP archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def bad_files() -> dict[str, bytes]:
    """Return five files that are no mammogram, each in another way."""
    return {
        "notes.txt": b"Seen by Dr Adams.",
        "empty.dcm": b"",
        "cut.dcm": pictures.dicom(PatientID="W-9")[:6000],
        "inner.zip": zipped({"deeper.zip": zipped({"a.txt": b"a"})}),
        "scan.png.dcm": b"\x89PNG\r\n\x1a\n" + bytes(64),
    }


def fifty_files() -> dict[str, bytes]:
    """Return 50 files of 4 women: 45 mammograms of 12 days, one view short of three, and 5 bad ones."""
    good: dict[str, bytes] = {}
    for mrn in WOMEN:
        for day in DAYS:
            good |= study(mrn, day)
    for name in list(good)[-3:]:
        del good[name]
    return good | bad_files()
