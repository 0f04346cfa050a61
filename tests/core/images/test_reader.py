"""The guarded reader: hostile and damaged files are refused with a reason, and the process lives."""

import io
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.images.drawing import open_rendition
from core.images.reader import GuardedReader
from core.refusals import SENTENCES, Refusal
from core.settings import Settings
from tests.pictures import breast, dicom, jpeg, png

SETTINGS = Settings(_env_file=None, reader_memory_mb=900, reader_seconds=20)


@pytest.fixture(scope="module")
def reader():
    with GuardedReader(SETTINGS) as reader:
        yield reader


def refused(reader: GuardedReader, data: bytes, name: str = "file") -> Refusal:
    with pytest.raises(Refusal) as caught:
        reader.read(data, name)
    assert caught.value.text
    # Whatever the file did, the next one is read.
    assert reader.read(png(), "next.png").rows == 320
    return caught.value


def huge_png(side: int) -> bytes:
    """A PNG of black pixels that says to be side x side, a thousandth of that in bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    row = bytes(side + 1)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def deflated_bomb(size: int) -> bytes:
    """A DICOM in the deflated transfer syntax whose pixel data are so many zeros."""
    small = dicom(deflated=True)
    start = 144 + int.from_bytes(small[140:144], "little")
    inflated = zlib.decompress(small[start:], -zlib.MAX_WBITS)
    header = inflated[: inflated.rindex(b"\xe0\x7f\x10\x00")]
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(header + b"\xe0\x7f\x10\x00OW\x00\x00" + size.to_bytes(4, "little"))
    zeros = bytes(1_000_000)
    packed += b"".join(packer.compress(zeros) for _ in range(size // len(zeros)))
    return small[:start] + packed + packer.flush()


def test_pixels_come_back_as_they_were_stored(reader):
    pixels = breast("R", seed=3)
    for data in (dicom(pixels, ImageLaterality="R"), png(pixels)):
        image = reader.read(data, "any name")
        assert np.array_equal(image.pixels, pixels)
        assert image.doubt is None


def test_the_name_does_not_matter_only_the_bytes(reader):
    assert reader.read(png(), "scan.dcm").media_type == "image/png"
    assert reader.read(dicom(), "scan.png").media_type == "application/dicom"
    assert reader.read(jpeg(), "scan.txt").media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"Hello, this is no image at all." * 20, "unsupported_format"),
        (b"PK\x03\x04" + bytes(200), "unsupported_format"),
        (b"II*\x00" + bytes(200), "unsupported_format"),
        (png()[:-4000], "truncated"),
        (jpeg()[:-3000], "truncated"),
        (dicom()[:-50_000], "truncated"),
        (dicom()[:300], "truncated"),
        (dicom()[:600], "truncated"),
        (dicom()[:-1], "truncated"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "unreadable"),
        (bytes(128) + b"DICM" + bytes(range(256)) * 8, "unreadable"),
        (dicom(NumberOfFrames="20"), "truncated"),
        (dicom(Rows=60_000, Columns=60_000), "decompression_bomb"),
        (dicom(BitsAllocated=7), "unreadable"),
        (dicom(Rows=None), "unreadable"),
        (
            dicom(PixelData=None, Rows=None, Columns=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"),
            "no_image",
        ),
        (dicom(SOPClassUID="1.2.840.10008.1.3.10"), "dicomdir"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_file_is_refused_with_its_reason(reader, data, reason):
    refusal = refused(reader, data)
    assert refusal.reason == reason
    assert refusal.sentence == SENTENCES[reason]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"II+\0", "TIFF"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypisom", "film"),
        (b"Rar!", "RAR"),
        (b"\0" * 257 + b"ustar", "tar"),
        (b"\x89HDF", "HDF5"),
    ],
)
def test_another_kind_of_file_is_named(reader, start, kind):
    refusal = refused(reader, start + bytes(300))
    assert refusal.reason == "unsupported_format"
    assert kind in refusal.detail


def test_a_damaged_png_is_refused_not_repaired(reader):
    data = bytearray(png())
    data[len(data) // 2] ^= 0xFF
    assert refused(reader, bytes(data)).reason in ("unreadable", "truncated")


def test_a_file_larger_than_allowed_is_not_even_sent(reader, monkeypatch):
    monkeypatch.setattr(reader, "settings", SETTINGS.model_copy(update={"max_file_mb": 1}))
    with pytest.raises(Refusal) as caught:
        reader.read(bytes(1_000_001), "big")
    assert caught.value.reason == "too_large"


def test_a_png_of_30000_squared_is_refused_fast_and_small(reader):
    data = huge_png(30_000)
    assert len(data) < 2_000_000
    started = time.monotonic()
    assert refused(reader, data).reason == "decompression_bomb"
    assert time.monotonic() - started < 5


def test_a_dicom_that_inflates_to_a_gigabyte_is_refused(reader):
    bomb = deflated_bomb(1_100_000_000)
    assert len(bomb) < 3_000_000
    started = time.monotonic()
    assert refused(reader, bomb).reason == "decompression_bomb"
    assert time.monotonic() - started < 10


def test_a_deflated_dicom_of_honest_size_is_read(reader):
    assert reader.read(dicom(deflated=True), "small").doubt is None


def test_a_dicom_nested_beyond_all_reason_is_refused_or_read_but_kills_nothing(reader):
    item = b""
    for _ in range(3000):
        item = (
            b"\x08\x00\x40\x11SQ\x00\x00" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4 + item[:100_000]
        )
    assert refused(reader, dicom()[:200] + item).reason in (
        "unreadable",
        "truncated",
        "no_image",
        "decompression_bomb",
    )


def test_running_out_of_memory_is_a_refusal(tmp_path):
    small = Settings(_env_file=None, reader_memory_mb=450, max_pixels=400_000_000)
    with GuardedReader(small) as reader:
        with pytest.raises(Refusal) as caught:
            reader.read(huge_png(19_000), "large.png")
        assert caught.value.reason in ("decompression_bomb", "unreadable")
        assert reader.read(png(), "next.png").rows == 320


def test_taking_too_long_is_a_refusal_and_the_next_file_is_read():
    hasty = Settings(_env_file=None, reader_seconds=2)
    with GuardedReader(hasty) as reader:
        os.kill(reader._process.pid, signal.SIGSTOP)
        with pytest.raises(Refusal) as caught:
            reader.read(png(), "slow.png")
        assert caught.value.reason == "timeout"
        assert reader.read(png(), "next.png").rows == 320


def test_a_reader_killed_between_files_is_replaced(reader):
    os.kill(reader._process.pid, signal.SIGKILL)
    reader._process.wait()
    assert reader.read(png(), "next.png").rows == 320


def test_the_child_ends_when_its_parent_is_killed(tmp_path):
    program = (
        "import os, sys\n"
        "from core.images.reader import GuardedReader\n"
        "from core.settings import Settings\n"
        "reader = GuardedReader(Settings(_env_file=None)).__enter__()\n"
        "print(reader._process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            break
        # Where nothing reaps orphans, a finished child remains as a zombie.
        if Path(f"/proc/{child}/stat").read_text().split(")")[1].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the reading process outlived its parent")


def test_a_prepared_image_has_its_rendition_and_thumbnail(reader):
    pixels = breast("R", seed=1, rows=2400, columns=1800)
    prepared = reader.prepare(
        dicom(pixels, ImageLaterality="R", WindowCenter="1800", WindowWidth="2000"), "x"
    )
    header, small = open_rendition(prepared.rendition)
    assert prepared.image.pixels.size == 0
    assert (header["rows"], header["columns"]) == small.shape == (1600, 1200)
    assert (header["source_rows"], header["source_columns"]) == (2400, 1800)
    assert (header["window_center"], header["window_width"], header["bits"]) == (1800.0, 2000.0, 12)
    # Same side, same values: the right breast's chest wall stays at the right.
    assert small[800, 1150] > 10 * small[800, 50]
    assert abs(int(small[800, 1000]) - int(pixels[1200, 1500])) < 60
    assert prepared.thumbnail_png[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_simulated_png_says_so_in_its_comment(reader):
    marked = PngInfo()
    marked.add_text("Comment", "SIMULATED by seed_data")
    file = io.BytesIO()
    Image.fromarray(breast()).save(file, "PNG", pnginfo=marked)
    assert reader.read(file.getvalue(), "x").header.simulated
    assert not reader.read(png(), "x").header.simulated


@pytest.mark.parametrize("corpus", ["bad_dicom", "png_suite"])
def test_the_corpora_of_bad_files_never_stop_the_reader(shared_data, corpus):
    files = sorted(path for path in (shared_data / corpus).iterdir() if path.suffix in (".dcm", ".png"))
    assert len(files) > 100
    with GuardedReader(SETTINGS) as reader:
        process = reader._process
        for path in files:
            refusal = image = None
            try:
                image = reader.read(path.read_bytes(), path.name)
            except Refusal as caught:
                refusal = caught
            if refusal is not None:
                assert refusal.text
                assert not path.name.startswith("basn"), f"{path.name} is valid: {refusal}"
            else:
                assert not path.name.startswith("x"), f"{path.name} is corrupt, and was read"
                assert image.doubt, f"{path.name} is no mammogram"
        assert reader._process is process
