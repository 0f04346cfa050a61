"""Whose a file is: never guessed, never cut, never likened."""

from datetime import date

import pytest
from sqlalchemy import select

from core.incoming.identity import names_agree
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.records.search import find
from core.worker.rows import history_of
from db.tables import Image, Patient, Sex, Study
from tests.pictures import breast, dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")

DAY = date(2024, 3, 15)
SHE = Statement(mrn="MRN-1", study_date=DAY)


def take(here, *files: bytes, statement: Statement | None = None):
    named = [IncomingFile(f"{number}.dcm", data) for number, data in enumerate(files)]
    return take_in(here, named, statement=statement, source="cli").items


def another(seed: int = 7, **tags) -> bytes:
    return dicom(breast(seed=seed), **tags)


def patients(here) -> list[Patient]:
    with here.database.read() as session:
        return list(session.scalars(select(Patient).order_by(Patient.id)))


def images(here) -> list[Image]:
    with here.database.read() as session:
        return list(session.scalars(select(Image).order_by(Image.id)))


def ages(here) -> list[float | None]:
    """Ages as the model would get them, a study each."""
    with here.database.read() as session:
        studies = session.scalars(select(Study.id).order_by(Study.id)).all()
    return [history_of(here, study)[-1].age_years for study in studies]


@pytest.mark.parametrize(
    ("tags", "reason", "words"),
    [
        ({"PatientID": "X" * 64 + "1"}, "no_identity", "PatientID (0010,0020) has 65 characters"),
        ({"PatientID": "12345\\678"}, "no_identity", "“12345”, “678”"),
        ({"PatientID": "A\u200bB"}, "no_identity", "cannot be seen"),
        ({"IssuerOfPatientID": "H" * 65}, "no_identity", "IssuerOfPatientID (0010,0021)"),
        ({"IssuerOfPatientID": "A\\B"}, "no_identity", "IssuerOfPatientID (0010,0021) holds 2 values"),
        ({"StudyInstanceUID": "1." + "2" * 63}, "bad_identifier", "StudyInstanceUID (0020,000D) has 65"),
        ({"StudyInstanceUID": ["1.2.3", "1.2.4"]}, "bad_identifier", "StudyInstanceUID (0020,000D) holds 2"),
        ({"SOPInstanceUID": "1." + "2" * 63}, "bad_identifier", "SOPInstanceUID (0008,0018) has 65"),
        ({"StudyDate": ["20240315", "20230315"]}, "no_study_date", None),
        ({"ImageLaterality": ["L", "R"]}, "unknown_laterality", None),
        ({"ViewPosition": ["CC", "MLO"]}, "unknown_view", None),
    ],
)
def test_what_is_too_long_or_several_is_refused_with_its_words_and_never_cut(here, tags, reason, words):
    tags = {"SpecificCharacterSet": "ISO_IR 192", **tags}
    (item,) = take(here, another(**tags))
    assert (item.outcome, item.reason) == ("quarantined", reason)
    assert words is None or words in (item.detail or "")
    assert patients(here) == []


def test_an_id_that_is_not_in_the_character_set_of_its_file_is_refused(here):
    named = another(SpecificCharacterSet="ISO_IR 192", PatientID="ÄÖ12")
    (item,) = take(here, named.replace("ÄÖ".encode(), b"\xff\xfe\xff\xfe"))
    assert (item.outcome, item.reason) == ("quarantined", "no_identity")
    assert "character set" in item.detail


def test_two_ids_that_are_alike_in_64_characters_never_become_one_woman(here):
    items = take(here, another(1, PatientID="7" * 64 + "1"), another(2, PatientID="7" * 64 + "2"))
    assert [item.outcome for item in items] == ["quarantined"] * 2
    full = take(here, another(3, PatientID="7" * 64), another(4, PatientID="7" * 63 + "8"))
    assert [item.outcome for item in full] == ["accepted"] * 2
    assert len(patients(here)) == 2


def test_a_person_can_say_whose_a_file_with_an_unusable_id_is_and_its_own_words_are_kept(here):
    known = Statement(mrn="MRN-1", study_date=DAY, birth_date=date(1960, 1, 1))
    (item,) = take(here, another(PatientID="12345\\678", PatientAge="058Y"), statement=known)
    assert item.outcome == "accepted"
    (image,) = images(here)
    assert "“12345”, “678”" in image.file_says["patient_id"]
    assert "age_years" not in image.file_says
    (woman,) = patients(here)
    assert (woman.birth_date, woman.name, woman.sex) == (date(1960, 1, 1), None, None)


@pytest.mark.parametrize(
    ("tags", "age"),
    [
        ({"PatientBirthDate": None}, 58.0),
        ({"PatientID": None, "PatientBirthDate": None}, 58.0),
        ({"PatientID": "OTHER"}, None),
        ({"PatientID": "12345\\678"}, None),
        ({"PatientBirthDate": None, "StudyDate": "20160101"}, None),
    ],
)
def test_only_a_file_of_the_same_woman_and_day_gives_her_age(here, tags, age):
    (item,) = take(here, another(PatientAge="058Y", **tags), statement=SHE)
    assert item.outcome == "accepted"
    assert ages(here) == [age]


def test_a_file_with_another_name_says_nothing_of_her(here):
    said = Statement(mrn="MRN-1", study_date=DAY, name="Roe, Ann")
    take(here, another(PatientAge="058Y", IssuerOfPatientID="A"), statement=said)
    assert ages(here) == [None]
    (woman,) = patients(here)
    assert (woman.name, woman.birth_date, woman.sex, woman.mrn_issuer) == ("Roe, Ann", None, None, None)


def test_an_age_of_a_file_that_is_of_another_by_what_is_stored_is_not_hers(here):
    take(here, another(1, PatientBirthDate=None, IssuerOfPatientID="A", StudyDate="20200101"))
    second = another(2, PatientBirthDate=None, IssuerOfPatientID="B", PatientAge="058Y")
    assert [item.outcome for item in take(here, second, statement=SHE)] == ["accepted"]
    assert ages(here) == [None, None]


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"IssuerOfPatientID": "Clinic B"}, ("Clinic A", "Clinic B")),
        ({"PatientName": "Roe^Ann"}, ("Doe, Jane", "Roe, Ann")),
        ({"PatientName": "Smith^Jane"}, ("Doe, Jane", "Smith, Jane")),
        ({"PatientSex": "O"}, ("Sex O", "F as stored")),
    ],
)
def test_the_same_number_with_other_words_on_the_person_is_refused_naming_both(here, tags, words):
    take(here, another(1, IssuerOfPatientID="Clinic A"))
    data = another(2, **tags)
    (item,) = take(here, data)
    assert (item.outcome, item.reason) == ("quarantined", "identity_conflict")
    assert all(word in item.detail for word in words)

    (stated,) = take(here, data, statement=SHE)
    assert stated.outcome == "accepted", "a person says whose it is"
    (fact,) = {"IssuerOfPatientID", "PatientName", "PatientSex"} & set(tags)
    kept = {"IssuerOfPatientID": "patient_id_issuer", "PatientName": "patient_name", "PatientSex": "sex"}[
        fact
    ]
    assert kept in images(here)[-1].file_says
    (woman,) = patients(here)
    assert (woman.mrn_issuer, woman.name, woman.sex) == ("Clinic A", "Doe, Jane", Sex.FEMALE)


def test_the_same_woman_written_another_way_is_the_same(here):
    take(here, another(1, IssuerOfPatientID="Clinic A"))
    ways = [
        {"PatientName": "DOE^JANE"},
        {"PatientName": "Doe-Smith^Jane^Mary^Dr."},
        {"PatientName": "Jane^Doe"},
        {"PatientName": "Döe^Jané", "SpecificCharacterSet": "ISO_IR 100"},
        {"PatientName": None},
        {"PatientName": ""},
        {"PatientSex": ""},
        {"PatientSex": "U"},
    ]
    items = take(here, *(another(number, **tags) for number, tags in enumerate(ways, start=2)))
    assert [item.outcome for item in items] == ["accepted"] * len(ways)
    assert len(patients(here)) == 1


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("Doe, Jane", "Jane Doe", True),
        ("MÜLLER-LÜDENSCHEIDT, ZOË", "Muller, Zoe", True),
        ("Strauß, Eva", "STRAUSS^EVA", True),
        ("Doe", "Doe, Jane", True),
        ("Doe, J", "Doe, Jane", False),
        ("Doe, Jane", "Doe, Janet", False),
        ("Doe, Jane Ann", "Doe, Jane Mary", False),
        ("山田, 太郎", "Yamada, Tarou", False),
        ("かとう", "がとう", False),
        ("...", "Doe, Jane", False),
    ],
)
def test_names_agree_by_whole_parts_only(one, other, agree):
    assert names_agree(one, other) is agree
    assert names_agree(other, one) is agree


def test_unknown_sex_stays_unknown_until_a_file_of_hers_says_it(here):
    take(here, another(1, PatientSex=""), another(2, PatientSex="FEMALE"))
    assert [woman.sex for woman in patients(here)] == [None]
    take(here, another(3, PatientSex="F"))
    assert [woman.sex for woman in patients(here)] == [Sex.FEMALE]


@pytest.mark.parametrize(
    ("charset", "name", "shown", "others"),
    [
        ("ISO_IR 192", "=山田^花子=やまだ^はなこ", "山田, 花子", "やまだ, はなこ"),
        ("ISO_IR 192", "==やまだ^はなこ", "やまだ, はなこ", None),
        (["", "ISO 2022 IR 87"], "Yamada^Hanako=山田^花子=やまだ^はなこ", "Yamada, Hanako", "山田, 花子\nやまだ, はなこ"),
        ("ISO_IR 144", "Люкceмбург^Ева", "Люкceмбург, Ева", None),
        ("ISO_IR 126", "Διονυσία^Έλλη", "Διονυσία, Έλλη", None),
        ("GB18030", "Wang^XiaoHong=王^小红", "Wang, XiaoHong", "王, 小红"),
    ],
)  # fmt: skip
def test_names_are_read_in_every_script_and_found_by_each(here, charset, name, shown, others):
    take(here, another(SpecificCharacterSet=charset, PatientName=name))
    (woman,) = patients(here)
    assert (woman.name, woman.other_names) == (shown, others)
    for known in (shown, *(others or "").splitlines()):
        assert [found.mrn for found in find(here, known)] == ["MRN-1"]


def test_what_is_shown_only_may_be_shortened(here):
    long = "Ä" * 300
    data = another(SpecificCharacterSet="ISO_IR 192", PatientName=long, StudyDescription=long)
    (item,) = take(here, data)
    assert item.outcome == "accepted"
    assert patients(here)[0].name == long[:256]


def test_an_age_that_cannot_be_hers_is_refused_naming_both(here):
    take(here, another(1, PatientBirthDate="19650420"))
    near = another(2, PatientBirthDate=None, PatientAge="057Y")
    assert [item.outcome for item in take(here, near)] == ["accepted"]
    far = another(3, PatientBirthDate=None, PatientAge="030Y")
    (item,) = take(here, far)
    assert (item.outcome, item.reason) == ("quarantined", "identity_conflict")
    assert "30 years" in item.detail
    assert "59 years (born 1965-04-20)" in item.detail
    (stated,) = take(here, far, statement=SHE)
    assert stated.outcome == "accepted", "a person says whose it is"
    assert "age_years" not in images(here)[-1].file_says
