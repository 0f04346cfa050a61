"""CBIS-DDSM as published, in the three ways its images are handed round."""

import numpy as np
import pytest

from seed_data.adapters import CannotAdapt
from tests.seed_data.adapters.conftest import mask

MASS = (
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass shape,mass margins,"
    "assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path"
)
CALC = (
    "patient_id,breast density,left or right breast,image view,abnormality id,abnormality type,calc type,"
    "calc distribution,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path"
)


def _row(kind, split, woman, side, view, pathology, density="3", number=1):
    name = f"{kind}-{split}_{woman}_{side}_{view}"
    full = f"{name}/1.2.{woman[-1]}1/1.3.{woman[-1]}{side[0]}{view}full/000000.dcm"
    crop = f"{name}_{number}/1.2.{woman[-1]}2/1.3.{woman[-1]}{side[0]}{view}roi{number}/000000.dcm"
    roi = crop.replace("000000.dcm", "000001.dcm")
    # As in the published tables, the last path ends with a line break inside quotes.
    return (
        f'{woman},{density},{side},{view},{number},{kind.lower()},X,Y,4,{pathology},3,{full},{crop},"{roi}\n"'
    )


ROWS = (
    _row("Mass", "Training", "P_00001", "LEFT", "CC", "MALIGNANT"),
    _row("Mass", "Training", "P_00001", "LEFT", "CC", "BENIGN", number=2),
    _row("Mass", "Training", "P_00002", "RIGHT", "MLO", "BENIGN_WITHOUT_CALLBACK", density="0"),
)


def _under_table_paths(folder, rows):
    for row in rows:
        cells = row.replace("\n", "").replace('"', "").split(",")
        full, crop, roi = cells[-3:]
        if not (folder.src / full).exists():
            folder.mammogram(full, SeriesDescription="full mammogram images")
        number = int(cells[4])
        folder.mammogram(
            roi, mask(64, 48, (5 * number, 10, 5 * number + 7, 30)), SeriesDescription="ROI mask images"
        )
        folder.mammogram(crop, np.full((20, 7), 9, np.uint16), SeriesDescription="cropped images")


def _facts(rows):
    return [(r.patient_id, r.laterality, r.view, r.finding, r.density, r.roi, r.split) for r in rows]


EXPECTED = [
    ("P_00001", "L", "CC", "malignant", "C", (5, 10, 12, 30), "train"),
    ("P_00001", "L", "CC", "benign", "C", (10, 10, 17, 30), "train"),
    ("P_00002", "R", "MLO", "benign", None, (5, 10, 12, 30), "train"),
]


def test_images_under_the_paths_of_the_tables(folder):
    folder.table("mass_case_description_train_set.csv", MASS, *ROWS)
    _under_table_paths(folder, ROWS)
    told = folder.adapt("cbis-ddsm")
    assert _facts(folder.rows()) == EXPECTED
    assert (told.women, told.images, told.boxes) == (2, 2, 3)
    assert told.account.left_out == []
    assert not told.dated


def test_images_as_the_retriever_names_folders(folder):
    folder.table("mass_case_description_train_set.csv", MASS, ROWS[0])
    base = "manifest-1/CBIS-DDSM/Mass-Training_P_00001_LEFT_CC"
    folder.mammogram(
        f"{base}/07-20-2016-DDSM-NA-1/1.000000-full mammogram images-24515/1-1.dcm",
        SeriesDescription="full mammogram images",
    )
    roi = f"{base}_1/07-20-2016-DDSM-NA-2/1.000000-ROI mask images-1"
    folder.mammogram(f"{roi}/1-1.dcm", np.full((20, 7), 9, np.uint16), SeriesDescription="cropped images")
    folder.mammogram(f"{roi}/1-2.dcm", mask(64, 48, (5, 10, 12, 30)), SeriesDescription="ROI mask images")
    folder.adapt("cbis-ddsm")
    assert _facts(folder.rows()) == EXPECTED[:1]


def test_images_as_the_retrievers_metadata_lists_them(folder):
    folder.table("mass_case_description_train_set.csv", MASS, ROWS[0])
    folder.table(
        "metadata.csv", "Series UID,File Location", "1.3.1LCCfull,.\\here\\full", "1.3.1LCCroi1,.\\here\\roi"
    )
    folder.mammogram("here/full/1-1.dcm")
    folder.mammogram("here/roi/1-1.dcm", mask(64, 48, (5, 10, 12, 30)))
    folder.adapt("cbis-ddsm")
    assert _facts(folder.rows()) == EXPECTED[:1]


def test_images_as_jpeg_by_series(folder):
    folder.table("csv/mass_case_description_train_set.csv", MASS, ROWS[0])
    folder.picture("jpeg/1.3.1LCCfull/1-1.jpg", np.full((64, 48), 99, np.uint8), "JPEG")
    folder.picture("jpeg/1.3.1LCCroi1/1-1.jpg", np.full((20, 7), 99, np.uint8), "JPEG")
    folder.picture("jpeg/1.3.1LCCroi1/2-2.jpg", mask(64, 48, (8, 16, 24, 32)), "JPEG")
    folder.adapt("cbis-ddsm")
    assert folder.rows()[0].roi == (8, 16, 24, 32)


def test_swapped_paths_of_mask_and_crop_change_nothing(folder):
    swapped = ROWS[0].replace("roi1/000000.dcm", "roi1/9.dcm").replace("roi1/000001.dcm", "roi1/000000.dcm")
    swapped = swapped.replace("roi1/9.dcm", "roi1/000001.dcm")
    assert swapped != ROWS[0]
    folder.table("mass_case_description_train_set.csv", MASS, swapped)
    _under_table_paths(folder, ROWS[:1])
    folder.adapt("cbis-ddsm")
    assert _facts(folder.rows()) == EXPECTED[:1]


def test_a_mask_of_another_size_gives_no_box(folder):
    folder.table("mass_case_description_train_set.csv", MASS, ROWS[0])
    _under_table_paths(folder, ROWS[:1])
    (path,) = folder.src.rglob("*roi1/000001.dcm")
    folder.mammogram(str(path.relative_to(folder.src)), mask(70, 48, (5, 10, 12, 30)))
    told = folder.adapt("cbis-ddsm")
    assert folder.rows()[0].roi is None
    assert any("another size" in note for note in told.account.notes)


def test_a_woman_of_both_tables_stands_in_training_only(folder):
    test = _row("Calc", "Test", "P_00001", "RIGHT", "CC", "BENIGN")
    other = _row("Calc", "Test", "P_00009", "RIGHT", "CC", "BENIGN")
    folder.table("mass_case_description_train_set.csv", MASS, ROWS[0])
    folder.table("calc_case_description_test_set.csv", CALC, test, other)
    _under_table_paths(folder, (ROWS[0], test, other))
    told = folder.adapt("cbis-ddsm")
    assert {(r.patient_id, r.split) for r in folder.rows()} == {("P_00001", "train"), ("P_00009", "test")}
    assert (
        told.account.notes[
            "women of both the training and the test tables: all their images are called train"
        ]
        == 1
    )
    assert told.account.notes["calc_case_description_train_set.csv is missing"] == 1


def test_missing_and_escaping_paths_are_left_out(folder):
    outside = folder.src.parent / "outside"
    outside.mkdir()
    (outside / "000000.dcm").write_bytes(b"secret")
    bad = ROWS[2].replace("Mass-Training_P_00002_RIGHT_MLO/1.2.21/1.3.2RMLOfull", "../outside")
    gone = _row("Mass", "Training", "P_00003", "LEFT", "CC", "BENIGN")
    folder.table("mass_case_description_train_set.csv", MASS, ROWS[0], bad, gone)
    _under_table_paths(folder, ROWS[:1])
    told = folder.adapt("cbis-ddsm")
    assert told.images == 1
    assert [why for _, why, _ in told.account.left_out] == ["its image file is missing"] * 2


def test_no_table_is_told(folder):
    with pytest.raises(CannotAdapt, match="mass_case_description_train_set"):
        folder.adapt("cbis-ddsm")
