"""Records handed out as files: all that is stored, simulated women marked, the act in the audit trail."""

import csv
import json
import tarfile
from datetime import date

import pyrage
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from core.__main__ import app
from core.deidentification.rows import is_settled
from core.installation import Installation
from core.people import audit
from core.records import LesionNote, LesionStatus, Sizing, record_of, record_sourced_lesions
from core.records.export import TABLES, ExportError, export
from db.tables import EventKind, Image, Measurement, Patient, Study, utc_now
from models.store import registry
from tests import factories
from tests.factories import VisitPlan
from tests.words import has_word


@pytest.fixture
def here(tmp_path, monkeypatch, quickly_migrated):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    made = Installation.open()
    made.migrate()
    visits = [VisitPlan(on=date(2020, 3, 1), risk_5y=0.011), VisitPlan(on=date(2022, 4, 2), risk_5y=0.031)]
    events = [(EventKind.BIOPSY, date(2022, 5, 1), None, "=HYPERLINK(1), left")]
    factories.woman(made, "00017", visits, name="Sim-0017", events=events)
    factories.woman(made, "A-2", visits[:1], name="Doe, Jane", simulated=False)
    yield made
    made.close()


def _table(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(*words, code=0):
    done = CliRunner().invoke(app, ["export", *map(str, words)])
    assert done.exit_code == code, done.output + repr(done.exception)
    return done


def test_every_table_is_written_with_whom_a_row_belongs_to_and_whether_she_is_simulated(here, tmp_path):
    told = export(here, tmp_path / "out")
    assert (told.simulated, told.real) == (1, 1)
    for name, columns in TABLES.items():
        rows = _table(tmp_path / "out", name)
        assert len(rows) == told.rows[name]
        for row in rows:
            assert list(row) == ["patient", "simulated", *columns]
            assert row["simulated"] == ("1" if row["patient"] == "00017" else "0")
    assert (told.rows["patients"], told.rows["studies"], told.rows["scores"]) == (2, 3, 3)
    assert told.rows["images"] == 12


def test_corrected_is_exported_as_it_stands_with_what_was_corrected(here, tmp_path):
    from core.corrections import MovedTo, SetAside, correct, studies_with_films

    last, first = studies_with_films(here, "00017")
    correct(here, SetAside((first.films[0].sop_uid,)), reason="marker only")
    correct(here, MovedTo("N", studies=(last.study_uid,), facts={"name": "Sim-N"}), reason="hers")
    told = export(here, tmp_path / "out")
    assert (told.rows["images"], told.rows["studies"], told.rows["scores"]) == (11, 3, 1)
    assert {row["patient"] for row in _table(tmp_path / "out", "studies")} == {"00017", "N", "A-2"}
    rows = _table(tmp_path / "out", "corrections")
    assert [(row["kind"], row["other_patient"], row["reason"]) for row in rows] == [
        ("set_aside", "", "marker only"), ("patient", "N", "hers"),
    ]  # fmt: skip
    export(here, tmp_path / "nameless", names=False)
    assert {row["says"] for row in _table(tmp_path / "nameless", "corrections")} == {""}


def test_measurements_say_of_which_lesion_and_view_and_leave_out_what_was_taken_back(here, tmp_path):
    visits = record_of(here, "00017").visits
    (first, second) = (next(i.sop_uid for i in v.images if i.view_name.code == "R-CC") for v in visits)
    sizing = Sizing((1, 2, 30, 40), long_mm=9.0, short_mm=6.0)
    note = LesionNote(
        "=Mass", "R", [(first, sizing), (second, sizing)], "mass", LesionStatus.KNOWN_BENIGN, "biopsy"
    )
    record_sourced_lesions(here, "00017", lambda: [note])
    with here.database.write() as session:
        last = session.scalars(select(Measurement).order_by(Measurement.id.desc())).first()
        last.removed_at = utc_now()
        session.scalars(select(Image).where(Image.sop_uid == first)).one().view = "MLO"
    export(here, tmp_path / "out")
    (row,) = _table(tmp_path / "out", "measurements")
    assert (row["lesion"], row["kind"], row["lesion_status"], row["lesion_note"]) == (
        "'=Mass",
        "mass",
        "known_benign",
        "biopsy",
    )
    assert (row["study_date"], row["view"], row["view_now"]) == ("2020-03-01", "R-CC", "R-MLO")
    assert (row["diameter_mm"], row["short_mm"], row["node"], row["measured_by"]) == ("9.0", "6.0", "0", "")


def test_scores_speak_by_the_models_name_where_the_setting_names_its_folder(here, tmp_path):
    here.settings.model = str(registry.weights_folder("longitudinal-sim"))
    export(here, tmp_path / "out")
    assert {row["speaks"] for row in _table(tmp_path / "out", "scores")} == {"1"}
    about = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert about["model_that_speaks"] == "longitudinal-sim"


def test_scores_are_those_that_are_stored(here, tmp_path):
    export(here, tmp_path / "out")
    rows = _table(tmp_path / "out", "scores")
    assert [float(r["risk_5y"]) for r in rows if r["patient"] == "00017"] == [0.011, 0.031]
    assert {r["speaks"] for r in rows} == {"1"}
    assert rows[0]["study_date"] == "2020-03-01"


def test_one_document_holds_the_same(here, tmp_path):
    run(tmp_path / "all.json")
    document = json.loads((tmp_path / "all.json").read_text("utf-8"))
    first, second = document["patients"]
    assert (first["patient"], first["simulated"], second["simulated"]) == ("00017", True, False)
    assert [score["risk_5y"] for score in first["scores"]] == [0.011, 0.031]
    assert [event["event_date"] for event in first["events"]] == ["2022-05-01"]
    assert "simulated women" in document["statement"]


def test_one_patient_alone(here, tmp_path):
    told = json.loads(run(tmp_path / "out", "--patient", "A-2", "--json").stdout)
    assert (told["patients"], told["simulated"], told["real"]) == (1, 0, 1)
    assert {row["patient"] for row in _table(tmp_path / "out", "studies")} == {"A-2"}


def test_without_names(here, tmp_path):
    run(tmp_path / "out", "--without-names")
    assert all(not row["name"] and not row["birth_date"] for row in _table(tmp_path / "out", "patients"))
    text = "".join(path.read_text("utf-8") for path in (tmp_path / "out").iterdir())
    assert "Doe" not in text


def test_the_audit_trail_keeps_that_records_went_out(here, tmp_path):
    run(tmp_path / "out", "--patient", "A-2")
    entry = audit.latest(here, action="exported")[0]
    assert entry.subject == "patient:A-2"
    assert "patients 1" in entry.detail


def test_no_spreadsheet_runs_a_cell(here, tmp_path):
    export(here, tmp_path / "out")
    assert _table(tmp_path / "out", "events")[0]["detail"] == "'=HYPERLINK(1), left"


def test_an_unknown_mrn_and_a_place_that_is_taken_write_nothing(here, tmp_path):
    assert "no patient with the MRN nobody" in run(tmp_path / "out", "--patient", "nobody", code=2).stderr
    (tmp_path / "taken").mkdir()
    run(tmp_path / "taken", code=2)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError):
        export(here, tmp_path / "file" / "below")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "taken"]
    assert audit.latest(here, action="exported") == []


def test_an_empty_installation_gives_empty_tables_and_valid_json(tmp_path, monkeypatch):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))
    assert json.loads(run(tmp_path / "out", "--json").stdout)["patients"] == 0
    run(tmp_path / "all.json")
    assert json.loads((tmp_path / "all.json").read_text("utf-8"))["patients"] == []


def test_women_written_in_several_batches_are_all_there(here, tmp_path, monkeypatch):
    monkeypatch.setattr("core.records.export._WOMEN_AT_ONCE", 1)
    told = export(here, tmp_path / "out")
    with here.database.read() as session:
        assert told.rows["patients"] == len(session.scalars(select(Patient)).all())
        assert told.rows["studies"] == len(session.scalars(select(Study)).all())


def test_intervals_stand_beside_their_probabilities_and_are_empty_where_not_known(here, tmp_path):
    factories.woman(
        here,
        "new",
        [VisitPlan(date(2020, 3, 1), smallest_change=0.4), VisitPlan(date(2022, 3, 1), smallest_change=0.4)],
        events=[(EventKind.DIAGNOSIS, date(2021, 1, 1), None, "left")],
    )
    export(here, tmp_path / "out")
    rows = _table(tmp_path / "out", "scores")
    first, after = (row for row in rows if row["patient"] == "new")
    for side in ("left", "right"):
        low, value, high = (float(first[f"malignancy_{side}{end}"]) for end in ("_low", "", "_high"))
        assert low < value < high
    assert first["smallest_change"] == "0.4"
    low, value, high = (float(after[f"progression{end}"]) for end in ("_low", "", "_high"))
    assert low < value < high
    assert (after["malignancy_left"], after["malignancy_left_low"], after["smallest_change"]) == ("", "", "")
    older = next(row for row in rows if row["patient"] == "00017")
    assert older["malignancy_left"]
    assert (older["malignancy_left_low"], older["malignancy_left_high"], older["smallest_change"]) == (
        "",
        "",
        "",
    )


def test_of_every_column_it_is_settled_what_becomes_of_it_without_her():
    columns = {column for columns in TABLES.values() for column in columns}
    assert not [column for column in columns if not is_settled(column)]


def test_a_deidentified_export_names_nobody_and_keeps_course_ages_and_links(here, tmp_path):
    with here.database.write() as session:
        woman = session.scalar(select(Patient).where(Patient.mrn == "A-2"))
        woman.birth_date = date(1961, 2, 3)
        study = session.scalar(select(Study).where(Study.patient_id == woman.id))
        study.assessment_note, study.description = "Call Dr. Quirk", "for Quirk"
    plain, told = tmp_path / "plain", tmp_path / "told"
    export(here, plain)
    run(told, "--deidentified")
    run(tmp_path / "told.json", "--deidentified")
    written = "".join(path.read_text(encoding="utf-8") for path in told.iterdir())
    written += (tmp_path / "told.json").read_text(encoding="utf-8")
    rows = {name: (_table(plain, name), _table(told, name)) for name in TABLES}
    assert not has_word(written, "00017")
    assert not has_word(written, "A-2")
    for word in ("Doe", "Sim-0017", "HYPERLINK", "Quirk", "1961-02-03"):
        assert word not in written, word
    for before, after in rows.values():
        assert len(before) == len(after)
        for column in {"study_uid", "sop_uid", "sha256", "study_date"} & set(before[0] if before else ()):
            assert not {row[column] for row in before} & ({row[column] for row in after} - {""}), column
    patients, studies, images = rows["patients"][1], rows["studies"][1], rows["images"][1]
    assert {row["study_uid"] for row in images} <= {row["study_uid"] for row in studies}
    assert {row["patient"] for row in studies} == {row["patient"] for row in patients}
    days = sorted(date.fromisoformat(row["study_date"]) for row in studies if row["simulated"] == "1")
    assert days[1] - days[0] == date(2022, 4, 2) - date(2020, 3, 1)
    hers = next(row for row in patients if row["simulated"] == "0")
    on = next(row["study_date"] for row in studies if row["simulated"] == "0")
    assert int(on[:4]) - int(hers["birth_date"]) in (58, 59, 60)
    for column in ("risk_5y", "malignancy_left", "density_b"):
        before, after = rows["scores"]
        assert sorted(row[column] for row in before) == sorted(row[column] for row in after)
    entry = audit.latest(here, action="exported")[0]
    assert "deidentified" in entry.detail


@pytest.fixture
def key_file(tmp_path):
    identity = pyrage.x25519.Identity.generate()
    path = tmp_path / "key.txt"
    path.write_text(f"# public key: {identity.to_public()}\n{identity}\n")
    return path


def opened(sealed, out, key_file, code=0):
    done = CliRunner().invoke(app, ["decrypt", str(sealed), str(out), "--key-file", str(key_file)])
    assert done.exit_code == code, done.output + repr(done.exception)
    return done


def test_a_sealed_export_is_one_file_that_its_key_opens_and_nothing_lies_in_clear(here, tmp_path, key_file):
    for name in ("all.json.age", "tables.tar.age"):
        run(tmp_path / name, "--key-file", key_file)
        assert b"Doe" not in (tmp_path / name).read_bytes()
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert {path.name for path in tmp_path.iterdir()} == {"all.json.age", "tables.tar.age", "home", "key.txt"}
    assert not list(here.home.glob(".export-*"))
    opened(tmp_path / "all.json.age", tmp_path / "all.json", key_file)
    assert len(json.loads((tmp_path / "all.json").read_text("utf-8"))["patients"]) == 2
    opened(tmp_path / "tables.tar.age", tmp_path / "tables.tar", key_file)
    with tarfile.open(tmp_path / "tables.tar") as archive:
        assert {f"{name}.csv" for name in TABLES} | {"export.json"} == set(archive.getnames())
        archive.extractall(tmp_path / "out", filter="data")
    assert {row["name"] for row in _table(tmp_path / "out", "patients")} == {"Sim-0017", "Doe, Jane"}
    assert "sealed True" in audit.latest(here, action="exported")[0].detail


def test_what_cannot_be_opened_or_sealed_is_said_and_nothing_is_written(here, tmp_path, key_file):
    run(tmp_path / "all.json.age", "--key-file", key_file)
    other = tmp_path / "other.txt"
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    said = opened(tmp_path / "all.json.age", tmp_path / "all.json", other, code=2).stderr
    assert "was sealed for another" in said
    assert "no sealed file" in opened(key_file, tmp_path / "all.json", key_file, code=2).stderr
    assert "exists" in opened(tmp_path / "all.json.age", other, key_file, code=2).stderr
    other.write_text("a pass phrase\n")
    assert "no key of age" in run(tmp_path / "x.age", "--key-file", other, code=2).stderr
    assert "not both" in run(tmp_path / "x", "--key-file", other, "--passphrase-file", other, code=2).stderr
    other.write_text("short\n")
    assert "too short" in run(tmp_path / "x.age", "--passphrase-file", other, code=2).stderr
    assert not (tmp_path / "all.json").exists()
    assert not (tmp_path / "x.age").exists()
