"""A folder to write into that is a file is told before any work, by every verb that makes something in a folder."""

import pytest
from typer.testing import CliRunner

import core.__main__
import seed_data.__main__

MAKING = [
    ["train", "longitudinal", "--data", "m.csv"],
    ["train", "image", "--data", "m.csv", "--task", "finding"],
    ["train", "films", "--films", "m.csv", "--made", "m.csv", "--weights", "tumour-mg-film"],
    ["train", "calibration", "longitudinal-sim", "--data", "m.csv"],
    ["train", "domain", "longitudinal-sim", "--data", "m.csv"],
    ["train", "sequence", "--embeddings", "m.csv"],
    ["evaluate", "tumour-mg-film", "--data", "m.csv"],
    ["compare", "one", "other"],
]
SEEDING = [["adapt", "mini-mias", "folder"], ["sensitivity"]]


@pytest.mark.parametrize(
    ("app", "verb"),
    [(core.__main__.app, verb) for verb in MAKING] + [(seed_data.__main__.app, verb) for verb in SEEDING],
    ids=lambda one: " ".join(one[:2]) if isinstance(one, list) else "",
)
def test_an_out_that_is_a_file_is_wrong_use(app, verb, tmp_path):
    (tmp_path / "file").write_text("precious")
    done = CliRunner().invoke(app, [*verb, "--out", str(tmp_path / "file")], env={"COLUMNS": "400"})
    assert done.exit_code == 2, done.output
    assert "is a file" in done.output
    assert (tmp_path / "file").read_text() == "precious"
