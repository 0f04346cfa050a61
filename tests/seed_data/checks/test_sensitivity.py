"""How the gain of history moves with what simulated women are made of."""

import io
import json

import pytest
from rich.console import Console

from core.sets.truth import read_truth
from seed_data.checks.sensitivity import (
    in_words,
    printed,
    reader_tables,
    sensitivity,
    with_evaluations,
    write_lives,
    write_table,
)
from seed_data.women.life import CaseMix


@pytest.fixture(scope="module")
def settings():
    return sensitivity(600, 3, moved={"benign_per_woman": (0.2, 0.9)}, times=30)


def test_the_usual_mix_is_marked(settings):
    assert [(one.value, one.usual) for one in settings] == [(0.2, False), (0.9, True)]


def test_each_setting_says_what_the_readers_reach(settings):
    for one in settings:
        assert set(one.gains) == {1, 2, 5}
        for gain in one.gains.values():
            assert gain.gain == pytest.approx(gain.auc_history - gain.auc_last)
            assert gain.gain_ci[0] <= gain.gain <= gain.gain_ci[1]
            assert gain.auc_last > 0.6


def test_lives_written_and_read_are_the_lives_drawn(tmp_path):
    write_lives(tmp_path / "lives.csv", women=20, seed=4, mix=CaseMix())
    assert len({breast.patient_id for breast in read_truth(tmp_path / "lives.csv")}) == 20
    table = reader_tables(20, 4, CaseMix())
    assert set(table.index) <= {breast.patient_id for breast in read_truth(tmp_path / "lives.csv")}


def evaluated(folder, **mix):
    path = folder / "metrics.json"
    control = {"gain": 0.03, "gain_ci": [0.01, 0.05]}
    path.write_text(json.dumps({"women": 400, "case_mix": mix, "controls": {"last": {"5": control}}}))
    return path


def test_a_models_gain_stands_beside_the_mix_it_was_evaluated_on(settings, tmp_path):
    rows = with_evaluations(settings, [evaluated(tmp_path, benign_per_woman=0.2)])
    beside = [row for row in rows if row["model_gain"] is not None]
    assert [(row["value"], row["horizon_years"], row["model_gain"]) for row in beside] == [(0.2, 5, 0.03)]
    write_table(tmp_path / "out", rows)
    assert len(json.loads((tmp_path / "out" / "sensitivity.json").read_text())) == 6
    assert (tmp_path / "out" / "sensitivity.csv").read_text().count("\n") == 7


def test_a_file_that_is_no_evaluation_is_refused_in_words(settings, tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"no metrics\.json"):
        with_evaluations(settings, [tmp_path / "other.json"])


def test_the_printed_table_has_a_line_for_each_mix_and_one_for_the_model(settings, tmp_path):
    rows = with_evaluations(settings, [evaluated(tmp_path, benign_per_woman=0.2)])
    console = Console(width=120, file=io.StringIO())
    console.print(printed(rows))
    lines = console.file.getvalue().splitlines()
    assert sum("0.2" in line for line in lines) >= 1
    assert sum("0.9 (usual)" in line for line in lines) == 1
    assert next(line for line in lines if "the model" in line).count("+0.030 (+0.010 to +0.050)") == 1


def test_a_gain_is_said_with_its_interval_or_not_at_all():
    assert in_words(0.02, [0.01, 0.034]) == "+0.020 (+0.010 to +0.034)"
    assert in_words(None, None) == "–"
