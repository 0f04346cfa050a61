"""The same picture, however a file stores it: the pixels that are meant, and the same standard view."""

import io
import zlib
from contextlib import suppress

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from core.images import dicom_pixels
from core.images.decoding import decode
from core.images.preamble import check_inflated_size
from core.images.reader import GuardedReader
from core.refusals import Refusal
from core.rules.vocabulary import NOT_FOR_THE_MODEL
from models.view import standardise
from tests.pictures import breast, dicom

PIXELS = breast(rows=640, columns=480)
ROOM = {"max_pixels": 60_000_000}


def read(pixels=PIXELS, **tags):
    return decode(dicom(pixels, **tags), **ROOM)


def written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def encoded(syntax, **how) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(dicom(PIXELS)))
    if syntax.is_compressed and syntax.is_encapsulated:
        dataset.compress(syntax, **how)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
        if not syntax.is_little_endian:
            dataset.PixelData = PIXELS.astype(">u2").tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, little_endian=syntax.is_little_endian, implicit_vr=syntax.is_implicit_VR)
    return file.getvalue()


def without_preamble(data: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(data))
    file = io.BytesIO()
    pydicom.dcmwrite(file, Dataset(dict(dataset.items())), implicit_vr=True, little_endian=True)
    return file.getvalue()


def mislabelled() -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(encoded(JPEG2000Lossless)))
    meta = b"1.2.840.10008.1.2.4.90"
    data = written(dataset)
    return data.replace(meta, b"1.2.840.10008.1.2.1\0\0\0")


LOSSLESS = {
    "explicit": lambda: encoded(ExplicitVRLittleEndian),
    "implicit": lambda: encoded(ImplicitVRLittleEndian),
    "big endian": lambda: encoded(ExplicitVRBigEndian),
    "deflated": lambda: dicom(PIXELS, deflated=True),
    "no preamble": lambda: without_preamble(dicom(PIXELS)),
    "RLE": lambda: encoded(RLELossless),
    "JPEG-LS": lambda: encoded(JPEGLSLossless),
    "JPEG 2000": lambda: encoded(JPEG2000Lossless),
    "JPEG 2000 called uncompressed": mislabelled,
    "left-justified": lambda: dicom(PIXELS << 4, HighBit=15),
    "bits above": lambda: dicom(PIXELS | np.uint16(0xA000)),
    "signed": lambda: dicom(PIXELS.astype(np.int16), BitsStored=16, HighBit=15),
    "negative": lambda: dicom(4095 - PIXELS, PhotometricInterpretation="MONOCHROME1"),
    "inverted in words": lambda: dicom(
        4095 - PIXELS, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"
    ),
    "rescaled": lambda: dicom(PIXELS, RescaleSlope="1", RescaleIntercept="0"),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_every_lossless_encoding_is_the_same_standard_view(name):
    image = decode(LOSSLESS[name](), **ROOM)
    assert np.array_equal(image.pixels, PIXELS)
    assert image.doubt is None
    assert np.array_equal(standardise(image.pixels).pixels, standardise(PIXELS).pixels)


@pytest.mark.parametrize("stored", [PIXELS, PIXELS.astype(np.int16) - 300, PIXELS >> 4])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEG2000])
def test_a_long_jpeg_2000_is_decoded_on_several_cores_to_the_same(monkeypatch, stored, syntax):
    bits = 16 if stored.dtype.kind == "i" else 12
    data = pydicom.dcmread(io.BytesIO(dicom(stored, BitsStored=bits, HighBit=bits - 1)))
    data.compress(JPEG2000Lossless)
    data.file_meta.TransferSyntaxUID = syntax
    meant = decode(written(data), **ROOM)
    by = []

    def decoded(dataset, **how):
        by.append(how.get("decoding_plugin"))
        return pixel_array(dataset, **how)

    monkeypatch.setattr(dicom_pixels, "pixel_array", decoded)
    monkeypatch.setattr(dicom_pixels, "_LONG_BYTES", 0)
    assert np.array_equal(decode(written(data), **ROOM).pixels, meant.pixels)
    assert by == ["pillow"]
    data.PixelData = data.PixelData[:-2000] + bytes(2000)
    data["PixelData"].is_undefined_length = True
    with suppress(Refusal):
        decode(written(data), **ROOM)
    assert by[1] is None, "one without an end is left to the stricter decoder"


@pytest.mark.parametrize(
    ("syntax", "how"), [(JPEGLSNearLossless, {"jls_error": 4}), (JPEG2000, {"j2k_cr": [8]})]
)
def test_a_lossy_encoding_is_nearly_the_same(syntax, how):
    found = standardise(decode(encoded(syntax, **how), **ROOM).pixels).pixels
    assert np.abs(found - standardise(PIXELS).pixels).mean() < 0.01


def padded(value: int, dtype=np.uint16) -> np.ndarray:
    pixels = PIXELS.astype(dtype)
    pixels[:, -40:] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "tags"),
    [
        (padded(4095), {"PixelPaddingValue": 4095}),
        (padded(4000), {"PixelPaddingValue": 3990, "PixelPaddingRangeLimit": 4095}),
        (padded(-2000, np.int16), {"PixelPaddingValue": -2000, "BitsStored": 16, "HighBit": 15}),
        (padded(-2000, np.int16), {"PixelPaddingValue": 63536 - 65536, "BitsStored": 16, "HighBit": 15}),
        (padded(65535), {"PixelPaddingValue": 65535}),
        (
            padded(4095),
            {
                "ShutterShape": "RECTANGULAR",
                "ShutterLeftVerticalEdge": 0,
                "ShutterRightVerticalEdge": 441,
                "ShutterUpperHorizontalEdge": 0,
                "ShutterLowerHorizontalEdge": 641,
            },
        ),
        (
            padded(4095),
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 1, 440, 640, 440, 640, 1]},
        ),
    ],
)
def test_what_is_padded_or_shuttered_is_background(pixels, tags):
    image = read(pixels, **tags)
    assert image.doubt is None
    assert image.pixels[:, -39:].max() == image.pixels[:, :440].min()
    assert np.array_equal(image.pixels[:, :440], PIXELS[:, :440])


def test_a_saturated_spot_is_no_padding():
    pixels = PIXELS.copy()
    pixels[300:320, 60:80] = 4095
    assert read(pixels, PixelPaddingValue=4095).pixels[310, 70] == 4095


def test_a_shutter_that_hides_all_is_not_believed():
    image = read(ShutterShape="CIRCULAR", CenterOfCircularShutter=[9000, 9000], RadiusOfCircularShutter="10")
    assert np.array_equal(image.pixels, PIXELS)
    assert "contradictory_header" in image.quality_flags


def test_polarity_that_is_said_two_ways_is_taken_from_the_picture():
    image = read(4095 - PIXELS, PresentationLUTShape="INVERSE")
    assert np.array_equal(image.pixels, PIXELS)
    assert "contradictory_header" in image.quality_flags
    assert np.array_equal(read(PresentationLUTShape="INVERSE").pixels, PIXELS)


def test_a_slope_of_nothing_is_refused_and_a_steep_one_widens_the_range():
    with pytest.raises(Refusal, match="RescaleSlope"):
        read(RescaleSlope="0", RescaleIntercept="0")
    image = read(RescaleSlope="4", RescaleIntercept="0")
    assert np.array_equal(image.pixels, 4 * PIXELS)
    assert image.bits_stored == 14
    assert "overexposed" not in image.quality_flags


@pytest.mark.parametrize("high", [12, 15, 40])
def test_bits_that_do_not_fit_are_refused_or_read_as_they_stand(high):
    if high == 40:
        with pytest.raises(Refusal, match="HighBit"):
            read(HighBit=high)
    else:
        assert np.array_equal(read(PIXELS << (high - 11), HighBit=high).pixels, PIXELS)


def test_a_palette_is_applied():
    shades = np.random.default_rng(0).permutation(256).astype(np.uint8)
    index = np.argsort(shades).astype(np.uint8)[(PIXELS >> 4).astype(np.uint8)]
    lut = {
        f"{c}PaletteColorLookupTableData": (shades.astype("<u2") * 257).tobytes()
        for c in ("Red", "Green", "Blue")
    }
    descriptor = {f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in ("Red", "Green", "Blue")}
    image = read(index, PhotometricInterpretation="PALETTE COLOR", **descriptor, **lut)
    assert image.doubt is None
    assert np.array_equal(image.pixels // 257, PIXELS >> 4)


def test_a_curve_is_applied_and_never_clips():
    x = np.arange(4096)
    curve = 65535 / (1 + np.exp(-4 * (x - 2000) / 1200))
    table = Dataset()
    table.LUTDescriptor, table.LUTExplanation = [4096, 0, 16], "NORMAL"
    table.LUTData = np.rint(curve).astype("<u2").tobytes()
    ways = [
        read(WindowCenter="2000", WindowWidth="1200", VOILUTFunction="SIGMOID"),
        read(VOILUTSequence=[table]),
        read(
            4095 - PIXELS,
            PhotometricInterpretation="MONOCHROME1",
            WindowCenter="2095",
            WindowWidth="1200",
            VOILUTFunction="SIGMOID",
        ),
    ]
    for image in ways:
        assert np.abs(image.pixels.astype(int) - curve[PIXELS]).max() <= 2
        assert image.window_width == 65536
        assert not {"window_approximated", "window_unusable"} & set(image.quality_flags)
    table.LUTData = b"\0\0"
    broken = read(VOILUTSequence=[table])
    assert np.array_equal(broken.pixels, PIXELS)
    assert "window_unusable" in broken.quality_flags


def test_the_middle_one_of_several_frames_is_kept_and_marked_and_not_read():
    frames = np.stack([PIXELS // 2, PIXELS // 3, PIXELS, PIXELS // 4, PIXELS // 5])
    data = dicom(PIXELS, NumberOfFrames="5", PixelData=frames.tobytes())
    compressed = pydicom.dcmread(io.BytesIO(data))
    compressed.compress(JPEG2000Lossless)
    for one in (data, written(compressed)):
        image = decode(one, **ROOM)
        assert np.array_equal(image.pixels, PIXELS)
        assert "multi_frame" in NOT_FOR_THE_MODEL & set(image.quality_flags)
    with pytest.raises(Refusal) as caught:
        read(NumberOfFrames="1900", Rows=6000, Columns=5000)
    assert caught.value.reason == "decompression_bomb"


def test_native_colour_at_half_resolution_is_whole():
    grey = (PIXELS >> 4).astype(np.uint8)
    pairs = np.stack(
        (grey[:, ::2], grey[:, 1::2], np.full_like(grey[:, ::2], 128), np.full_like(grey[:, ::2], 128)), -1
    )
    image = read(
        grey,
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422",
        PlanarConfiguration=0,
        PixelData=pairs.tobytes(),
    )
    assert image.doubt is None
    assert np.abs(image.pixels.astype(int) - grey).max() <= 1


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        ("1.2.840.10008.1.2.4.110", "JPEG XL"),
        ("1.2.840.10008.1.2.4.999", "not known"),
        ("1.3.46.670589.33.1.4.19", "private"),
    ],
)
def test_a_compression_that_is_not_read_is_named(syntax, words):
    dataset = pydicom.dcmread(io.BytesIO(encoded(JPEG2000Lossless)))
    dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
    # The library writes no such file: the name of another syntax of the same length is replaced.
    data = written(dataset).replace(HTJ2KLossless.encode(), syntax.encode())
    with pytest.raises(Refusal) as caught:
        decode(data, **ROOM)
    assert caught.value.reason == "unsupported_compression"
    assert words in caught.value.detail


def test_missing_pixels_are_said_to_be_missing():
    with pytest.raises(Refusal, match="pixel data") as caught:
        read(PixelData=None)
    assert caught.value.reason == "truncated"


def test_garbage_called_compressed_is_refused():
    dataset = pydicom.dcmread(io.BytesIO(dicom(PIXELS)))
    dataset.PixelData = encapsulate([b"\x00" * 500])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    with pytest.raises(Refusal) as caught:
        decode(written(dataset), **ROOM)
    assert caught.value.reason in ("unsupported_compression", "unreadable")


def test_too_few_bits_are_named_and_foreign_bits_above_are_not_taken_for_them():
    with pytest.raises(Refusal, match="BitsStored") as caught:
        read(BitsStored=10, HighBit=9)
    assert caught.value.reason == "unreadable"
    lines = (np.indices(PIXELS.shape).sum(axis=0) % 40 < 3).astype(np.uint16)
    for foreign in (lines << 15, np.random.default_rng(0).integers(0, 16, PIXELS.shape, np.uint16) << 12):
        assert np.array_equal(read(PIXELS | foreign).pixels, PIXELS)


@pytest.mark.parametrize("end", [b"\xff" * 5000, b"\0" * 513, b"trailer"])
def test_what_stands_behind_the_pixels_does_not_matter(end):
    assert np.array_equal(decode(dicom(PIXELS) + end, **ROOM).pixels, PIXELS)


def rewrapped(data: bytes, *fragments: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.PixelData = encapsulate(list(fragments)) if fragments else b"\xfe\xff\x00\xe0\0\0\0\0"
    dataset["PixelData"].is_undefined_length = True
    return written(dataset)


def test_compressed_pixels_that_are_cut_or_lacking_are_said_to_be():
    whole = encoded(JPEG2000Lossless)
    frame = next(generate_frames(pydicom.dcmread(io.BytesIO(whole)).PixelData, number_of_frames=1))
    for data, words in (
        (rewrapped(whole, frame[: len(frame) // 3]), "no end"),
        (rewrapped(whole), "empty"),
    ):
        with pytest.raises(Refusal, match=words) as caught:
            decode(data, **ROOM)
        assert caught.value.reason == "truncated"


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette"),
        ({"PhotometricInterpretation": "YBR_PARTIAL_422", "SamplesPerPixel": 3}, "YBR_PARTIAL_422"),
    ],
)
def test_colours_that_cannot_be_read_are_named(tags, words):
    with pytest.raises(Refusal, match=words):
        read((PIXELS >> 4).astype(np.uint8), **tags)


def test_a_data_set_in_another_order_of_bytes_than_said_is_named():
    data = encoded(ExplicitVRBigEndian).replace(b"1.2.840.10008.1.2.2\0", b"1.2.840.10008.1.2.1\0")
    with pytest.raises(Refusal, match="file meta") as caught:
        decode(data, **ROOM)
    assert caught.value.reason == "unreadable"


def test_looking_at_the_size_of_a_deflated_file_ends_with_its_stream():
    """A byte is added where the stream's length is odd; of large ones it was looked at for ever."""
    head = dicom(PIXELS, deflated=True)
    start = head[: 144 + int.from_bytes(head[140:144], "little")]
    packed = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = packed.compress(bytes(range(250)) * 70_000) + packed.flush()
    for more in (b"", b"\0", b"\0" * 50):
        check_inflated_size(start + stream + more, 20_000_000)
    with pytest.raises(Refusal, match="inflates"):
        check_inflated_size(start + stream, 10_000_000)


def test_damaged_runs_are_refused_and_stop_no_process(here):
    whole = encoded(RLELossless)
    frame = next(generate_frames(pydicom.dcmread(io.BytesIO(whole)).PixelData, number_of_frames=1))
    broken = []
    for seed in range(4):
        random, bytes_ = np.random.default_rng(seed), bytearray(frame)
        for place in random.integers(64, len(frame), 40):
            bytes_[place] = random.choice((0x7F, 0x81, 0xFF))
        broken.append(rewrapped(whole, bytes(bytes_)))
    with GuardedReader(here.settings) as reader:
        reader.read(dicom(PIXELS), "whole")
        process = reader._process
        for data in broken:
            with pytest.raises(Refusal) as caught:
                reader.read(data, "damaged")
            assert caught.value.reason in ("unreadable", "truncated")
            assert "stopped" not in caught.value.detail
        assert reader._process is process
