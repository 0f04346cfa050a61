"""Words for a model's card: what is wrong with them is said before anything is trained."""

import json

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from tests.pictures import png


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    path = tmp_path / "manifest.csv"
    path.write_text("patient_id,study_date,laterality,view,path,finding\nw,2020-01-01,L,CC,a.png,normal\n")
    return path


@pytest.mark.parametrize("verb", [("longitudinal", "--card"), ("image", "--task", "finding", "--about")])
def test_a_word_of_the_wrong_kind_is_refused_with_its_name(tmp_path, manifest, verb):
    words = tmp_path / "words.json"
    words.write_text(json.dumps({"title": "T", "simulated_training": "yes"}))
    kind, *options = verb
    asked = ["train", kind, "--data", str(manifest), "--out", str(tmp_path / "out"), *options, str(words)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2, result.output
    assert 'simulated_training is "yes", not true or false.' in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
