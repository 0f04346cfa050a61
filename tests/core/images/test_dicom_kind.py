"""What kind of picture a file says it holds, and where it says two things: marked, refused or asked, never guessed."""

from datetime import date

import numpy as np
import pytest
from pydicom.dataset import Dataset

from core.images.decoding import decode
from core.rules.vocabulary import NOT_FOR_THE_MODEL, OTHER_THAN_STANDARD
from tests.pictures import breast, dicom

PIXELS = breast(rows=640, columns=480)


def read(pixels=PIXELS, **tags):
    return decode(dicom(pixels, **tags), max_pixels=60_000_000)


def code(value: str, **more) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "x"
    for keyword, inner in more.items():
        setattr(item, keyword, inner)
    return item


UNREAD = {
    "tomosynthesis": [
        {"ImageType": ["ORIGINAL", "PRIMARY", "TOMO_PROJ", "LEFT"]},
        {"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3"},
        {"SeriesDescription": "L MLO Tomosynthesis Reconstruction"},
        {"SeriesDescription": "Tomosynthese L MLO"},
        {"SeriesDescription": "L MLO Tomo 6mm slabs"},
        {"TomoClass": "TOMOSYNTHESIS"},
    ],
    "synthetic": [
        {"ImageType": ["DERIVED", "PRIMARY", "TOMO_2D", "", "", "", "", "", "GENERATED_2D"]},
        {"SeriesDescription": "L MLO C-View"},
        {"SeriesDescription": "L MLO Intelligent2D"},
        {"SeriesDescription": "S-View L MLO"},
    ],
    "recombined": [{"ImageType": ["DERIVED", "PRIMARY", "RECOMBINED"]}],
    "contrast_enhanced": [
        {"ImageType": ["ORIGINAL", "PRIMARY", "", "LOW_ENERGY"]},
        {"ContrastBolusAgent": "Iohexol"},
        {"SeriesDescription": "L CC CEDM"},
        {"SeriesDescription": "SenoBright HD L CC"},
        {"SeriesDescription": "L CC TiCEM"},
    ],
    "stereotactic": [
        {"ImageType": ["ORIGINAL", "PRIMARY", "STEREO_SCOUT"]},
        {"SeriesDescription": "Stereo biopsy"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "POSTFIRE"]},
    ],
    "quality_control": [
        {"QualityControlImage": "YES"},
        {"QualityControlImage": "BOTH"},
        {"PatientName": "QC^PHANTOM", "PatientID": "7"},
    ],
    "for_processing": [
        {"PresentationIntentType": "FOR PROCESSING"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1"},
    ],
    "spot_compression": [
        {"ViewModifierCodeSequence": [code("399055006")]},
        {"PaddleDescription": "10CM SPOT"},
        {"ViewModifierCodeSequence": [code("XYZ", CodeMeaning="Spot compression")]},
    ],
    "magnification": [
        {"EstimatedRadiographicMagnificationFactor": "1.8"},
        {"DistanceSourceToDetector": "650", "DistanceSourceToPatient": "360"},
    ],
}


@pytest.mark.parametrize(("flag", "tags"), [(flag, tags) for flag, many in UNREAD.items() for tags in many])
def test_a_picture_beside_the_standard_is_kept_and_marked_and_not_read(flag, tags):
    image = read(**tags)
    assert image.doubt is None
    assert flag in image.quality_flags
    assert flag in NOT_FOR_THE_MODEL


def test_a_screening_view_is_not_marked():
    for tags in (
        {"ImageType": ["ORIGINAL", "PRIMARY", ""]},
        {"ImageType": ["DERIVED", "PRIMARY"], "SeriesDescription": "L CC Combo"},
        {"SeriesDescription": "L CC", "DistanceSourceToDetector": "660", "DistanceSourceToPatient": "640"},
        {"ContrastBolusAgent": "NONE", "QualityControlImage": "NO", "BodyPartExamined": "BREAST"},
    ):
        assert not OTHER_THAN_STANDARD & set(read(**tags).quality_flags)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "CT Image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.12.1"}, "X-Ray Angiographic"),
        ({"Modality": "XA"}, "modality XA"),
        ({"ViewCodeSequence": [code("127457009")]}, "specimen"),
        ({"BodyPartExamined": "BREAST SPECIMEN"}, "specimen"),
        ({"SeriesDescription": "L Specimen"}, "specimen"),
        ({"SpecimenDescriptionSequence": [Dataset()]}, "specimen"),
        ({"Modality": "DX", "BodyPartExamined": "HAND"}, "HAND"),
    ],
)
def test_what_is_no_mammogram_by_its_own_word_is_doubted(tags, words):
    assert words in read(**tags).doubt


@pytest.mark.parametrize(
    ("view", "turned", "orientation"),
    [
        ("MLO", lambda p: p[::-1, ::-1], ["P", "HL"]),
        ("MLO", np.rot90, ["F", "P"]),
        ("CC", lambda p: p[::-1, ::-1], ["P", "L"]),
    ],
)
def test_an_image_that_lies_upside_down_or_on_its_side_is_turned_upright(view, turned, orientation):
    uneven = PIXELS.copy()
    uneven[200:220, 20:60] = 3000
    image = read(np.ascontiguousarray(turned(uneven)), ViewPosition=view, PatientOrientation=orientation)
    assert "turned_upright" in image.quality_flags
    assert np.array_equal(image.pixels[200:220, 20:60], uneven[200:220, 20:60]) or np.array_equal(
        image.pixels, uneven[:, ::-1]
    )


def test_an_orientation_against_the_pixels_turns_nothing():
    for mirrored in (["A", "HR"], ["A", "HL"]):
        assert np.array_equal(read(ViewPosition="MLO", PatientOrientation=mirrored).pixels, PIXELS)
    assert np.array_equal(read(ViewPosition="CC", PatientOrientation=["A", "L"]).pixels, PIXELS)
    image = read(ViewPosition="MLO", PatientOrientation=["P", "HL"])
    assert np.array_equal(image.pixels, PIXELS)
    assert any("chest wall" in sentence for sentence in image.contradictions)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"StudyDate": "20200102", "AcquisitionDate": "20150102"}, ("2020-01-02", "2015-01-02")),
        ({"PatientAge": "031Y", "PatientBirthDate": "19600101"}, ("31", "1960-01-01")),
        ({"PatientBirthDate": "20240315"}, ("PatientBirthDate", "2024-03-15")),
        ({"ViewPosition": "MLO", "PatientOrientation": ["P", "FL"]}, ("L", "P/FL")),
        ({"ViewPosition": "CC", "ViewCodeSequence": [code("399368009")]}, ("CC", "MLO")),
        ({"Laterality": "R"}, ("L", "R")),
        ({"SeriesDescription": "R CC"}, ("L", "“R CC”")),
        ({"SeriesDescription": "Right craniocaudal"}, ("L", "R")),
        ({"ProtocolName": "LMLO"}, ("CC", "MLO")),
        (
            {"AnatomicRegionSequence": [code("76752008", AnatomicRegionModifierSequence=[code("24028007")])]},
            ("L", "R"),
        ),
        ({"PatientBirthDate": "20190315"}, ("2019-03-15", "5 years")),
        ({"PatientBirthDate": "20250315"}, ("2025-03-15", "2024-03-15")),
    ],
)
def test_a_contradiction_is_said_with_both_values(tags, words):
    image = read(**tags)
    assert "contradictory_header" in image.quality_flags
    assert any(all(word in sentence for word in words) for sentence in image.contradictions)


@pytest.mark.parametrize("day", ["19000101", "19010101", "00000000", "", "1900.01.01"])
def test_a_placeholder_is_no_date(day):
    header = read(StudyDate=day, PatientBirthDate=day).header
    assert header.study_date is None
    assert header.birth_date is None


def test_the_day_of_acquisition_is_named_where_the_study_has_none():
    header = read(StudyDate="", AcquisitionDate="20200102").header
    assert header.study_date is None
    assert "2020-01-02" in header.unusable["study_date"]


def test_a_day_on_which_a_film_was_scanned_is_no_day_of_a_study():
    capture = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ContentDate": "20160426"}
    header = read(StudyDate="20161004", **capture).header
    assert header.study_date is None
    assert "2016-10-04" in header.unusable["study_date"]
    assert "2016-04-26" in header.unusable["study_date"]
    assert read(StudyDate="20160426", **capture).header.study_date == date(2016, 4, 26)
    assert read(StudyDate="20161004", AcquisitionDate="20161004", **capture).header.study_date is not None


def test_two_values_are_said_where_one_is_meant():
    assert "2020" in read(StudyDate=["20200102", "20210102"]).header.unusable["study_date"]
    assert "“R”" in read(ImageLaterality=["L", "R"]).header.unusable["laterality"]


def test_a_real_birth_date_on_a_first_of_january_is_believed():
    assert read(PatientBirthDate="19600101").header.birth_date == date(1960, 1, 1)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.hstack((PIXELS, PIXELS)), "two views"),
        (np.hstack((PIXELS, PIXELS[:, ::-1])), ""),
        (np.hstack((PIXELS[:, ::-1], PIXELS)), "views"),
        (np.vstack((np.hstack((PIXELS, PIXELS)),) * 2), "two views"),
        ((PIXELS > 100).astype(np.uint16) * 4095, "shades"),
        (4095 - PIXELS, "negative"),
        (np.ascontiguousarray(np.rot90(PIXELS)), "side"),
    ],
)
def test_pixels_that_are_no_single_view_are_doubted_for_what_they_are(pixels, words):
    doubt = read(np.ascontiguousarray(pixels)).doubt
    assert doubt is not None
    assert words in doubt
