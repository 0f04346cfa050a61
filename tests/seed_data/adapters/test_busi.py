"""BUSI as published: class folders with images and masks."""

import numpy as np
import pytest

from seed_data.adapters import CannotAdapt
from tests.seed_data.adapters.conftest import mask


def _image(seed=0):
    return np.random.default_rng(seed).integers(0, 255, (40, 50), np.uint8)


def test_classes_boxes_and_several_masks_of_one_image(folder):
    folder.picture("Dataset_BUSI_with_GT/benign/benign (1).png", _image(1))
    folder.picture("Dataset_BUSI_with_GT/benign/benign (1)_mask.png", mask(40, 50, (5, 6, 15, 20)))
    folder.picture("Dataset_BUSI_with_GT/benign/benign (1)_mask_1.png", mask(40, 50, (30, 6, 41, 20)))
    folder.picture("Dataset_BUSI_with_GT/malignant/malignant (1).png", _image(2))
    folder.picture("Dataset_BUSI_with_GT/malignant/malignant (1)_mask.png", mask(40, 50, (0, 0, 9, 9)))
    folder.picture("Dataset_BUSI_with_GT/normal/normal (1).png", _image(3))
    folder.picture("Dataset_BUSI_with_GT/normal/normal (1)_mask.png", mask(40, 50))
    told = folder.adapt("busi")
    rows = folder.rows()
    assert [(r.modality, r.finding, r.roi) for r in rows] == [
        ("US", "benign", (5, 6, 15, 20)),
        ("US", "benign", (30, 6, 41, 20)),
        ("US", "malignant", (0, 0, 9, 9)),
        ("US", "normal", None),
    ]
    assert len({r.patient_id for r in rows}) == 3
    assert (told.images, told.boxes, told.account.left_out) == (3, 3, [])


def test_a_mask_of_another_size_gives_no_box_and_is_told(folder):
    folder.picture("benign/benign (1).png", _image())
    folder.picture("benign/benign (1)_mask.png", mask(20, 20, (1, 1, 5, 5)))
    told = folder.adapt("busi")
    assert folder.rows()[0].roi is None
    assert any("another size" in note for note in told.account.notes)


def test_a_mask_alone_and_a_damaged_image_are_left_out(folder):
    folder.picture("benign/benign (1).png", _image())
    folder.picture("benign/benign (2)_mask.png", mask(40, 50, (1, 1, 5, 5)))
    (folder.src / "benign" / "benign (3).png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    told = folder.adapt("busi")
    assert told.images == 1
    assert sorted(why for _, why, _ in told.account.left_out)[0] == "a mask without its image"
    assert len(told.account.left_out) == 2


def test_a_folder_without_classes_is_refused(folder):
    (folder.src / "images").mkdir()
    with pytest.raises(CannotAdapt, match="benign, malignant, normal"):
        folder.adapt("busi")


def test_training_of_images_reads_the_manifest(folder):
    from core.sets.cases import choose_classes, gather_cases

    folder.picture("benign/benign (1).png", _image(1))
    folder.picture("malignant/malignant (1).png", _image(2))
    folder.adapt("busi")
    cases, classes = choose_classes(gather_cases([folder.out], "finding"), None)
    assert classes == ("benign", "malignant")
    assert cases.refused == []
