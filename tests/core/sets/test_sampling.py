"""Women drawn by their outcome: what is read of how many each stands for, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.sets import SamplingError, observed_rates, read_sampling, thinned, weighed
from models.sequence import History


def women(ill: int, well: int) -> list[History]:
    """Women of one visit each, of whom nothing was seen, followed for eight years."""

    def one(n: int) -> History:
        breasts = np.full((1, 2), np.nan, np.float32)
        return History(
            f"W{n}", np.zeros(1), np.full(1, 50.0), np.zeros((1, 2, 3, 4), np.float32), np.ones((1, 2, 3), bool),
            breasts, breasts, np.full((1, 2), -1), np.full((1, 2), -1), np.array([2.5 if n < ill else np.nan]), -1,
            np.array([8.0]), np.ones(1),
        )  # fmt: skip

    return [one(n) for n in range(ill + well)]


def test_who_stands_for_ten_counts_as_ten() -> None:
    drawn = weighed(women(20, 20), {f"W{n}": 1.0 if n < 20 else 9.0 for n in range(40)})
    assert observed_rates(drawn) == pytest.approx((1e-4, 1e-4, 0.1, 0.1, 0.1))
    kept = thinned(drawn)
    assert {one.stands_for for one in kept} == {1.0}
    assert sum(np.isnan(one.years_to_cancer[-1]) for one in kept) == 20
    assert len(kept) < 30
    assert [one.patient_id for one in thinned(drawn)] == [one.patient_id for one in kept]
    assert len(thinned([replace(one, stands_for=4.0) for one in drawn])) == 40


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patient_id\nW1\n", "no column stands_for"),
        ("patient_id,stands_for\nW1,1\nW1,2\n", "line 3: W1 is named twice"),
        ("patient_id,stands_for\nW1,0\n", "line 2: stands_for is '0'"),
        ("patient_id,stands_for\nW1,nan\n", "line 2: stands_for is 'nan'"),
        ("patient_id,stands_for\nW1,\n", "line 2: stands_for is ''"),
        ("patient_id,stands_for\nW1,many\n", "above 0"),
        ("", "no column patient_id"),
        ("patient_id,stands_for\nW1\n", "line 2: stands_for is ''"),
    ],
)
def test_a_table_that_says_it_wrongly_is_refused_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "sampling.csv"
    table.write_text(text)
    with pytest.raises(SamplingError, match=said):
        read_sampling(table)


def test_a_table_that_is_none_and_a_woman_it_does_not_name_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "sampling.csv"
    table.write_bytes(b"patient_id,stands_for\n\xff\xfe,1\n")
    with pytest.raises(SamplingError, match="cannot be read"):
        read_sampling(table)
    table.write_text("patient_id,stands_for\nW0,2\n")
    with pytest.raises(SamplingError, match=r"Of 2 women .* such as W1"):
        weighed(women(1, 2), read_sampling(table))
    (tmp_path / "m.csv").write_text("")
    run = CliRunner().invoke(
        app,
        ["train", "calibration", "longitudinal-sim", "--data", str(tmp_path / "m.csv"), "--out", str(tmp_path / "out"),
         "--sampling", str(tmp_path / "none.csv")],
    )  # fmt: skip
    assert run.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_woman_of_a_second_manifest_is_named_by_her_mrn_or_as_she_is_called_among_all() -> None:
    first, second = women(0, 2)
    called = [first, replace(first, patient_id="2:W0"), replace(second, patient_id="2:W1")]
    found = weighed(called, {"W0": 1.0, "W1": 3.0, "2:W0": 5.0})
    assert [woman.stands_for for woman in found] == [1.0, 5.0, 3.0]
