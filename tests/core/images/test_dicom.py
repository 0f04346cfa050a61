"""What a DICOM file says: side, view, window, spacing, person; never more than it says."""

from datetime import date

import numpy as np
import pytest
from pydicom.dataset import Dataset

from core.images.dicom import decode_dicom
from core.images.drawing import shown_window
from tests.pictures import breast, dicom


def read(pixels=None, **tags):
    return decode_dicom(dicom(pixels, **tags), max_pixels=60_000_000)


def code(value: str, **more) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "x"
    for keyword, inner in more.items():
        setattr(item, keyword, inner)
    return item


def test_the_header_is_read():
    header = read(PatientAge="058Y").header
    assert header.patient_id == "MRN-1"
    assert header.patient_name == "Doe, Jane"
    assert (header.birth_date, header.study_date) == (date(1965, 4, 20), date(2024, 3, 15))
    assert (header.sex, header.age_years, header.modality) == ("F", 58.0, "MG")
    assert (header.laterality, header.view) == ("L", "CC")
    assert not header.simulated


@pytest.mark.parametrize(
    ("tags", "laterality"),
    [
        ({"ImageLaterality": "R"}, "R"),
        ({"ImageLaterality": None, "Laterality": "R"}, "R"),
        ({"ImageLaterality": "R", "Laterality": "R"}, "R"),
        ({"ImageLaterality": "R", "Laterality": "L"}, None),
        ({"ImageLaterality": "B"}, None),
        ({"ImageLaterality": "U"}, None),
        ({"ImageLaterality": None}, None),
    ],
)
def test_the_side_is_what_all_attributes_say(tags, laterality):
    assert read(**tags).header.laterality == laterality


@pytest.mark.parametrize(
    ("tags", "view"),
    [
        ({"ViewPosition": "MLO"}, "MLO"),
        ({"ViewPosition": "ML"}, "ML"),
        ({"ViewPosition": None, "ViewCodeSequence": [code("399368009")]}, "MLO"),
        ({"ViewPosition": None, "ViewCodeSequence": [code("R-10242")]}, "CC"),
        ({"ViewPosition": "CC", "ViewCodeSequence": [code("399368009")]}, None),
        ({"ViewPosition": None, "PatientOrientation": "MLO"}, "MLO"),
        ({"ViewPosition": None, "PatientOrientation": "CC"}, "CC"),
        # The letters of the orientation fit several views: they decide nothing.
        ({"ViewPosition": None, "PatientOrientation": ["A", "R"]}, None),
        ({"ViewPosition": None, "PatientOrientation": ["P", "F"]}, None),
        ({"ViewPosition": "AP"}, None),
        ({"ViewPosition": None}, None),
    ],
)
def test_the_view_is_taken_from_the_data_or_left_open(tags, view):
    assert read(**tags).header.view == view


def test_a_view_against_its_orientation_is_said():
    image = read(ViewPosition="CC", PatientOrientation=["A", "F"])
    assert image.header.view == "CC"
    assert any("PatientOrientation" in sentence for sentence in image.contradictions)
    assert "contradictory_header" in image.quality_flags
    assert not read(ViewPosition="MLO", PatientOrientation=["A", "FR"]).contradictions


def test_monochrome1_is_turned_so_that_larger_is_brighter():
    pixels = breast()
    image = read(
        4095 - pixels, PhotometricInterpretation="MONOCHROME1", WindowCenter="2000", WindowWidth="800"
    )
    assert np.array_equal(image.pixels, pixels)
    assert (image.window_center, image.window_width) == (2095.0, 800.0)


def test_the_window_is_kept_and_not_burnt_in():
    image = read(WindowCenter=["2000", "1000"], WindowWidth=["1500", "100"])
    assert np.array_equal(image.pixels, breast())
    assert shown_window(image) == (2000.0, 1500.0)


def test_a_window_beside_the_values_is_left_out():
    image = read(WindowCenter="-3000", WindowWidth="10")
    assert image.window_center is None
    assert "window_unusable" in image.quality_flags
    center, width = shown_window(image)
    assert 1000 < center < 2500
    assert width > 300


def test_rescale_is_applied_and_the_window_follows():
    signed = breast().astype(np.int16) - 1000
    image = read(signed, RescaleSlope="1", RescaleIntercept="-24", WindowCenter="776", WindowWidth="1000")
    assert image.pixels.min() == 0
    moved = breast().astype(int) - 1024
    assert np.array_equal(image.pixels, moved - moved.min())
    assert (image.window_center, image.window_width) == (776 - moved.min(), 1000)


def test_a_fractional_slope_is_stretched_to_16_bits_and_the_window_follows():
    image = read(RescaleSlope="0.25", RescaleIntercept="-100", WindowCenter="300", WindowWidth="200")
    real = breast() * 0.25 - 100
    scale = 65535 / (real.max() - real.min())
    assert np.allclose(image.pixels, (real - real.min()) * scale, atol=1)
    assert image.window_center == pytest.approx((300 - real.min()) * scale, rel=1e-4)
    assert image.window_width == pytest.approx(200 * scale, rel=1e-4)


@pytest.mark.parametrize(
    ("tags", "spacing", "flagged"),
    [
        ({}, None, False),
        ({"ImagerPixelSpacing": [0.07, 0.07]}, 0.07, False),
        ({"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": "1.25"}, 0.08, False),
        ({"PixelSpacing": [0.05, 0.05]}, 0.05, False),
        ({"ImagerPixelSpacing": [0.07, 0.07], "PixelSpacing": [0.07, 0.07]}, 0.07, False),
        ({"ImagerPixelSpacing": [0.5, 0.5], "PixelSpacing": [0.25, 0.25]}, None, True),
        (
            {
                "ImagerPixelSpacing": [0.5, 0.5],
                "PixelSpacing": [0.25, 0.25],
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            0.25,
            True,
        ),
        ({"PixelSpacing": [0.05, 0.09]}, None, False),
        ({"PixelSpacing": [0, 0]}, None, False),
    ],
)
def test_spacing_is_that_of_the_breast_or_unknown(tags, spacing, flagged):
    image = read(**tags)
    assert image.pixel_spacing_mm == (None if spacing is None else pytest.approx(spacing, rel=0.02))
    assert ("pixel_spacing_disagrees" in image.quality_flags) == flagged


def test_flags_come_from_the_header():
    spot = [code("399162004", ViewModifierCodeSequence=[code("399055006"), code("399163009")])]
    image = read(
        PresentationIntentType="FOR PROCESSING",
        BurnedInAnnotation="YES",
        BreastImplantPresent="YES",
        ViewCodeSequence=spot,
    )
    assert {"for_processing", "burned_in_annotation", "implant", "spot_compression", "magnification"} <= set(
        image.quality_flags
    )


@pytest.mark.parametrize(("uid", "kept"), [("1.2.840.007", True), ("1.2.x", False), ("1..2", False)])
def test_a_uid_with_a_leading_zero_names_its_study_as_well_as_any(uid, kept):
    """The standard forbids it, archives hold it; what is no UID at all is a contradiction."""
    image = read(StudyInstanceUID=uid)
    assert image.header.study_uid == (uid if kept else None)
    assert ("contradictory_header" in image.quality_flags) != kept


def test_another_modality_is_doubted():
    assert "US" in read(Modality="US").doubt
    assert read(Modality="RG").doubt is None


def test_malformed_elements_do_not_hide_the_others():
    image = read(PatientBirthDate="19XX0101", StudyDate="20241399", PatientName="=\\^^", WindowCenter="")
    assert image.header.birth_date is None
    assert image.header.study_date is None
    assert image.header.patient_id == "MRN-1"


def test_a_simulated_file_says_so():
    assert read(PatientComments="SIMULATED").header.simulated
    assert read(Manufacturer="Aldermere (simulated)").header.simulated


def test_real_files_say_what_they_are_known_to_say(shared_data):
    film = decode_dicom((shared_data / "dicom" / "MG1_J2KI.dcm").read_bytes(), max_pixels=60_000_000)
    assert (film.header.laterality, film.header.view, film.header.modality) == ("L", "MLO", "RG")
    assert film.pixels.shape == (4664, 3064)
    # 12-bit JPEG whose scan header ends the spectral selection at 0: the same film as the other, but for its loss.
    lossy = decode_dicom((shared_data / "dicom" / "MG1_JPLY.dcm").read_bytes(), max_pixels=60_000_000)
    assert lossy.pixels.shape == film.pixels.shape
    pattern = decode_dicom(
        (shared_data / "dicom" / "clunie_MG_Explicit_Little.dcm").read_bytes(), max_pixels=60_000_000
    )
    assert "pixel_spacing_disagrees" in pattern.quality_flags
