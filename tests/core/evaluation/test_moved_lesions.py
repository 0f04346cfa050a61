"""Lesions moved from woman to woman are for practice: no verb that learns from women or measures takes them for hers."""

import pytest
from typer.testing import CliRunner

from core.__main__ import app


@pytest.mark.parametrize(
    "verb",
    [
        ["evaluate", "tumour-mg-film"],
        ["evaluate", "longitudinal-sim"],
        ["evaluate", "longitudinal-sim", "--task", "finding"],
        ["train", "longitudinal"],
        ["train", "calibration", "longitudinal-sim"],
    ],
)
def test_moved_lesions_are_refused_with_their_line_and_what_to_do(tmp_path, verb):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"")
    manifest = tmp_path / "moved.csv"
    manifest.write_text(
        "patient_id,study_date,laterality,view,path,finding,simulated,background,lesion_of\n"
        "w3,2020-01-01,L,MLO,b.png,normal,,,\nw1-moved-0,2020-01-01,L,MLO,a.png,malignant,1,w1,w2\n"
    )
    out = tmp_path / "out"
    done = CliRunner().invoke(app, [*verb, "--data", str(manifest), "--out", str(out)])
    assert done.exit_code == 2, done.output
    assert f"{manifest}, line 3: the lesion was moved there from another woman" in done.output
    assert "give them to train image with --practice" in done.output
    assert not (out / "metrics.json").exists()
