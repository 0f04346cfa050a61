"""VinDr-Mammo as published: two tables and images/STUDY/IMAGE.dicom."""

import pytest

from seed_data.adapters import CannotAdapt

BREASTS = (
    "study_id,series_id,image_id,laterality,view_position,height,width,breast_birads,breast_density,split",
    "s1,x,a1,R,CC,64,48,BI-RADS 5,DENSITY C,training",
    "s1,x,a2,L,MLO,64,48,BI-RADS 1,DENSITY C,training",
    "s2,x,b1,L,CC,64,48,BI-RADS 3,DENSITY A,test",
)
FINDINGS = (
    "study_id,series_id,image_id,laterality,view_position,height,width,breast_birads,breast_density,"
    "finding_categories,finding_birads,xmin,ymin,xmax,ymax,split",
    "s1,x,a1,R,CC,64,48,BI-RADS 5,DENSITY C,\"['Mass']\",BI-RADS 4,10.5,12,20,22,training",
    "s1,x,a1,R,CC,64,48,BI-RADS 5,DENSITY C,\"['Skin Thickening']\",,1,1,9,9,training",
    "s1,x,a2,L,MLO,64,48,BI-RADS 1,DENSITY C,\"['No Finding']\",,,,,,training",
    "s2,x,b1,L,CC,64,48,BI-RADS 3,DENSITY A,\"['Mass']\",BI-RADS 2,3,3,8,8,test",
)


@pytest.fixture
def vindr(folder):
    for study, image in (("s1", "a1"), ("s1", "a2"), ("s2", "b1")):
        folder.mammogram(f"images/{study}/{image}.dicom")
    folder.table("breast-level_annotations.csv", *BREASTS)
    folder.table("finding_annotations.csv", *FINDINGS)
    return folder


def test_each_box_by_its_own_bi_rads_and_each_breast_by_its(vindr):
    vindr.table("metadata.csv", "SOP Instance UID,Patient's Age", "a1,053Y", "a2,", "b1,061Y")
    told = vindr.adapt("vindr-mammo")
    assert [(r.path.name, r.finding, r.roi, r.density, r.split, r.age) for r in vindr.rows()] == [
        ("a1.dicom", "malignant", (10.5, 12, 20, 22), "C", "train", 53),
        ("a1.dicom", None, (1, 1, 9, 9), "C", "train", 53),
        ("a2.dicom", "normal", None, "C", "train", None),
        ("b1.dicom", "benign", (3, 3, 8, 8), "A", "test", 61),
    ]
    assert (told.women, told.boxes) == (2, 3)
    assert told.account.left_out == []


def test_a_breast_worse_than_its_boxes_is_said_in_a_row_of_its_own(vindr):
    vindr.table("finding_annotations.csv", FINDINGS[0], FINDINGS[1].replace("BI-RADS 4", "BI-RADS 3"))
    vindr.adapt("vindr-mammo")
    of_image = [(r.finding, r.roi is not None) for r in vindr.rows() if r.path.name == "a1.dicom"]
    assert of_image == [("benign", True), ("malignant", False)]


def test_without_findings_there_are_no_boxes_and_it_says_so(vindr):
    (vindr.src / "finding_annotations.csv").unlink()
    told = vindr.adapt("vindr-mammo")
    assert told.boxes == 0
    assert "finding_annotations.csv is missing: there are no boxes" in told.account.notes


def test_an_inverted_box_and_a_missing_image_are_left_out(vindr):
    vindr.table("finding_annotations.csv", FINDINGS[0], FINDINGS[1].replace("10.5,12,20,22", "20,22,10,12"))
    (vindr.src / "images/s2/b1.dicom").unlink()
    told = vindr.adapt("vindr-mammo")
    assert {why for _, why, _ in told.account.left_out} == {"its box is empty", "its image file is missing"}


def test_suspicion_is_openly_called_malignant(vindr):
    said = "\n".join(vindr.adapt("vindr-mammo").sentences())
    assert "there is no pathology" in said


def test_the_folder_of_images_alone_is_not_the_set(vindr):
    vindr.src /= "images"
    with pytest.raises(CannotAdapt, match=r"breast-level_annotations\.csv"):
        vindr.adapt("vindr-mammo")
