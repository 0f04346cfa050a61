"""Files that are de-identified on the way in: nothing that names her is stored, and her course stays one."""

import io
from dataclasses import replace
from datetime import date

import pydicom
import pytest
from PIL import Image as Picture
from sqlalchemy import inspect, select, text

from core.incoming import IncomingFile, Statement, take_in
from db.tables import Image, ImportItem, Patient, Study
from tests.pictures import breast, dicom

FILM = breast("L", rows=480, columns=360)
WORDS = ("Doe", "Jane", "MRN-1", "19650420", "1965-04-20", "20240315", "2024-03-15", "Quirk")
"""Whole dates: four digits of a year also stand in identifiers that are drawn by chance."""


@pytest.fixture
def closed(here):
    return replace(here, settings=here.settings.model_copy(update={"deidentify_incoming": True}))


def take(here, *files: IncomingFile, statement: Statement | None = None):
    return take_in(here, files, statement=statement, source="cli")


def stored_words(here) -> str:
    """Return all that the database and both stores hold, as text."""
    with here.database.read() as session:
        tables = inspect(session.connection()).get_table_names()
        rows = [str(row) for table in tables for row in session.execute(text(f'SELECT * FROM "{table}"'))]
    held = [
        path.read_bytes().decode("latin-1")
        for folder in ("images", "quarantine")
        for path in (here.home / folder).rglob("*")
        if path.is_file()
    ]
    held += [
        store.get(key).decode("latin-1")
        for store in (here.images, here.quarantine)
        for key in sorted(store.keys())
    ]
    return "\n".join(rows + held)


def test_nothing_that_names_her_is_stored_and_intervals_stay(closed) -> None:
    files = [
        IncomingFile("Doe Jane/first.dcm", dicom(FILM, StudyDate="20240315", StudyDescription="of Jane Doe")),
        IncomingFile("Doe Jane/second.dcm", dicom(breast("L", seed=2), StudyDate="20250415")),
        IncomingFile("Doe Jane/broken.dcm", dicom(FILM)[:9000]),
        IncomingFile("Jane Doe.pdf", b"%PDF for Jane Doe"),
    ]
    report = take(closed, *files)
    assert [item.outcome for item in report.items] == ["accepted", "accepted", "quarantined", "quarantined"]
    assert [item.path for item in report.items] == [file.name for file in files]
    assert "Nothing of it is kept" in report.items[2].text
    said = stored_words(closed)
    for word in WORDS:
        assert word not in said, word
    with closed.database.read() as session:
        (woman,) = session.scalars(select(Patient)).all()
        days = session.scalars(select(Study.study_date).order_by(Study.study_date)).all()
        assert woman.mrn == report.items[0].patient
        assert woman.birth_date is None
        assert days[1] - days[0] == date(2025, 4, 15) - date(2024, 3, 15)
        assert session.scalars(select(Image.file_says)).first()["age_years"] == 58
        assert all(item.sha256 is None for item in session.scalars(select(ImportItem)) if item.reason)


def test_a_file_that_comes_again_is_known_again(closed) -> None:
    file = dicom(FILM)
    assert take(closed, IncomingFile("a.dcm", file)).count("accepted") == 1
    assert take(closed, IncomingFile("b.dcm", file)).count("duplicate") == 1


def test_a_person_may_say_her_number_or_her_pseudonym_and_true_days(closed) -> None:
    out = io.BytesIO()
    Picture.fromarray((FILM / 16).astype("uint8")).save(out, "PNG")
    first = Statement("MRN-1", date(2024, 3, 15), name="Jane Doe", birth_date=date(1965, 4, 20))
    report = take(
        closed,
        IncomingFile("Doe/l_cc.png", out.getvalue()),
        statement=replace(first, views={"l_cc.png": ("L", "CC")}),
    )
    assert report.count("accepted") == 1
    hers = report.items[0].patient
    second = Statement(hers, date(2025, 3, 15))
    other = dicom(breast("L", seed=5), StudyDate="20250315")
    report = take(closed, IncomingFile("x.dcm", other), statement=second)
    assert report.count("accepted") == 1, report.items
    assert report.items[0].detail is None
    with closed.database.read() as session:
        (woman,) = session.scalars(select(Patient)).all()
        days = session.scalars(select(Study.study_date).order_by(Study.study_date)).all()
    assert (days[1] - days[0]).days == 365
    assert (days[0] - woman.birth_date) == date(2024, 3, 15) - date(1965, 4, 20)
    said = stored_words(closed)
    for word in WORDS:
        assert word not in said.replace(str(woman.birth_date), ""), word


def test_two_women_under_one_number_are_still_told_apart(closed) -> None:
    assert take(closed, IncomingFile("a", dicom(FILM))).count("accepted") == 1
    for tags in ({"PatientName": "Quirk^Ann"}, {"PatientBirthDate": "19500101"}, {"PatientSex": "M"}):
        report = take(closed, IncomingFile("b", dicom(breast("L", seed=7), **tags)))
        assert [item.reason for item in report.items] == ["identity_conflict"], tags
        assert "Quirk" not in report.items[0].text
    same = dicom(breast("L", seed=8), PatientName="DOE^JANE^MARIA", PatientBirthDate="19650420")
    assert take(closed, IncomingFile("c", same)).count("accepted") == 1


def test_what_is_stored_is_a_file_that_says_how_it_was_de_identified(closed) -> None:
    take(closed, IncomingFile("a.dcm", dicom(FILM)))
    with closed.database.read() as session:
        image = session.scalars(select(Image)).one()
    kept = pydicom.dcmread(io.BytesIO(closed.images.get(image.sha256)))
    assert kept.PatientIdentityRemoved == "YES"
    assert (kept.ImageLaterality, kept.ViewPosition) == ("L", "CC")


def test_files_come_as_they_are_where_nothing_is_configured(here) -> None:
    report = take(here, IncomingFile("Doe.dcm", dicom(FILM)))
    assert report.items[0].patient == "MRN-1"
