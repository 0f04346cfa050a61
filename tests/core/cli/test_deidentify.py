"""`core deidentify`: a folder of copies that do not tell whose they are, and a way back only where it is asked for."""

import json
import stat
from datetime import date

import pydicom
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from tests.pictures import breast, dicom

FILM = breast("L", rows=480, columns=360)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "var"))

    def invoke(*arguments):
        return CliRunner().invoke(app, ["deidentify", *map(str, arguments)])

    return invoke


def test_two_visits_of_one_woman_stay_hers_with_their_interval(run, tmp_path) -> None:
    source, out = tmp_path / "Doe Jane", tmp_path / "out"
    source.mkdir()
    for day in ("20200110", "20210310"):
        (source / f"Doe_{day}.dcm").write_bytes(dicom(FILM, StudyDate=day))
    (source / "report.pdf").write_bytes(b"%PDF Jane")
    result = run(
        source, "--out", out, "--report", tmp_path / "r.json", "--mapping", tmp_path / "m.json", "--json"
    )
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["done"], answer["refused"]) == (2, 1)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert len(files) == 2
    heads = [pydicom.dcmread(path) for path in files]
    assert len({head.PatientID for head in heads}) == 1
    days = sorted(date.fromisoformat(head.StudyDate) for head in heads)
    assert days[1] - days[0] == date(2021, 3, 10) - date(2020, 1, 10)
    assert date(2020, 1, 10) not in days
    for said in (str(files[0].relative_to(out)), (tmp_path / "r.json").read_text()):
        for word in ("Doe", "Jane", "MRN-1", "20200110"):
            assert word not in said
    mapping = json.loads((tmp_path / "m.json").read_text())
    assert {row["patient"] for row in mapping} == {"MRN-1"}
    assert stat.S_IMODE((tmp_path / "m.json").stat().st_mode) == 0o600
    assert "leads back" in result.stderr


def test_a_repeated_run_comes_to_the_same_files_and_a_woman_may_be_said(run, tmp_path) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(dicom(FILM, PatientID=None))
    assert run(file, "--out", tmp_path / "out").exit_code == 1
    for _ in range(2):
        assert run(file, "--out", tmp_path / "out", "--patient", "X1").exit_code == 0
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 1


def test_wrong_use_is_said(run, tmp_path) -> None:
    assert run(tmp_path / "nowhere", "--out", tmp_path / "out").exit_code == 2
    (tmp_path / "a.dcm").write_bytes(dicom(FILM))
    result = run(tmp_path / "a.dcm", "--out", tmp_path / "out", "--keep", "shoes")
    assert result.exit_code == 2
    assert "shoes" in result.stderr
    assert not (tmp_path / "out").exists()
