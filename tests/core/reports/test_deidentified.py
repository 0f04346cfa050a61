"""Reports that do not tell whose they are: every format, as the woman's record holds names in every place there is."""

import io
import json
import re
from datetime import date

import pydicom
import pytest
from sqlalchemy import select

from core.deidentification import Identity, key_of
from core.people import audit
from core.reports import Format, ReportError, make, write
from db.tables import EventKind, Image, Patient, Study
from tests import factories
from tests.core.reports.pdf_text import pages_of
from tests.factories import VisitPlan
from tests.words import has_word

NAMES = (
    "Doe",
    "Jane",
    "Quirk",
    "1961-02-03",
    "19610203",
    "2020-03-01",
    "20200301",
    "2022-04-02",
    "20220402",
)
FIRST, LAST = date(2020, 3, 1), date(2022, 4, 2)


@pytest.fixture
def her(here):
    visits = [VisitPlan(on=FIRST, risk_5y=0.011), VisitPlan(on=LAST, risk_5y=0.031, bi_rads="2")]
    events = [(EventKind.BIOPSY, date(2020, 5, 1), None, "Dr. Quirk")]
    factories.woman(here, "A-2", visits, name="Doe, Jane", events=events, simulated=False)
    with here.database.write() as session:
        woman = session.scalar(select(Patient).where(Patient.mrn == "A-2"))
        woman.birth_date = date(1961, 2, 3)
        for study in session.scalars(select(Study)):
            study.description, study.assessment_note = "asked by Dr. Quirk", "tell Jane Doe"
    return Identity.of(key_of(here), "A-2")


def said(format: Format, data: bytes) -> str:
    """Return all words of a report: those of its pages, its title and its links; not the letters that pictures are packed in."""
    if format is Format.PDF:
        info = re.findall(rb"(?s)/(?:Title|Author|Subject|URI) ?\((.*?)\)", data)
        return "\n".join([*pages_of(data), *(one.replace(b"\0", b"").decode("latin-1") for one in info)])
    if format is Format.SR:
        return str(pydicom.dcmread(io.BytesIO(data)))
    return re.sub(r"data:[\w/+-]+;base64,[\w+/=]+", "", data.decode())


@pytest.mark.parametrize("format", list(Format))
def test_no_format_tells_whose_it_is_and_all_keep_what_was_measured(here, her, format) -> None:
    plain = said(format, make(here, None, "A-2", None, format).data)
    made = make(here, None, "A-2", None, format, deidentified=True)
    words = said(format, made.data)
    assert "A-2" in plain
    for text in (words, made.filename):
        assert not has_word(text, "A-2")
        for name in NAMES:
            assert name not in text, name
    assert her.pseudonym in words
    moved = her.day(LAST)
    assert moved.isoformat() in words or moved.strftime("%Y%m%d") in words
    with here.database.read() as session:
        for uid in [*session.scalars(select(Study.uid)), *session.scalars(select(Image.sop_uid))]:
            assert uid not in words


def test_the_report_keeps_ages_intervals_and_probabilities(here, her) -> None:
    plain = make(here, None, "A-2", None, Format.HTML).report
    report = make(here, None, "A-2", None, Format.HTML, deidentified=True).report
    assert report.age == plain.age
    assert report.said.probabilities == plain.said.probabilities
    assert [one.on - report.on for one in report.course] == [one.on - plain.on for one in plain.course]
    assert str(her.day(FIRST)) in " ".join(report.course_words) or not plain.course_words
    assert [one.what.split(" of ")[0] for one in report.log] == [
        one.what.split(" of ")[0] for one in plain.log
    ]
    assert {one.by for one in report.log if not one.by.startswith("model")} <= {"a reader"}


def test_the_trail_keeps_whose_report_left_and_how(here, her) -> None:
    make(here, None, "A-2", None, Format.FHIR, deidentified=True)
    entry = audit.latest(here, action="report_made")[0]
    assert entry.subject == "patient:A-2"
    assert "deidentified" in entry.detail


def test_the_bundle_links_what_it_holds(here, her) -> None:
    bundle = json.loads(make(here, None, "A-2", None, Format.FHIR, deidentified=True).data)
    patient = next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient")
    assert patient["identifier"][0]["value"] == her.pseudonym
    assert "name" not in patient
    assert "birthDate" not in patient


def test_heat_maps_go_with_a_report_that_tells_whose_it_is_only(here, her, tmp_path) -> None:
    with pytest.raises(ReportError, match="Heat maps"):
        write(
            here, "A-2", None, Format.SR, tmp_path / "a.dcm", heat_maps=tmp_path / "maps", deidentified=True
        )
    assert not (tmp_path / "a.dcm").exists()
