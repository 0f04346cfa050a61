"""A change of detector is noticed; the table beside this file is what ``seed_data detector --women 100`` has made."""

from pathlib import Path

import polars as pl
import pytest

from core.cohorts import noticing
from seed_data.checks import detector

SEEN = Path(__file__).with_name("seen_on_each_detector.csv")


def test_a_change_of_detector_is_noticed_within_200_studies_and_false_alarms_are_rare() -> None:
    found = detector.measure(detector.read(SEEN), times=1)
    assert found.within == 1.0
    assert found.late <= detector.WITHIN
    assert found.false_alarms_a_year <= 1


def test_what_the_page_says_of_the_rule_is_of_this_table() -> None:
    seen = detector.read(SEEN)
    assert len(seen) == 4 * noticing.MEASURED.women
    assert noticing.MEASURED.late <= detector.WITHIN
    assert noticing.MEASURED.false_alarms_a_year <= 1
    assert seen.filter(pl.col("trust").cast(pl.String) == "trusted")["brightness"].null_count() == 0


def test_another_table_is_refused_with_a_sentence(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("machine,on\nx,yesterday\n")
    with pytest.raises(ValueError, match="is not what `detector` writes"):
        detector.read(other)
