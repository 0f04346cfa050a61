"""A report of one study: whole in every case, in the order of BI-RADS, its words escaped, its making in the audit trail."""

import json
import re
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from core.__main__ import app
from core.people import Person, Role, audit
from core.people.roles import AccessDenied
from core.records import findings, key_of
from core.reports import Format, ReportError, make, report_of
from db.tables import EventKind, Image, Patient, Study, User
from tests import factories
from tests.core.reports.pdf_text import pages_of
from tests.factories import VisitPlan

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
DAYS = (date(2020, 3, 1), date(2022, 4, 2), date(2024, 5, 3))
READABLE = (Format.PDF, Format.HTML)
BI_RADS_ORDER = ("Indication", "Breast composition", "Findings", "Comparison", "Assessment", "Management")


def plans(days=DAYS, **more):
    return [VisitPlan(on, 0.011 * (n + 1), smallest_change=0.35, **more) for n, on in enumerate(days)]


def text_of(made):
    if made.format is Format.PDF:
        return "\n".join(pages_of(made.data))
    return re.sub(r"<style>.*?</style>|<[^>]+>", "", made.data.decode(), flags=re.DOTALL)


def made_of(here, mrn, format, study=None, person=None):
    return make(here, person, mrn, study, format, now=NOW, address="https://clinic.example")


def person_of(here, role):
    with here.database.write() as session:
        user = User(username=role.value, display_name=f"Dr {role.value}", password_hash="-", role=role)
        session.add(user)
        session.flush()
        return Person(user.id, user.username, user.display_name, role)


@pytest.mark.parametrize("format", READABLE)
def test_it_tells_what_a_board_asks_for_in_the_order_of_bi_rads(here, format):
    visits = plans(bi_rads="2")
    visits[-1].bi_rads = "4A"
    visits[-1].alerts = [("risk_high", "5-year risk above 3.0 %: 3.3 %")]
    events = [(EventKind.BIOPSY, date(2024, 5, 20), None, "core needle, left")]
    factories.woman(here, "00017", visits, name="Sim-0017", events=events)
    text = text_of(made_of(here, "00017", format))
    places = [re.search(rf"(?m)^\s*{part}\s*$", text) or text.index(part) for part in BI_RADS_ORDER]
    starts = [place if isinstance(place, int) else place.start() for place in places]
    assert starts == sorted(starts)
    for part in (
        "Sim-0017", "00017", "2024-05-03", "BI-RADS 4A · low suspicion", "2022-04-02", "3.3", "core needle, left",
        "5-year risk above 3.0 %", "Research software. Not for diagnosis.", "Weights: longitudinal-sim", "no real woman",
        f"https://clinic.example/patient?patient={key_of(here, '00017')}", "2.25.1.3", "cancer within 5 years",
    ):  # fmt: skip
        assert part in text.replace("&amp;", "&"), part


@pytest.mark.parametrize("format", READABLE)
def test_an_earlier_study_is_told_as_of_its_day(here, format):
    factories.woman(here, "1", plans())
    text = text_of(made_of(here, "1", format, study="2.25.1.2"))
    assert "2024-05-03" not in text
    assert "3.3" not in text.replace("3.3.0", "")
    assert "1 later study is not in this report" in text


def test_the_prior_is_the_last_mammogram_of_an_earlier_day(here):
    factories.woman(here, "1", plans((DAYS[0], DAYS[1], DAYS[2], DAYS[2])))
    report = report_of(here, "1", None, NOW)
    assert report.prior is not None
    assert report.prior.on == DAYS[1]
    assert report_of(here, "1", "2.25.1.1", NOW).prior is None


def test_the_course_has_every_visit_one_a_day_whether_it_was_scored_or_not(here):
    visits = plans((*DAYS, DAYS[-1]))
    visits[0].status = factories.StudyStatus.REFUSED
    visits[-1].status = factories.StudyStatus.PENDING
    visits[-1].bi_rads = "3"
    factories.woman(here, "1", visits)
    course = report_of(here, "1", None, NOW).course
    assert [point.on for point in course] == list(DAYS)
    assert [point.risk_5y is None for point in course] == [True, False, False]
    assert (course[0].instead, course[2].bi_rads) == ("not scored", "3")


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize(
    "visits",
    [
        [VisitPlan(DAYS[0], 0.012)],
        [VisitPlan(DAYS[0], None, views=factories.FOUR_VIEWS[:1])],
        [VisitPlan(DAYS[0], None, status=factories.StudyStatus.PENDING)],
        [VisitPlan(DAYS[0], status=factories.StudyStatus.REFUSED)],
        [VisitPlan(date(2005 + n, 3, 1), 0.01 + n / 1000, views=factories.FOUR_VIEWS) for n in range(20)],
    ],
    ids=["one study", "one view, no score", "pending", "refused", "twenty studies"],
)
def test_every_woman_gets_a_whole_report(here, format, visits):
    factories.woman(here, "1", visits, birth_date=None)
    made = made_of(here, "1", format)
    assert len(made.data) > 1000
    if format in READABLE:
        text = text_of(made)
        assert "Not assessed" in text
        assert str(visits[0].on) in text


LATIN_GREEK_CYRILLIC = "Ægir Šárka Ελένη Мария <b>x</b>&\"'"
OTHERS = "王小明 a\x00b\x1b[0m מרים مريم"


@pytest.mark.parametrize("format", list(Format))
def test_names_in_any_script_and_markup_are_told_and_never_run(here, format):
    for mrn, name in (("M/1 é", LATIN_GREEK_CYRILLIC), ("=2", OTHERS)):
        factories.woman(here, mrn, [VisitPlan(DAYS[0], views=factories.FOUR_VIEWS[:1])], name=name)
        made = made_of(here, mrn, format)
        assert re.fullmatch(r"report-[A-Za-z0-9_-]+-2020-03-01\.\w+", made.filename)
        if format is Format.HTML:
            assert "<b>x" not in made.data.decode()
        if format is Format.PDF:
            text = text_of(made)
            assert "?" not in text.replace("/patient?", "")
            assert ("letters that this file's typeface lacks" in " ".join(text.split())) is (name == OTHERS)
            assert (name in text) is (name == LATIN_GREEK_CYRILLIC)


@pytest.mark.parametrize("format", READABLE)
def test_long_words_and_long_notes_are_told_to_their_end(here, format):
    note = "<script>alert(1)</script> " + "word " * 1900 + "W" * 400 + " the end"
    events = [(EventKind.NOTE, DAYS[0], None, note)]
    factories.woman(here, "1", plans(), name="N" * 200, events=events)
    with here.database.write() as session:
        session.execute(update(Study).values(description="I" * 250))
    made = made_of(here, "1", format)
    text = text_of(made)
    assert text.count("word") == 1900
    assert "the end" in text
    assert b"<script" not in made.data
    if format is Format.PDF:
        pages = pages_of(made.data)
        assert len(pages) >= 4
        for number, page in enumerate(pages, 1):
            assert "MRN 1" in page
            assert "Not for diagnosis" in page
            assert f"page {number} of {len(pages)}" in " ".join(page.split())


@pytest.mark.parametrize("format", list(Format))
def test_a_lost_picture_is_said(here, format):
    factories.woman(here, "1", plans())
    with here.database.write() as session:
        lost = {"sha256": "ff" * 32, "rendition_sha256": "ee" * 32}
        first = session.scalar(select(Image).where(Image.study_id == 3, Image.view == "CC"))
        session.execute(update(Image).where(Image.id == first.id).values(**lost))
    made = made_of(here, "1", format)
    if format in READABLE:
        assert "is not in the image store" in text_of(made).replace("\n", " ")


def test_lesions_stand_in_a_table_with_who_measured_them(here):
    factories.woman(here, "1", plans())
    reader = person_of(here, Role.ONCOLOGIST)
    with here.database.read() as session:
        sop_uid = session.scalar(select(Image.sop_uid).where(Image.study_id == 3))
    findings.keep(
        here, reader, sop_uid, (10, 20, 60, 50), reading={"tumour": {"malignant": 0.0737}, "model": "x"}
    )
    for format in READABLE:
        text = text_of(made_of(here, "1", format))
        assert "Finding 1" in text
        assert "14 mm" in " ".join(text.split())
        assert "Dr oncologist" in text
        assert "7.4" not in text, "what a model read in a box is no part of a report"


def test_it_is_audited_with_its_sha256_and_analysts_get_none(here):
    factories.woman(here, "1", plans((DAYS[0],)))
    reader = person_of(here, Role.STAFF)
    made = made_of(here, "1", Format.FHIR, person=reader)
    (entry,) = audit.latest(here, action="report_made")
    assert (entry.person, entry.subject) == ("staff", "patient:1")
    for part in (made.sha256, "fhir", "2.25.1.1"):
        assert part in entry.detail
    with pytest.raises(AccessDenied):
        made_of(here, "1", Format.FHIR, person=person_of(here, Role.ANALYST))
    assert len(audit.latest(here, action="report_made")) == 1


def test_what_there_is_no_report_of_is_said(here):
    factories.woman(here, "1", plans((DAYS[0],)))
    factories.woman(here, "2", plans((DAYS[0],)))
    with here.database.write() as session:
        session.add(Patient(mrn="3"))
    for mrn, study in (("nobody", None), ("1", "2.25.2.1"), ("1", "9.9"), ("3", None)):
        with pytest.raises(ReportError):
            made_of(here, mrn, Format.HTML, study=study)
    assert audit.latest(here, action="report_made") == []


def test_the_command_writes_a_file_that_is_not_there_yet(here, tmp_path, monkeypatch):
    factories.woman(here, "1", plans((DAYS[0],)))
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))

    def run(*words, code):
        done = CliRunner().invoke(app, ["report", *map(str, words)])
        assert done.exit_code == code, done.output + repr(done.exception)
        return done

    out = tmp_path / "new" / "r.html"
    done = run("--patient", "1", "--format", "html", "--out", out, "--json", code=0)
    told = json.loads(done.stdout)
    assert (told["patient"], told["simulated"], told["bytes"]) == ("1", True, out.stat().st_size)
    assert out.stat().st_mode & 0o077 == 0
    before = out.read_bytes()
    run("--patient", "1", "--format", "html", "--out", out, code=2)
    assert out.read_bytes() == before
    run("--patient", "no", "--format", "pdf", "--out", tmp_path / "x.pdf", code=2)
    run(
        "--patient", "1", "--format", "pdf", "--out", tmp_path / "x.pdf", "--heat-map", tmp_path / "h", code=2
    )
    run("--patient", "1", "--format", "docx", "--out", tmp_path / "x.docx", code=2)
    assert not (tmp_path / "x.pdf").exists()
