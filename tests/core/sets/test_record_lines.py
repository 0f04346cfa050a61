"""Records that a killed run left: half a line is dropped, anything else that is damaged is refused by name."""

import json
import re

import pytest

from core.sets.record_lines import RecordLines
from models.store import DamagedCache

RECORDS = [{"size": [4, 5], "sketch": [1, 2]}, "The file is émpty.", {"size": [7, 8], "sketch": []}]


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "images.jsonl"
    RecordLines(path, 3).append(RECORDS)
    return path


def test_records_come_back_as_they_were_kept(kept):
    assert RecordLines(kept, 3).records == RECORDS
    assert not RecordLines(kept.with_name("none.jsonl"), 3).records


def test_cut_at_any_byte_of_the_last_record_the_others_stay_and_it_can_be_written_again(kept):
    whole = kept.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for end in range(last, len(whole)):
        kept.write_bytes(whole[:end])
        again = RecordLines(kept, 3)
        assert again.records == RECORDS[:2]
        again.append(RECORDS[2:])
        assert kept.read_bytes() == whole
        assert RecordLines(kept, 3).records == again.records == RECORDS


@pytest.mark.parametrize("line", ['{"size": [4,', "", "17", "null", "[]"])
def test_a_line_before_the_last_that_is_no_record_is_refused_with_the_file_and_its_number(kept, line):
    lines = kept.read_text("utf-8").splitlines()
    kept.write_text("\n".join([lines[0], line, lines[2]]) + "\n", "utf-8")
    with pytest.raises(DamagedCache, match=re.escape(str(kept)) + ".*line 2"):
        RecordLines(kept, 3)


def test_bytes_that_are_no_text_are_refused_by_name(kept):
    kept.write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(DamagedCache, match=r"images\.jsonl"):
        RecordLines(kept, 3)


def test_more_records_than_images_are_refused(kept):
    with kept.open("a", encoding="utf-8") as file:
        file.write(json.dumps("one more") + "\n")
    with pytest.raises(DamagedCache, match="4 records of 3"):
        RecordLines(kept, 3)
