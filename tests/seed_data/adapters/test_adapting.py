"""The manifest on disk: whole or not at all, never over another's, and the verb's exit codes."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app as core_app
from seed_data import adapters
from seed_data.adapters import SETS
from tests.pictures import breast

HEADER = "patient_id,image_id,laterality,view,cancer"


@pytest.fixture
def small(folder):
    folder.mammogram("train_images/1/11.dcm")
    folder.table("train.csv", HEADER, "1,11,L,CC,1")
    return folder


def test_every_set_says_what_its_dates_and_findings_mean():
    assert set(SETS) == {
        "cbis-ddsm", "vindr-mammo", "cmmd", "embed", "csaw-cc", "rsna-2022", "omi-db", "mini-mias", "busi",
    }  # fmt: skip
    for one in SETS.values():
        assert one.dates
        assert one.findings
        assert one.layout
        assert one.terms
        assert one.source


def test_the_verb_writes_manifest_summary_and_what_was_left_out(small, run):
    done = run("rsna-2022", small.src, "--out", small.out)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in small.out.iterdir()) == ["adapt.json", "left_out.csv", "manifest.csv"]
    assert "1 women, 1 studies, 1 images" in done.stdout
    assert "No dates are given" in done.stdout


def test_json_is_the_summary_and_nothing_else(small, run):
    done = run("rsna-2022", small.src, "--out", small.out, "--json")
    told = json.loads(done.stdout)
    assert told == json.loads((small.out / "adapt.json").read_text("utf-8"))
    assert (told["women"], told["images"], told["findings"]["malignant"]) == (1, 1, 1)
    assert told["left_out"] == {}


def test_exit_code_1_where_a_row_was_left_out(small, run):
    small.table("train.csv", HEADER, "1,11,L,CC,1", "2,22,R,CC,0")
    done = run("rsna-2022", small.src, "--out", small.out, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["left_out"] == {"its image file is missing": 1}


@pytest.mark.parametrize("name", sorted(SETS))
def test_exit_code_2_and_one_sentence_where_the_folder_is_not_that_set(name, folder, run):
    done = run(name, folder.src, "--out", folder.out)
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.output
    assert not (folder.out / "manifest.csv").exists()


def test_exit_code_2_for_a_missing_folder_and_an_unknown_set(tmp_path, run):
    assert run("busi", tmp_path / "no", "--out", tmp_path / "out").exit_code == 2
    assert run("imagenet", tmp_path, "--out", tmp_path / "out").exit_code == 2


def test_a_manifest_of_another_origin_is_never_replaced(small, run):
    small.out.mkdir(parents=True)
    (small.out / "manifest.csv").write_text("precious")
    done = run("rsna-2022", small.src, "--out", small.out)
    assert done.exit_code == 2
    assert (small.out / "manifest.csv").read_text() == "precious"


def test_a_run_that_fails_leaves_the_earlier_manifest_as_it_was(small):
    small.adapt("rsna-2022")
    before = (small.out / "manifest.csv").read_bytes()
    small.table("train.csv", "patient_id,image_id", "1,11")
    with pytest.raises(adapters.CannotAdapt):
        small.adapt("rsna-2022")
    assert (small.out / "manifest.csv").read_bytes() == before
    assert not [path for path in small.out.iterdir() if path.name.startswith(".")]


def test_a_run_that_is_interrupted_leaves_nothing_behind(small):
    def interrupt(_rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapters.adapt("rsna-2022", small.src, small.out, on_row=interrupt)
    assert list(small.out.iterdir()) == []


def test_repeating_gives_the_same_bytes(small):
    small.adapt("rsna-2022")
    before = (small.out / "manifest.csv").read_bytes()
    small.adapt("rsna-2022")
    assert (small.out / "manifest.csv").read_bytes() == before


def test_the_manifest_may_lie_in_the_sets_own_folder(small):
    told = adapters.adapt("rsna-2022", small.src, small.src)
    assert told.images == 1
    small.out = small.src
    assert small.cells()[0]["path"] == "train_images/1/11.dcm"


def test_a_file_in_the_place_of_the_folder_is_told(small, run):
    small.out.parent.mkdir(parents=True)
    small.out.write_text("a file")
    assert run("rsna-2022", small.src, "--out", small.out).exit_code == 2


def test_words_that_would_be_formulas_or_break_lines_stay_in_their_row(small):
    small.table("train.csv", HEADER + ",site_id", '1,11,L,CC,1,"=1\n+1"')
    small.adapt("rsna-2022")
    assert [cells["site"] for cells in small.cells()] == ["=1 +1"]
    assert len((small.out / "manifest.csv").read_text("utf-8").splitlines()) == 2


def test_import_takes_a_dated_manifest_in(folder, tmp_path, monkeypatch, tiny_model):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LONGVIEW_MODEL", str(tiny_model))
    header = "anon_patientid,exam_year,imagelaterality,viewposition,anon_filename,x_case,rad_recall"
    rows = []
    for number, (year, side) in enumerate([(2010, "Left"), (2010, "Right"), (2012, "Left")]):
        name = f"00002_20990909_{side[0]}_CC_{number}.dcm"
        folder.mammogram(name, breast(side[0], seed=number), ImageLaterality=side[0], PatientID="x")
        rows.append(f"00002,{year},{side},CC,{name},0,0")
    folder.table("CSAW-CC_breast_cancer_screening_data.csv", header, *rows)
    folder.adapt("csaw-cc")
    done = CliRunner().invoke(core_app, ["import", str(folder.out), "--json"])
    items = json.loads(done.stdout)["items"]
    assert sorted((i["outcome"], i["patient"], i["study_date"], i["laterality"]) for i in items) == [
        ("accepted", "00002", "2010-07-01", "L"),
        ("accepted", "00002", "2010-07-01", "R"),
        ("accepted", "00002", "2012-07-01", "L"),
    ]


def test_a_mask_marks_what_is_above_half_of_its_largest_value(folder):
    from seed_data.adapters.pictures import boxes_of_mask

    path = folder.picture(
        "m.png", np.pad(np.full((3, 4), 200, np.uint8), ((2, 5), (6, 7)), constant_values=60)
    )
    assert boxes_of_mask(path) == [(6, 2, 10, 5)]
