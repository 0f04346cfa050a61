"""The Basic Profile against the standard's own table: every attribute of PS3.15 E.1-1, at the top and nested."""

import io
from datetime import date

import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as standard
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from core.deidentification.identity import Identity
from core.deidentification.options import DEFAULT, Options, clean_words, known
from core.deidentification.profile import deidentify_header

KEY = b"k" * 32
HERS = Identity.of(KEY, "MRN-0001")
SECRET = "Zwyxabel"
BORN, STUDIED = "19610203", "20190405"
# Groups 0000 to 0004 are no part of an image: commands, meta information, directories.
ROWS = sorted(tag for tag in standard.ALL_TAGS if len(tag) == 2 and tag[0] >= 8)
VALUES = {
    "DA": "20190405", "DT": "20190405121314", "TM": "121314", "AS": "058Y", "UI": "1.2.3.4.5.6.7.8.9",
    "DS": "7.25", "IS": "725", "FD": 7.25, "FL": 7.25, "US": 725, "UL": 725, "SS": 725, "SL": 725,
    "UR": f"https://{SECRET}.example", "CS": SECRET.upper(), "PN": f"{SECRET}^Anna",
}  # fmt: skip
BYTES = {"OB", "OW", "UN", "OD", "OF", "OL", "OV"}


def value_for(vr: str, tag):
    if vr == "SQ":
        item = Dataset()
        if tag in standard.X_Z_U_STAR_TAGS:
            item.ReferencedSOPInstanceUID = VALUES["UI"]  # what it is for stays, with a new UID
        else:
            item.CodeMeaning = SECRET
        return [item]
    return SECRET.encode() if vr in BYTES else VALUES.get(vr, SECRET)


def vr_of(tag) -> str:
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "LO"  # newer than the library's dictionary


def a_file() -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3.4"
    made.PatientID, made.PatientName, made.PatientBirthDate = "MRN-0001", "Quillfeather^Ottoline", BORN
    made.StudyDate = STUDIED
    return made


def written(dataset: Dataset) -> bytes:
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("options", [Options(), Options(frozenset())], ids=["usual", "profile alone"])
def test_every_attribute_of_the_standards_table_ends_as_its_code_says(nested: bool, options: Options) -> None:
    """Judged by the lists of the table, not by what the code under test makes of them."""
    wrong = []
    for tag in ROWS:
        vr, dataset = vr_of(tag), a_file()
        place = dataset
        if nested:
            dataset.DerivationCodeSequence = [Dataset()]
            place = dataset.DerivationCodeSequence[0]
        place.add_new(tag, vr, value_for(vr, tag))
        before = str(place[tag].value)
        deidentify_header(dataset, HERS, options)
        place = dataset.DerivationCodeSequence[0] if nested else dataset
        why = what_is_wrong(place, Tag(tag), vr, before, options)
        if why:
            wrong.append(f"{keyword_for_tag(tag) or tag}: {why}")
        if vr not in ("TM", "AS") and (
            SECRET.encode() in (data := written(dataset)) or SECRET.upper().encode() in data
        ):
            kept = keyword_for_tag(tag) in options.keywords
            if not kept:
                wrong.append(f"{keyword_for_tag(tag) or tag}: its value is in the file")
    assert not wrong, "; ".join(wrong)


def what_is_wrong(place: Dataset, tag, vr: str, before: str, options: Options) -> str | None:
    keyword = keyword_for_tag(tag)
    after = None if tag not in place else str(place[tag].value or "")
    if keyword in options.keywords:
        return None if after == before or keyword == "PatientAge" else f"not kept: {after}"
    if (keyword in ("PatientID", "PatientName") and after == HERS.pseudonym) or (after or "").startswith(
        HERS.pseudonym
    ):
        return None
    if "dates" in options and vr == "TM" and keyword not in ("PatientBirthTime", "GPSTimeStamp"):
        return None if after == before else "a time of day that may stay is gone"
    if keyword == "PatientAge":
        return None if after is None else "an age"
    if after == before:
        return "it stays"
    pair = (tag.group, tag.element)
    if "dates" in options and vr in ("DA", "DT") and keyword not in ("PatientBirthDate", "GPSTimeStamp"):
        moved = HERS.day(date(2019, 4, 5)).strftime("%Y%m%d")
        return None if (after or "").startswith(moved) else f"not moved: {after}"
    if pair in standard.X_TAGS and after is not None:
        return "not removed"
    if pair in standard.U_TAGS and (after or "") != HERS.uid("1.2.3.4.5.6.7.8.9"):
        return f"no UID of its own: {after}"
    if pair in standard.D_TAGS and not after:
        return "no dummy"
    return None


def test_every_date_and_time_of_the_table_is_moved_by_the_same_days() -> None:
    dataset = a_file()
    dataset.AcquisitionDate, dataset.ContentDate = "20180101", "2018.01.31"
    dataset.AcquisitionDateTime = "20180101101112.5+0100"
    dataset.DateOfSecondaryCapture = "garbage"
    deidentify_header(dataset, HERS, Options())
    on, later = date(2018, 1, 1), date(2018, 1, 31)
    assert dataset.AcquisitionDate == HERS.day(on).strftime("%Y%m%d")
    assert dataset.ContentDate == HERS.day(later).strftime("%Y%m%d")
    assert dataset.AcquisitionDateTime == HERS.day(on).strftime("%Y%m%d") + "101112.5+0100"
    assert not dataset.DateOfSecondaryCapture
    assert dataset.LongitudinalTemporalInformationModified == "MODIFIED"


def test_private_attributes_overlays_curves_and_unknown_ones_go_wherever_they_stand() -> None:
    dataset = a_file()
    item = Dataset()
    for place in (dataset, item):
        place.private_block(0x0019, "ACME", create=True).add_new(1, "LO", SECRET)
        place.add_new(0x60003000, "OW", SECRET.encode())
        place.add_new(0x60021500, "LO", SECRET)
        place.add_new(0x50043000, "OW", SECRET.encode())
        place.add_new(0x00180003, "LO", SECRET)
    dataset.DerivationCodeSequence = [item]
    removed = deidentify_header(dataset, HERS, Options())
    data = written(dataset)
    assert SECRET.encode() not in data
    assert b"ACME" not in data
    assert any(what.startswith("DerivationCodeSequence[0].") for what, _ in removed.actions)


def test_her_name_and_number_go_from_where_nobody_expects_them() -> None:
    dataset = a_file()
    dataset.Manufacturer = "Scanner of Ottoline QUILLFEATHER"
    dataset.DerivationCodeSequence = [Dataset()]
    dataset.DerivationCodeSequence[0].CodeMeaning = "see mrn-0001"
    deidentify_header(dataset, HERS, Options())
    data = written(dataset).lower()
    assert b"quillfeather" not in data
    assert b"ottoline" not in data
    assert b"mrn-0001" not in data


def test_the_report_of_what_was_removed_holds_no_value() -> None:
    dataset = a_file()
    dataset.PatientComments, dataset.InstitutionName = SECRET, SECRET
    said = str(deidentify_header(dataset, HERS, Options()).actions)
    assert "InstitutionName" in said
    for value in (SECRET, "Quillfeather", "MRN-0001", BORN, STUDIED):
        assert value not in said


def test_uids_stay_consistent_and_say_what_they_are() -> None:
    one, other = a_file(), a_file()
    one.StudyInstanceUID = other.StudyInstanceUID = "1.2.840.1"
    one.SourceImageSequence = [Dataset()]
    one.SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.840.9"
    other.SOPInstanceUID = "1.2.840.9"
    for dataset in (one, other):
        deidentify_header(dataset, HERS, Options())
    assert one.StudyInstanceUID == other.StudyInstanceUID != "1.2.840.1"
    assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == other.SOPInstanceUID
    assert other.file_meta.MediaStorageSOPInstanceUID == other.SOPInstanceUID
    assert pydicom.uid.UID(other.SOPInstanceUID).is_valid
    assert other.SOPClassUID == SecondaryCaptureImageStorage


def test_it_says_of_itself_that_and_how_identity_was_removed() -> None:
    dataset = a_file()
    deidentify_header(dataset, HERS, Options())
    codes = {item.CodeValue for item in dataset.DeidentificationMethodCodeSequence}
    assert dataset.PatientIdentityRemoved == "YES"
    assert codes == {"113100", "113101", "113107", "113108"}
    read = pydicom.dcmread(io.BytesIO(written(dataset)))
    assert read.PatientID == HERS.pseudonym
    assert read.preamble == bytes(128)


def test_an_age_stays_and_ninety_and_more_are_one() -> None:
    dataset, old = a_file(), a_file()
    old.PatientAge = "097Y"
    for one in (dataset, old):
        deidentify_header(one, HERS, Options())
    assert dataset.PatientAge == "058Y"  # of birth date and study date
    assert old.PatientAge == "090Y"
    assert not dataset.PatientBirthDate


def test_a_simulated_woman_stays_marked_as_one() -> None:
    dataset = a_file()
    dataset.PatientComments = f"SIMULATED patient {SECRET}"
    deidentify_header(dataset, HERS, Options())
    assert dataset.PatientComments == "SIMULATED"


def test_what_else_is_asked_for_stays_and_is_named_by_its_code() -> None:
    dataset = a_file()
    dataset.DeviceSerialNumber, dataset.InstitutionName = "SN-77", "St. Elsewhere"
    dataset.SeriesDescription, dataset.StudyInstanceUID = "MAMMO Dr. Strange R-MLO SCREENING", "1.2.840.1"
    options = Options.of(["device", "institution", "uids", "descriptions"])
    deidentify_header(dataset, HERS, options)
    assert dataset.DeviceSerialNumber == "SN-77"
    assert dataset.InstitutionName == "St. Elsewhere"
    assert dataset.StudyInstanceUID == "1.2.840.1"
    assert dataset.SeriesDescription == "MAMMO SCREENING"
    codes = {item.CodeValue for item in dataset.DeidentificationMethodCodeSequence}
    assert {"113109", "113112", "113110", "113105"} <= codes


def test_unknown_options_are_named() -> None:
    with pytest.raises(ValueError, match="shoes"):
        Options.of(["shoes"])
    assert {option.name for option in known().option} >= DEFAULT
    assert clean_words("Anna 1961") == ""
