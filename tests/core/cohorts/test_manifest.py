"""A cohort's images with their exam manifest: what other commands read, and no more of the women than was asked for."""

import csv
import io
import json
import zipfile

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.cohorts import Definition, frame_of, select
from core.cohorts.away.manifest import zipped
from core.incoming import IncomingFile, take_in
from core.people import AccessDenied, Permission, Person, Role, accounts, audit
from core.sets import read_manifest
from core.trail import Wanted, find
from tests.pictures import breast, dicom

DEFINITION = {"format": "longview-cohort/1", "kind": "real", "domain": "any"}


@pytest.fixture
def stored(here, tmp_path, monkeypatch):
    """Six women with a film each, and a definition of all of them."""
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    for number in range(6):
        film = dicom(breast("L", rows=480, columns=360, seed=number), PatientID=f"MRN-{number}")
        assert take_in(here, [IncomingFile("a.dcm", film)], statement=None, source="cli").count("accepted")
    definition = tmp_path / "definition.json"
    definition.write_text(json.dumps(DEFINITION))
    return definition


def written(definition, out, *options: str, code: int = 0):
    asked = ["cohort", "manifest", "--definition", str(definition), "--out", str(out), "--json", *options]
    made = CliRunner().invoke(app, asked)
    assert made.exit_code == code, made.output
    return json.loads(made.stdout) if code == 0 else " ".join(made.stderr.split())


def test_what_is_written_is_a_manifest_and_the_trail_names_each_woman(here, stored, tmp_path) -> None:
    made = written(stored, tmp_path / "out")
    assert (made["women"], made["rows"], made["refused"]) == (6, 6, [])
    rows = read_manifest(tmp_path / "out" / "manifest.csv").rows
    assert {row.patient_id for row in rows} == {f"MRN-{number}" for number in range(6)}
    entries = find(here, None, Wanted(patient="MRN-3", action="cohort_manifest_exported")).entries
    assert len(entries) == 1
    assert written(stored, tmp_path / "out", code=2).endswith("is there already. Choose another name.")


def test_a_page_hands_the_same_out_as_a_file_to_who_may_see_images(here, stored) -> None:
    selection = select(frame_of(here), Definition.from_json(DEFINITION))
    may = frozenset({Permission.SEE_SINGLE_COURSES})
    for role, granted in ((Role.ANALYST, may), (Role.ONCOLOGIST, frozenset())):
        with pytest.raises(AccessDenied):
            zipped(here, Person(1, "somebody", "Some Body", role, granted), selection)
    made = accounts.create_user(here, "oncologist", "a long enough password", Role.ONCOLOGIST)
    reader = Person(made.user_id, "oncologist", "Oncologist", Role.ONCOLOGIST, may)
    with zipfile.ZipFile(io.BytesIO(zipped(here, reader, selection))) as archive:
        said = {name: archive.read(name) for name in archive.namelist()}
    rows = list(csv.DictReader(io.StringIO(said["manifest.csv"].decode())))
    assert len(rows) == 6
    assert {row["path"] for row in rows} == {*said} - {"manifest.csv"}
    assert not any(word in data for data in said.values() for word in (b"MRN-", b"Doe", b"20240315"))
    (entry,) = find(here, None, Wanted(patient="MRN-3", action="cohort_manifest_exported")).entries
    assert entry.person == "oncologist"


def test_de_identified_it_says_neither_who_she_is_nor_her_days(here, stored, tmp_path) -> None:
    made = written(stored, tmp_path / "out", "--deidentified")
    assert made["rows"] == 6
    said = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for word in (b"MRN-", b"2024-03-15", b"20240315", b"19650420", b"Doe"):
        assert word not in said, word
    assert "cohort_manifest_exported" in {entry.action for entry in audit.latest(here, limit=3)}
