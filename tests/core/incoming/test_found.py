"""Inputs made after public reports of what goes wrong: each is answered as `expected.csv` beside them says."""

import csv
import re
from datetime import date
from pathlib import Path

import pytest

from core.incoming import Statement, gather, take_in
from tests.conftest import SHARED_DATA

FOUND = SHARED_DATA / "found"
_PAIR = re.compile(r"(.*)_(a|b|1|2|first|second)\.dcm")


def _rows() -> list[dict[str, str]]:
    if not (FOUND / "expected.csv").is_file():
        return []
    with (FOUND / "expected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = _rows()
ROWS_BEFORE = {row["name"]: [before["name"] for before in ROWS[:place]] for place, row in enumerate(ROWS)}
# What a row's note asks for beyond outcome, side, view and reason: words of the detail, flags that are there.
SAID = {
    "px_slope_zero.dcm": "RescaleSlope",
    "en_icon_only_no_pixels.dcm": "pixel data",
    "cd_jpegxl.dcm": "JPEG XL",
    "vw_two_sides.dcm": "L and R",
    "vw_lat_B.dcm": "B",
    "vw_position_LCC.dcm": "LCC",
    "vw_specimen_with_position.dcm": "specimen",
    "dt_only_acquisition.dcm": "2020-01-02",
    "dt_study_1900.dcm": "1900",
}
FLAGGED = {
    "vw_spot_modifier_top_level.dcm": "spot_compression",
    "vw_anterior_compression.dcm": "anterior_compression",
    "vw_implant_displaced.dcm": "implant_displaced",
    "vw_mag_factor_only.dcm": "magnification",
    "or_rotated_180.dcm": "turned_upright",
    "or_orientation_contradicts_side.dcm": "contradictory_header",
    "id_born_on_study_day.dcm": "contradictory_header",
    "id_age_contradicts_birth.dcm": "contradictory_header",
    "dt_study_vs_acquisition.dcm": "contradictory_header",
    "kd_synthetic_2d_cview.dcm": "synthetic",
    "kd_tomo_projection_for_presentation.dcm": "tomosynthesis",
    "kd_quality_control_image.dcm": "quality_control",
    "px_mono2_inverse.dcm": "contradictory_header",
}


def _taken(here, path: Path, note: str):
    statement = None
    if note.startswith("PIC"):
        statement = Statement("PIC", date(2020, 1, 2), views={path.name: ("L", "MLO")})
    files = gather([path], max_file_mb=here.settings.max_file_mb, use_manifests=statement is None)
    return take_in(here, files, statement=statement, source="cli").items


@pytest.mark.skipif(not ROWS, reason="the inputs are not on this machine")
@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_each_input_is_answered_rightly(here, row, tmp_path):
    path = FOUND / "files" / row["name"]
    pair = _PAIR.fullmatch(row["name"])
    if pair and pair[2] in ("b", "2", "second"):
        firsts = [name for name in ROWS_BEFORE[row["name"]] if _PAIR.fullmatch(name)]
        _taken(here, path.with_name(firsts[-1]), "")
    if "lying in an imported folder" in row["note"]:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / row["name"]).write_bytes(path.read_bytes())
        path = tmp_path / "folder"
    items = _taken(here, path, row["note"])
    assert items, "it is not answered"
    item = items[0]
    assert item.outcome in row["expected_outcome"].split("|"), item.text
    if item.outcome == "accepted":
        assert item.laterality == (row["expected_laterality"] or item.laterality)
        assert item.view == (row["expected_view"] or item.view)
        assert FLAGGED.get(row["name"]) in (None, *item.flags)
    elif row["expected_reason"]:
        assert item.reason in row["expected_reason"].split("|"), item.text
        assert SAID.get(row["name"], "") in (item.detail or "")
