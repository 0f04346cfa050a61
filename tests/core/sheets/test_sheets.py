"""Records from tables: columns matched, dates never guessed, bad lines told, all or nothing, and taken out again."""

from __future__ import annotations

import json
import tracemalloc
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from core.__main__ import app
from core.installation import Installation
from core.people import Person, Role, create_user
from core.people.roles import AccessDenied
from core.records import record_assessment, record_of, worklist
from core.sheets import (
    DateOrder,
    Imported,
    Mapping,
    SheetRefused,
    check,
    errors_csv,
    import_records,
    kinds,
    matched,
    open_sheet,
    set_aside,
    what_may_be_said,
)
from core.sheets.cells import said
from core.sheets.fields import FieldType
from core.trail import Wanted, find
from db.tables import AssessmentVersion, AuditEntry, Event, Patient, RiskFactors, Study
from tests import factories
from tests.factories import VisitPlan


def sheet_of(folder: Path, text: str | bytes):
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_sheet(path)


def taken(here: Installation, folder: Path, kind: str, text: str | bytes, **more) -> Imported:
    sheet = sheet_of(folder, text)
    dates = more.pop("dates", None)
    mapping = Mapping(kinds()[kind], matched(sheet.columns, kinds()[kind]), dates)
    return import_records(here, more.pop("person", None), sheet, mapping, **more)


def count(here: Installation, table) -> int:
    with here.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def told_of(here: Installation, mrn: str) -> list[str]:
    """Return what the trail says was done about a woman, the last first."""
    return [entry.action for entry in find(here, None, Wanted(patient=mrn), noted=False).entries]


@pytest.mark.parametrize(
    "text",
    [
        "Patient ID,Date of birth,Name,Gender\nA-1,1960-05-20,Müller,F\nA-2,,Ann,\n",
        "Patient ID;Date of birth;Name;Gender\r\nA-1;20.05.1960;Müller;f\r\nA-2;;Ann;\r\n",
        "\ufeffMRN\tDOB\tName\tSex\nA-1\t20 May 1960\tMüller\tfemale\n\nA-2\t\tAnn\tunknown\n",
        "Patient ID;Date of birth;Name\nA-1;1960-05-20;Müller\nA-2;;Ann\n".encode("cp1252"),
        "Patient ID;Date of birth;Name\nA-1;1960-05-20;Müller\nA-2;;Ann\n".encode("utf-16"),
    ],
)
def test_a_table_of_patients_is_read_as_it_comes(here: Installation, tmp_path: Path, text) -> None:
    done = taken(here, tmp_path, "patients", text)
    assert done.checked.bad == []
    with here.database.read() as session:
        patients = session.scalars(select(Patient).order_by(Patient.mrn)).all()
        trail = session.scalars(select(AuditEntry.action)).all()
    assert [(one.mrn, one.name, one.birth_date) for one in patients] == [
        ("A-1", "Müller", date(1960, 5, 20)),
        ("A-2", "Ann", None),
    ]
    assert trail == ["records_imported"]
    assert told_of(here, "A-1") == told_of(here, "A-2") == ["records_imported"]
    again = taken(here, tmp_path, "patients", text)
    assert (again.number, dict(again.checked.fates)) == (None, {"there already": 2})


def test_day_and_month_are_asked_where_both_are_possible(here: Installation, tmp_path: Path) -> None:
    open_to_both = "MRN,DOB\nA-1,03/04/1960\nA-2,05/05/1961\n"
    with pytest.raises(ValueError, match="which comes first"):
        taken(here, tmp_path, "patients", open_to_both)
    taken(here, tmp_path, "patients", open_to_both, dates=DateOrder.DAY_FIRST)
    taken(here, tmp_path, "patients", "MRN,DOB\nB-1,03/04/1960\nB-2,04/25/1961\n")
    with here.database.read() as session:
        born = dict(session.execute(select(Patient.mrn, Patient.birth_date)).all())
    assert (born["A-1"], born["B-1"]) == (date(1960, 4, 3), date(1960, 3, 4))
    with pytest.raises(ValueError, match="which comes first"):
        taken(here, tmp_path, "patients", "MRN,DOB\nC-1,13/04/1960\nC-2,04/25/1961\n")
    two_digits = taken(here, tmp_path, "patients", "MRN,DOB\nD-1,13/04/60\n")
    assert "is no date" in two_digits.checked.bad[0].reason


def test_bad_lines_are_told_by_line_and_keep_the_table_out_unless_the_good_ones_are_wanted(
    here: Installation, tmp_path: Path
) -> None:
    text = (
        "mrn,birth_date,sex,name\nA-1,1960-01-01,F,Ann\n,1960-01-01,F,x\nA-3,2999-01-01,F,x\nA-4,1960-02-30,F,x\n"
        'A-5,1960-01-01,cat,x\nA-1,1961-01-01,F,Ann\n1.23E+12,,,\nA-8,1,2,3,4,5\n"A-9\nB",,,\nA-10,,,=HYPERLINK("x")\n'
    )
    done = taken(here, tmp_path, "patients", text)
    assert done.number is None
    assert count(here, Patient) == 0
    assert [one.line for one in done.checked.bad] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert "Born 1961-01-01 in the table, 1960-01-01 as stored." in done.checked.bad[4].reason
    assert b"\n7,," in errors_csv(done.checked)
    done = taken(here, tmp_path, "patients", text, only_good=True)
    assert done.number == 1
    assert count(here, Patient) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n",
        b"PK\x03\x04xxxx",
        b"\xd0\xcf\x11\xe0",
        b"\x00\x01\x02",
        b"\x81\x8d\xff,\x00",
        b"sep=;\nmrn",
        b"mrn,name\n" + b"x" * 3_000_000,
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SheetRefused):
        sheet_of(tmp_path, data)


def test_events_and_risk_factors_are_kept_once_and_taken_out_again(
    here: Installation, tmp_path: Path
) -> None:
    taken(here, tmp_path, "patients", "mrn,dob\nA-1,1960-01-01\n")
    events = (
        "MRN,event,date,side,result,note\nA-1,biopsy,2020-03-15,left,B5,core\nA-1,Biopsy,2020-03-15,L,,\n"
        "A-1,note,2020-03-16,,,seen\n"
    )
    done = taken(here, tmp_path, "events", events)
    assert dict(done.kept) == {"new": 2, "there already": 1}
    bad = taken(
        here,
        tmp_path,
        "events",
        "MRN,event,date,end,result\nA-1,surgery,2020-01-01,2020-02-01,\nA-1,biopsy,1950-01-01,,\nX,surgery,2020-01-01,,\n"
        "A-1,party,2020-01-01,,\n",
    )
    assert [one.reason.split(".")[0] for one in bad.checked.bad] == [
        "Only a therapy has an end",
        "1950-01-01 lies before her birth, 1960-01-01",
        "There is no patient with the MRN X",
        "“party” is no event",
    ]
    factors = 'MRN,date,BMI,famhx,HRT\nA-1,2020-01-01,"24,5",1,no\n'
    risk = taken(here, tmp_path, "risk-factors", factors)
    with here.database.read() as session:
        row = session.scalars(select(RiskFactors)).one()
        assert (row.bmi, row.hormone_therapy, row.prior_biopsy) == (24.5, False, None)
    assert risk.number is not None
    assert done.number is not None
    assert set_aside(here, None, done.number).removed == {"event": 2}
    assert count(here, Event) == 0
    with pytest.raises(ValueError, match="no table"):
        set_aside(here, None, done.number)
    assert told_of(here, "A-1")[:3] == ["records_set_aside", "event_removed", "event_removed"]
    # She has risk factors now, and stays.
    assert set_aside(here, None, 1).kept == 1
    assert count(here, Patient) == 1


def test_a_reading_joins_the_study_of_its_day_and_never_replaces_a_readers(
    here: Installation, tmp_path: Path
) -> None:
    factories.woman(here, "A-1", [VisitPlan(date(2020, 3, 15), 0.01), VisitPlan(date(2022, 3, 15), 0.01)])
    text = "MRN,exam date,BI-RADS right,BI-RADS left,density,radiologist\nA-1,2020-03-15,1,4a,3,Dr Who\n"
    done = taken(here, tmp_path, "readings", text)
    assert done.checked.bad == []
    with here.database.read() as session:
        study = session.scalars(select(Study).where(Study.study_date == date(2020, 3, 15))).one()
        assert (study.bi_rads, study.reader_density) == ("4A", "C")
        assert "Dr Who" in (study.assessment_note or "")
    other = taken(here, tmp_path, "readings", text.replace("4a", "5") + "A-1,2021-01-01,1,1,A,\n")
    assert "Correct it on her page" in other.checked.bad[0].reason
    assert "no study of 2021-01-01" in other.checked.bad[1].reason
    assert done.number is not None
    assert set_aside(here, None, done.number).removed == {"assessment": 1}
    assert told_of(here, "A-1") == ["records_set_aside", "records_imported"]
    assert count(here, AssessmentVersion) == 0


WHOLE = "MRN,exam date,BI-RADS right,BI-RADS left,density,recommendation\nA-1,2022-03-15,1,2,C,routine screening\n"


@pytest.mark.parametrize(
    ("text", "uncovers"),
    [
        (WHOLE, True),
        (WHOLE.replace(",C,", ",,"), False),
        (WHOLE.replace("routine screening", ""), False),
        (WHOLE.replace(",1,2,", ",1,,"), False),
        ("MRN,date,BI-RADS\nA-1,2022-03-15,2\n", False),
        (WHOLE.replace("2022", "2020"), False),
    ],
    ids=["whole", "no density", "no management", "one breast", "one category", "of another study"],
)
def test_a_reading_elsewhere_uncovers_a_score_only_if_it_is_of_that_study_and_leaves_nothing_out(
    here: Installation, tmp_path: Path, text: str, uncovers: bool
) -> None:
    here.settings.read_first = True
    factories.woman(here, "A-1", [VisitPlan(date(2020, 3, 15), 0.01), VisitPlan(date(2022, 3, 15), 0.01)])
    assert record_of(here, "A-1").visits[-1].covered
    done = taken(here, tmp_path, "readings", text)
    last = record_of(here, "A-1").visits[-1]
    assert last.covered is not uncovers
    assert worklist.rows(here, today=date(2022, 4, 1))[0].unread is not uncovers
    assert bool(done.note) is (not uncovers and "2022" in text)
    if "2022" not in text:
        return
    assert last.assessment.bi_rads == "2" if ",1," not in text or ",2," in text else "1"
    assert last.assessment.is_read is uncovers
    ada = create_user(here, "ada", "a long password", Role.ONCOLOGIST)
    more = {"right": "1", "left": "2", "density": "B", "instead_of": last.assessment.at}
    if uncovers:
        with pytest.raises(ValueError, match="Say why"):
            record_assessment(here, ada, last.study_uid, **more)
        return
    # What a line leaves out is read here for the first time: nobody has to say why it is another than before.
    signed = record_assessment(here, ada, last.study_uid, **more)
    assert (signed.version, signed.covered, signed.first.version, signed.is_read) == (2, True, 2, True)
    assert not record_of(here, "A-1").visits[-1].covered
    assert set_aside(here, None, done.number).kept == 1


def test_a_reading_that_is_set_aside_covers_its_score_again(here: Installation, tmp_path: Path) -> None:
    here.settings.read_first = True
    factories.woman(here, "A-1", [VisitPlan(date(2022, 3, 15), 0.01)])
    done = taken(here, tmp_path, "readings", WHOLE)
    assert not record_of(here, "A-1").visits[-1].covered
    set_aside(here, None, done.number)
    assert record_of(here, "A-1").visits[-1].covered


def test_a_name_as_dicom_writes_it_is_the_name_that_a_file_would_say(
    here: Installation, tmp_path: Path
) -> None:
    taken(here, tmp_path, "patients", 'mrn,name\nA-1,Adams^Ann^M\nA-2,"Adams, Ann M"\nA-3,^^\n')
    with here.database.read() as session:
        assert session.scalars(select(Patient.name).order_by(Patient.mrn)).all() == [
            "Adams, Ann M",
            "Adams, Ann M",
            None,
        ]


def test_roles_bound_what_a_person_may_take_in(here: Installation, tmp_path: Path) -> None:
    staff = Person(1, "sam", "Sam", Role.STAFF)
    with pytest.raises(AccessDenied):
        taken(here, tmp_path, "readings", "mrn,date,birads\nA,2020-01-01,1\n", person=staff)


def test_naughty_strings_are_kept_as_they_are_or_refused_by_line(
    here: Installation, tmp_path: Path, shared_data: Path
) -> None:
    strings = json.loads((shared_data / "text" / "blns.json").read_text(encoding="utf-8"))
    lines = ["mrn,name"]
    lines += [f'N-{n},"{text.replace(chr(34), chr(34) * 2)}"' for n, text in enumerate(strings)]
    done = taken(here, tmp_path, "patients", "\n".join(lines), only_good=True)
    good_lines = done.checked.fates.total()
    assert good_lines + done.checked.bad_lines == len(strings)
    assert good_lines > 400


def test_a_large_table_is_checked_in_little_memory(here: Installation, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write("mrn,name\n")
        for number in range(20_000):
            file.write(f"{number % 50},{'x' * 400}\n")
    sheet = open_sheet(path)
    tracemalloc.start()
    checked = check(
        here, None, sheet, Mapping(kinds()["patients"], matched(sheet.columns, kinds()["patients"]))
    )
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert checked.bad_lines == 20_000
    assert most < 12_000_000


def test_the_command_says_what_it_would_do_then_does_it(
    here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    path = tmp_path / "women.csv"
    path.write_text("Number,Born\nA-1,03/04/1960\n", encoding="utf-8")
    run = CliRunner().invoke
    told = ["import-records", str(path), "--kind", "patients"]
    assert run(app, told).exit_code == 2
    told += ["--map", "Number=mrn", "--json"]
    assert run(app, told).exit_code == 2
    told += ["--dates", "dmy"]
    dry = json.loads(run(app, [*told, "--dry-run"]).stdout)
    assert dry["preview"] == [{"line": "2", "mrn": "A-1", "birth_date": "1960-04-03", "fate": "new"}]
    assert count(here, Patient) == 0
    assert json.loads(run(app, told).stdout)["import"] == 1
    assert run(app, ["set-aside-records", "1"]).exit_code == 0
    assert count(here, Patient) == 0


def test_a_mastectomy_says_of_which_breast_and_both_is_not_left_out(
    here: Installation, tmp_path: Path
) -> None:
    taken(here, tmp_path, "patients", "MRN,DOB\nA-1,1960-04-03\n")
    text = "MRN,Event,Date,Side\nA-1,mastectomy,2020-01-02,both\nA-1,death,2024-01-02,\nA-1,contact,2023-01-02,\n"
    taken(here, tmp_path, "events", text)
    with here.database.read() as session:
        kept = session.execute(select(Event.kind, Event.laterality).order_by(Event.event_date)).all()
    assert kept == [("mastectomy", None), ("contact", None), ("death", None)]
    unsaid = taken(here, tmp_path, "events", "MRN,Event,Date,Side\nA-1,mastectomy,2021-01-02,\n")
    assert "which breast" in str(unsaid.checked.bad)


@pytest.mark.parametrize("kind", list(kinds().values()), ids=lambda kind: kind.key)
def test_an_empty_table_that_is_handed_out_has_every_column_and_each_is_known_again(
    kind, tmp_path: Path
) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(kind.empty_table + b"," * (len(kind.field) - 1) + b"\r\n")
    sheet = open_sheet(path, "empty.csv")
    assert list(sheet.columns) == [one.words for one in kind.field]
    assert matched(sheet.columns, kind) == {one.key: one.words for one in kind.field}


@pytest.mark.parametrize(
    "type",
    [
        FieldType.SEX,
        FieldType.SIDE,
        FieldType.EVENT,
        FieldType.RESULT,
        FieldType.BI_RADS,
        FieldType.MANAGEMENT,
    ],
)
def test_every_word_that_is_offered_for_a_cell_is_read_and_means_something_else(type) -> None:
    meanings = [said(word, type, None) for word in what_may_be_said(type).split("; ")]
    assert None not in meanings
    assert len(set(meanings)) == len(meanings) > 2


def test_every_type_of_cell_has_its_words() -> None:
    assert all(what_may_be_said(type) for type in FieldType)
