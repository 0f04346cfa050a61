"""Labelled images: which are taken, which are refused, and in which words."""

import pytest

from core.sets.cases import (
    CaseError,
    check_own_lesions,
    choose_classes,
    gather_cases,
    may_be,
    parse_density_source,
    told_apart,
    with_practice,
)
from core.sets.exams import gather
from core.sets.manifest import read_manifest

HEADER = "patient_id,study_date,modality,laterality,view,path,finding,kind,split,roi_x0,roi_y0,roi_x1,roi_y1"


@pytest.fixture
def write(tmp_path):
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(name.encode())

    def write(*rows):
        path = tmp_path / "manifest.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def test_labels_come_from_the_finding_or_from_a_column(write):
    path = write("w1,,US,,,a.png,malignant,x,,,,,", "w2,,US,,,b.png,benign, y ,train,,,,")
    assert [case.label for case in gather_cases([path], "finding").cases] == ["malignant", "benign"]
    assert [case.label for case in gather_cases([path], "kind").cases] == ["x", "y"]
    assert gather_cases([path], "finding").classes == ("benign", "malignant")
    assert gather_cases([path], "finding").cases[1].split == "train"


def test_a_blank_label_and_a_wrong_path_are_refused_by_line(write):
    path = write(
        "w1,,US,,,a.png,malignant,  ,,,,,", "w2,,US,,,none.png,benign,y,,,,,", "w3,,US,,,b.png,,y,,,,,"
    )
    gathered = gather_cases([path], "kind")
    assert len(gathered.cases) == 1
    said = {where.rpartition("line ")[2]: why for where, why in gathered.refused}
    assert "blank" in said["2"]
    assert "none.png" in said["3"]


def test_spelling_of_case_makes_no_class_of_its_own(write):
    path = write("w1,,US,,,a.png,,Cyst,,,,,", "w2,,US,,,b.png,,cyst,,,,,")
    assert gather_cases([path], "kind").classes == ("Cyst",)


def test_rows_of_one_image_are_one_case_with_the_worst_finding(write):
    path = write("w1,,US,,,a.png,benign,x,,1,1,9,9", "w1,,US,,,a.png,malignant,x,,2,2,8,8")
    (case,) = gather_cases([path], "finding").cases
    assert case.label == "malignant"
    assert len(gather_cases([path], "finding", boxes=True).cases) == 2


def test_of_boxes_normal_images_give_tissue_and_others_without_a_box_are_left_out(write):
    path = write(
        "w1,,US,,,a.png,benign,x,,1,1,9,9", "w2,,US,,,b.png,normal,x,,,,,", "w3,,US,,,c.png,malignant,x,,,,,"
    )
    gathered = gather_cases([path], "finding", boxes=True)
    assert [(case.path.name, case.anywhere) for case in gathered.cases] == [("a.png", False), ("b.png", True)]
    assert "1 images without a box" in gathered.notices[-1]


def test_one_image_of_two_women_or_two_labels_stops(write):
    with pytest.raises(CaseError, match=r"line 3: .*a\.png is given to 'w2'"):
        gather_cases([write("w1,,US,,,a.png,benign,x,,,,,", "w2,,US,,,a.png,benign,x,,,,,")], "finding")
    with pytest.raises(CaseError, match="line 3"):
        gather_cases([write("w1,,US,,,a.png,,x,,,,,", "w1,,US,,,a.png,,y,,,,,")], "kind")


def test_a_split_of_another_name_is_refused_by_line(write):
    with pytest.raises(CaseError, match=r"line 2: split is 'tomorrow'"):
        gather_cases([write("w1,,US,,,a.png,benign,x,tomorrow,,,,")], "finding")


def test_a_column_that_is_not_there_and_a_missing_file_are_named(write, tmp_path):
    path = write("w1,,US,,,a.png,benign,x,,,,,")
    with pytest.raises(CaseError, match="no column 'colour'"):
        gather_cases([path], "colour")
    with pytest.raises(CaseError, match="no file or folder"):
        gather_cases([tmp_path / "elsewhere.csv"], "finding")


def test_a_folder_of_class_folders_and_one_of_splits(tmp_path):
    for place in ("yes/1.png", "no/2.png", "no/notes.txt"):
        path = tmp_path / "flat" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    flat = gather_cases([tmp_path / "flat"], "finding")
    assert flat.classes == ("no", "yes")
    assert not flat.grouped
    assert flat.refused[0][0].endswith("notes.txt")
    for place in ("Training/yes/1.png", "Testing/no/2.png"):
        path = tmp_path / "split" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert {case.split for case in gather_cases([tmp_path / "split"], "x").cases} == {"train", "test"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaseError, match="no sub-folders"):
        gather_cases([tmp_path / "empty"], "x")


def test_classes_are_chosen_and_joined(write):
    path = write(
        "w1,,US,,,a.png,normal,x,,,,,",
        "w2,,US,,,b.png,benign,x,,,,,",
        "w3,,US,,,c.png,malignant,x,,,,,",
    )
    gathered = gather_cases([path], "finding")
    some, order = choose_classes(gathered, "benign,malignant")
    assert order == ("benign", "malignant")
    assert len(some.cases) == 2
    joined, order = choose_classes(gathered, "normal+benign, malignant")
    assert [case.label for case in joined.cases] == ["normal+benign", "normal+benign", "malignant"]
    with pytest.raises(CaseError, match="'cyst'"):
        choose_classes(gathered, "cyst,benign")
    with pytest.raises(CaseError, match="one class"):
        choose_classes(gather_cases([path], "kind"), None)


def test_density_may_be_told_by_another_column_openly(write, tmp_path):
    path = write("w1,,MG,L,MLO,a.png,benign,F,,,,,", "w2,,MG,L,MLO,b.png,normal,D,,,,,")
    source = parse_density_source("kind:F=A,G=B,D=C+D")
    assert [case.density for case in gather_cases([path], "finding", density_from=source).cases] == [
        "A",
        "C+D",
    ]
    gathered = gather_cases([path], "density", density_from=source)
    assert gathered.classes == ("A", "C", "D")
    chosen, order = choose_classes(gathered, None)
    assert [may_be(case.label, order) for case in chosen.cases] == [[True, False, False], [False, True, True]]
    assert [case.label for case in choose_classes(gathered, "A,C+D")[0].cases] == ["A", "C+D"]
    assert [len(gather_cases([path], "density").cases), len(gathered.cases)] == [0, 2]


@pytest.mark.parametrize("text", ["tissue", "tissue:", "tissue:F=fatty", ":F=A"])
def test_a_density_source_that_says_nothing_is_refused(text):
    with pytest.raises(CaseError, match="column:value=A"):
        parse_density_source(text)


def test_classes_that_a_label_leaves_open_are_measured_together():
    assert told_apart(["A", "B", "C+D"], "ABCD") == [[0], [1], [2, 3]]
    assert told_apart(["A", "D"], "ABCD") == [[0], [1], [2], [3]]
    assert told_apart(["B+C", "C+D"], "ABCD") == [[0], [1, 2, 3]]
    assert told_apart(["normal"], ["normal+benign", "malignant"]) == [[0], [1]]


def test_practice_images_are_of_other_women(write):
    path = write("w1,,US,,,a.png,benign,x,train,,,,", "w2,,US,,,b.png,malignant,x,,,,,")
    own = gather_cases([path], "finding")
    both = with_practice(own, own).cases
    assert [case.practice for case in both] == [False, False, True, True]
    assert not {case.group for case in both[:2]} & {case.group for case in both[2:]}
    assert both[2].split is None


HEAD = "patient_id,study_date,modality,laterality,view,path,finding,simulated,background,lesion_of\n"


@pytest.fixture
def made(tmp_path):
    """Write a manifest of one row: whose picture, what is found, into whose picture that was put, and whose it was."""
    (tmp_path / "a.png").write_bytes(b"")

    def write(name, woman, finding, background="", simulated=1, lesion_of=""):
        path = tmp_path / name
        path.write_text(f"{HEAD}{woman},,MG,L,MLO,a.png,{finding},{simulated},{background},{lesion_of}\n")
        return path

    return write


def test_practice_that_is_drawn_into_a_womans_pictures_goes_where_she_goes(made):
    """Else she would be measured by a model that has seen her breasts."""
    own, others = made("own.csv", "w1", "normal"), made("others.csv", "w2", "normal")
    for drawn in (made("drawn.csv", "w2-x", "benign", "w2"), made("again.csv", "w2-y", "benign", "w2")):
        both = with_practice(
            gather_cases([own, others], "finding"),
            gather_cases([made("more.csv", "w1-x", "benign", "w1"), drawn], "finding"),
        ).cases
        groups = [(case.group, case.practice) for case in both]
        assert groups == [("w1", False), ("2:w2", False), ("w1", True), ("2:w2", True)]


def test_what_was_drawn_into_pictures_of_nobody_or_of_either_of_two_is_refused(made):
    own, twin = made("own.csv", "w1", "normal"), made("twin.csv", "w1", "normal")
    for data, background, says in (([own], "w9", "none of the women"), ([own, twin], "w1", "several women")):
        drawn = gather_cases([made("drawn.csv", "x", "benign", background)], "finding")
        with pytest.raises(CaseError, match=says):
            with_practice(gather_cases(data, "finding"), drawn)


def test_practice_with_a_lesion_of_another_woman_is_of_both(made):
    own, others = made("own.csv", "w1", "normal"), made("others.csv", "w2", "malignant")
    moved = gather_cases([made("moved.csv", "w1-x", "malignant", "w1", lesion_of="w2")], "finding")
    *_, case = with_practice(gather_cases([own, others], "finding"), moved).cases
    assert case.practice
    assert case.groups == {"w1", "2:w2"}
    with pytest.raises(CaseError, match="something of w2, who is none of the women"):
        with_practice(gather_cases([own], "finding"), moved)


def test_moved_lesions_that_are_not_for_practice_are_refused_wherever_women_are_learned_from_or_measured(
    made,
):
    path = made("moved.csv", "w1-x", "malignant", "w1", lesion_of="w2")
    own = gather_cases([made("own.csv", "w1", "normal"), made("others.csv", "w2", "malignant")], "finding")
    moved = gather_cases([path], "finding")
    check_own_lesions(with_practice(own, moved).cases)
    with pytest.raises(CaseError, match=r"moved.csv, line 2: the lesion was moved .* for practice only"):
        check_own_lesions(moved.cases)
    with pytest.raises(ValueError, match=r"moved.csv, line 2: the lesion was moved .* for practice only"):
        gather([read_manifest(path)])
    assert gather([read_manifest(made("drawn.csv", "w1-x", "malignant", "w1"))]).women


def test_one_picture_with_lesions_of_two_other_women_is_refused(made):
    path = made("moved.csv", "w1-x", "malignant", "w1", lesion_of="w2")
    path.write_text(path.read_text() + "w1-x,,MG,L,MLO,a.png,malignant,1,w1,w3\n")
    with pytest.raises(CaseError, match=r"lesion of 'w3', but by .* one of 'w2'"):
        gather_cases([path], "finding")


def test_a_column_background_of_real_pictures_says_nothing_of_women(made):
    (case,) = gather_cases([made("own.csv", "w1", "normal", "glandular", 0)], "finding").cases
    assert (case.group, case.drawn) == ("w1", False)


def test_a_plus_at_the_end_belongs_to_the_label(write):
    path = write("w1,,US,,,a.png,benign,HER2+,,,,,", "w2,,US,,,b.png,benign,HER2-,,,,,")
    gathered = gather_cases([path], "kind")
    assert gathered.classes == ("HER2+", "HER2-")
    assert may_be("HER2+", gathered.classes) == [True, False]
    assert choose_classes(gathered, "HER2-,HER2+")[1] == ("HER2-", "HER2+")


def test_spelling_of_case_makes_no_class_of_its_own_over_several_manifests(write, tmp_path):
    one = write("w1,,US,,,a.png,benign,Luminal,,,,,")
    other = one.rename(tmp_path / "other.csv")
    path = write("w2,,US,,,b.png,benign,luminal,,,,,")
    assert gather_cases([other, path], "kind").classes == ("Luminal",)
