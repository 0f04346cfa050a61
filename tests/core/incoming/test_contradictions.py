"""What a file says two ways is said with both, on the command line as on the page."""

import pytest

from core.incoming import IncomingFile, take_in
from core.incoming.intake import examine
from core.rules.vocabulary import UNLEARNED_KINDS
from tests.pictures import breast, dicom

PIXELS = breast(rows=640, columns=480)


def test_a_name_against_the_header_is_said_where_it_is_taken_in_and_where_it_is_looked_at(here):
    file = IncomingFile("folder/R-MLO.dcm", dicom(PIXELS, ImageLaterality="L", ViewPosition="CC"))
    (seen,) = examine(here, [file])
    (item,) = take_in(here, [file], statement=None, source="cli").items
    assert item.outcome == "accepted"
    assert (item.laterality, item.view) == ("L", "CC")
    assert "contradictory_header" in item.flags
    for said in (" ".join(seen.contradictions), item.detail):
        assert "R-MLO" in said
        assert "L-CC" in said


def test_a_name_that_agrees_or_says_nothing_is_no_contradiction(here):
    files = [
        IncomingFile("L-CC.dcm", dicom(PIXELS, PatientID="A")),
        IncomingFile("IM0001.dcm", dicom(PIXELS, PatientID="B")),
    ]
    for item in take_in(here, files, statement=None, source="cli").items:
        assert (item.outcome, item.detail) == ("accepted", None)
        assert "contradictory_header" not in item.flags


@pytest.mark.parametrize(
    ("tags", "reason", "words"),
    [
        ({"Laterality": "R"}, "unknown_laterality", "L and R"),
        ({"ImageLaterality": "B"}, "unknown_laterality", "both"),
        ({"ViewPosition": "LCC"}, "unknown_view", "LCC"),
        ({"ViewPosition": None, "SeriesDescription": "L MLO"}, "unknown_view", "“L MLO”"),
        ({"ImageLaterality": None, "SeriesDescription": "Left CC"}, "unknown_laterality", "“Left CC”"),
        ({"StudyDate": "19000101"}, "no_study_date", "1900"),
        ({"PatientID": "ANONYMOUS"}, "no_identity", "ANONYMOUS"),
        ({"PatientID": "000000"}, "no_identity", "000000"),
        ({"PatientID": "-"}, "no_identity", "no one"),
    ],
)
def test_what_cannot_be_settled_is_kept_back_with_what_the_file_says(here, tags, reason, words):
    (item,) = take_in(
        here, [IncomingFile("a.dcm", dicom(PIXELS, **tags))], statement=None, source="cli"
    ).items
    assert (item.outcome, item.reason) == ("quarantined", reason)
    assert words in item.detail


def test_numbers_that_only_look_like_a_placeholder_are_believed(here):
    for number in ("0012", "NA-7", "ANNA", "X1"):
        (item,) = take_in(
            here, [IncomingFile("a.dcm", dicom(PIXELS, PatientID=number))], statement=None, source="cli"
        ).items
        assert item.reason != "no_identity", number


def test_no_kind_that_was_never_learned_is_a_standard_view():
    assert {"tomosynthesis", "synthetic", "contrast_enhanced"} <= UNLEARNED_KINDS
