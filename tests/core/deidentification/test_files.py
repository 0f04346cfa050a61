"""Whole files without the woman they are of: text in their pixels, what may be in them, the same bytes every time."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from core.deidentification import Deidentifier, Options
from core.deidentification.burned_in import letters, outside_the_breast
from core.deidentification.file import clean
from core.images.decoding import decode
from core.refusals import Refusal
from tests.pictures import breast, dicom

KEY = b"k" * 32
NAME = "DOE JANE 1961"


def written_on(
    pixels: np.ndarray, where: tuple[int, int], *, size: float = 0.6, value: int = 4095
) -> np.ndarray:
    ink = np.zeros(pixels.shape, np.uint8)
    cv2.putText(ink, NAME, where, cv2.FONT_HERSHEY_SIMPLEX, size, 255, 1, cv2.LINE_AA)
    share = ink / 255.0
    return np.maximum(pixels, pixels * (1 - share) + value * share).astype(pixels.dtype)


def cleaned(data: bytes, **options):
    return clean(data, KEY, None, Options(**options), max_pixels=60_000_000)


def pixels_of(data: bytes) -> np.ndarray:
    return pydicom.dcmread(io.BytesIO(data)).pixel_array


FILM = breast("L", rows=960, columns=720)
BESIDE, ON_IT = (480, 60), (60, 480)


def test_a_name_beside_the_breast_is_blacked_out_and_the_breast_stays_bit_by_bit() -> None:
    burned = written_on(FILM, BESIDE)
    assert (burned != FILM).any()
    after = pixels_of(cleaned(dicom(burned, BurnedInAnnotation="YES")).data)
    assert after[:80].max() <= FILM[:80].max()
    inside = FILM > 1000
    assert np.array_equal(after[inside], FILM[inside])
    assert np.array_equal(after, pixels_of(cleaned(dicom(FILM)).data))


def test_a_name_on_the_breast_is_refused() -> None:
    with pytest.raises(Refusal, match="burned_in_text"):
        cleaned(dicom(written_on(FILM, ON_IT)))


def test_a_name_written_up_the_picture_is_refused_too() -> None:
    turned = np.ascontiguousarray(np.rot90(written_on(np.zeros((720, 960), np.uint16), (300, 100))))
    with pytest.raises(Refusal, match="burned_in_text"):
        cleaned(dicom(np.maximum(FILM, turned)))


def test_what_is_no_breast_is_refused_unless_the_file_says_that_nothing_is_burned_in() -> None:
    noise = np.random.default_rng(1).integers(900, 2200, (400, 300)).astype(np.uint16)
    with pytest.raises(Refusal, match="burned_in_text"):
        cleaned(dicom(noise))
    assert np.array_equal(pixels_of(cleaned(dicom(noise, BurnedInAnnotation="NO")).data), noise)
    with pytest.raises(Refusal, match="burned_in_text"):
        cleaned(dicom(noise, BurnedInAnnotation="NO", SOPClassUID="1.2.840.10008.5.1.4.1.1.7"))


def test_of_ultrasound_only_the_calibrated_region_stays() -> None:
    shades = np.random.default_rng(2).integers(30, 90, (400, 500)).astype(np.uint8)
    shades = cv2.GaussianBlur(shades, (0, 0), 4)
    burned = written_on(shades, (20, 30), value=255)
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 50, 60
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 449, 359
    file = dicom(burned, Modality="US", SequenceOfUltrasoundRegions=[region])
    after = pixels_of(cleaned(file).data)
    assert after[:60].max() == after[:60].min()
    assert np.array_equal(after[60:360, 50:450], shades[60:360, 50:450])
    with pytest.raises(Refusal, match="burned_in_text"):
        cleaned(dicom(burned, Modality="US"))


def test_packed_pixels_stay_packed_and_lose_nothing() -> None:
    dataset = pydicom.dcmread(io.BytesIO(dicom(FILM)))
    dataset.compress(RLELossless, generate_instance_uid=False)
    out = io.BytesIO()
    dataset.save_as(out)
    result = cleaned(out.getvalue())
    assert pydicom.dcmread(io.BytesIO(result.data)).file_meta.TransferSyntaxUID == RLELossless
    assert np.array_equal(pixels_of(result.data)[FILM > 1000], FILM[FILM > 1000])


def test_overlays_in_unused_bits_are_cleared() -> None:
    hidden = FILM.copy()
    hidden[100:120, 100:200] |= 0x8000
    result = pydicom.dcmread(io.BytesIO(cleaned(dicom(hidden)).data))
    assert np.frombuffer(result.PixelData, np.uint16).max() < 0x1000


def test_a_film_with_dark_and_bright_exchanged_is_cleaned_alike() -> None:
    negative = dicom(
        (4095 - written_on(FILM, BESIDE)).astype(np.uint16), PhotometricInterpretation="MONOCHROME1"
    )
    after = 4095 - pixels_of(cleaned(negative).data)
    assert after[:80].max() <= FILM[:80].max()


def test_a_picture_loses_all_but_its_pixels() -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    Image.fromarray((written_on(FILM, BESIDE) / 16).astype(np.uint8)).save(
        out, "JPEG", exif=exif, comment=b"Jane Doe"
    )
    result = cleaned(out.getvalue())
    assert result.suffix == ".png"
    assert b"Doe" not in result.data
    assert decode(result.data, max_pixels=60_000_000).pixels[:80].max() <= 16


def test_the_same_file_gives_the_same_bytes_and_the_reader_reads_them() -> None:
    file = dicom(FILM, SOPInstanceUID="1.2.3", StudyInstanceUID="1.2.4")
    result = cleaned(file)
    assert result.data == cleaned(file).data
    image = decode(result.data, max_pixels=60_000_000)
    assert image.doubt is None
    assert image.header.patient_id == result.patient
    assert (image.header.laterality, image.header.view) == ("L", "CC")
    assert image.header.age_years == 58


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "empty_file"),
        (b"%PDF-1.7 of Jane", "unsupported_format"),
        (dicom(FILM, PatientID=None), "no_identity"),
        (dicom(FILM, PatientID=["A", "B"]), "bad_identifier"),
        (dicom(FILM, PixelData=None), "no_image"),
        (dicom(FILM)[:20_000], "unreadable"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "unreadable"),
    ],
)
def test_what_cannot_be_cleaned_is_refused_with_its_reason_and_without_a_word_of_it(
    here, file, reason
) -> None:
    with Deidentifier(here) as deidentifier, pytest.raises(Refusal) as refused:
        deidentifier.clean(file)
    assert refused.value.reason == reason
    assert "Doe" not in refused.value.text


def test_a_file_that_would_take_all_memory_or_time_stops_its_child_only(here) -> None:
    bomb = dicom(FILM, Rows=60_000, Columns=60_000)
    small = replace(here, settings=here.settings.model_copy(update={"reader_seconds": 0.0001}))
    with Deidentifier(here) as deidentifier:
        with pytest.raises(Refusal, match="decompression_bomb"):
            deidentifier.clean(bomb)
        assert deidentifier.clean(dicom(FILM)).patient.startswith("P-")
    with Deidentifier(small) as deidentifier, pytest.raises(Refusal, match="timeout"):
        deidentifier.clean(dicom(FILM))


@pytest.mark.parametrize("folder", ["mini_mias", "ffdm", "kau_films", "mini_ddsm10"])
def test_real_films_are_cleaned_and_not_taken_for_written_on(shared_data, folder) -> None:
    """Every film here is recognised and none held for letters; of `mini_mias` a few, as there are many."""
    paths = sorted((shared_data / folder).rglob("*.png"))[:: 24 if "mias" in folder else 3]
    if not paths:
        pytest.skip(f"{folder} holds no films on this machine")
    for path in paths:
        pixels = decode(path.read_bytes(), max_pixels=60_000_000).pixels
        outside = outside_the_breast(pixels)
        assert outside is not None, path.name
        assert 0.1 < outside.mean() < 0.9, path.name
        assert not letters(pixels, outside), path.name
