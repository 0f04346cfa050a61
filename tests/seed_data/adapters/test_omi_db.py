"""OMI-DB as its own reader describes it: episodes, opinions, lesions, marks."""

import json
from datetime import date

import pytest

from seed_data.adapters import CannotAdapt


def _tags(side, view, intent="FOR PRESENTATION", age="058Y"):
    return {
        "00200062": {"vr": "CS", "Value": [side]},
        "00185101": {"vr": "CS", "Value": [view]},
        "00080068": {"vr": "CS", "Value": [intent]},
        "00101010": {"vr": "AS", "Value": [age]},
    }


EPISODES = {
    "ClientID": "optm1",
    "1": {
        "EpisodeType": "R",
        "EpisodeOpenedDate": "2012-05-01",
        "SCREENING": {
            "left_opinion": "ON",
            "L": {"Opinion": "R1", "DateTaken": "20120503"},
            "R": {"Opinion": "RN"},
        },
    },
    "2": {
        "EpisodeType": "R",
        "EpisodeOpenedDate": "2015-05-01",
        "BIOPSYWIDE": {
            "left_opinion": "OM",
            "L": {"1": {"DatePerformed": "2015-06-11", "Opinion": "B5"}, "2": {"Opinion": "B2"}},
        },
        "SURGERY": {"left_opinion": "OM", "L": {"1": {"DatePerformed": "2015-07-20", "Opinion": "H5"}}},
        "SCREENING": {"right_opinion": "ON"},
    },
}
STUDIES = {
    "1.2.3": {"StudyDate": "20120503", "EpisodeID": "1", "1.2.3.1": {"1.2.3.1.1": {}, "1.2.3.1.2": {}}},
    "1.2.4": {
        "StudyDate": "20150512",
        "EpisodeID": "2",
        "1.2.4.1": {
            "1.2.4.1.1": {
                "10": {"MarkID": "10", "X1": 3, "Y1": 4, "X2": 13, "Y2": 24, "LinkedNBSSLesionNumber": "1"},
                "11": {
                    "MarkID": "11",
                    "X1": "20",
                    "Y1": "4",
                    "X2": "30",
                    "Y2": "9",
                    "LinkedNBSSLesionNumber": "02",
                },
            },
            "1.2.4.1.2": {},
            "1.2.4.1.3": {},
        },
    },
}
IMAGES = {
    ("1.2.3", "1.2.3.1.1"): _tags("L", "CC"),
    ("1.2.3", "1.2.3.1.2"): _tags("R", "CC"),
    ("1.2.4", "1.2.4.1.1"): _tags("L", "MLO"),
    ("1.2.4", "1.2.4.1.2"): _tags("R", "MLO"),
    ("1.2.4", "1.2.4.1.3"): _tags("L", "MLO", "FOR PROCESSING"),
}


@pytest.fixture
def omi(folder):
    folder.table("omidb/data/optm1/nbss_optm1.json", json.dumps(EPISODES))
    folder.table("omidb/data/optm1/imagedb_optm1.json", json.dumps({"Site": "jarv", "STUDIES": STUDIES}))
    for (study, image), tags in IMAGES.items():
        folder.table(f"omidb/data/optm1/{study}/{image}.json", json.dumps(tags))
        folder.mammogram(f"omidb/images/optm1/{study}/{image}.dcm")
    return folder


def test_episodes_give_findings_marks_boxes_and_biopsies_the_cancers_date(omi):
    told = omi.adapt("omi-db")
    rows = omi.rows()
    assert [(str(r.study_date), r.laterality, r.view, r.finding, r.roi) for r in rows] == [
        ("2012-05-03", "L", "CC", "normal", None),
        ("2012-05-03", "R", "CC", "normal", None),
        ("2015-05-12", "L", "MLO", "malignant", (3, 4, 13, 24)),
        ("2015-05-12", "L", "MLO", "benign", (20, 4, 30, 9)),
        ("2015-05-12", "R", "MLO", "normal", None),
    ]
    assert {(r.cancer_date, r.cancer_laterality) for r in rows} == {(date(2015, 6, 11), "L")}
    assert {r.last_followup_date for r in rows} == {date(2015, 7, 20)}
    assert {r.age for r in rows} == {58}
    assert dict(told.account.aside) == {"images For Processing: the view is there For Presentation": 1}
    assert (told.women, told.studies, told.account.left_out) == (1, 2, [])


def test_suspicion_on_images_alone_proves_no_cancer(omi):
    omi.table(
        "omidb/data/optm1/nbss_optm1.json",
        json.dumps({"2": {"SCREENING": {"left_opinion": "OS", "right_opinion": "OM"}}}),
    )
    omi.adapt("omi-db")
    rows = omi.rows()
    assert {r.finding for r in rows} == {None}
    assert {r.cancer_date for r in rows} == {None}


def test_an_interval_cancer_is_dated_by_its_diagnosis(omi):
    omi.table(
        "omidb/data/optm1/nbss_optm1.json",
        json.dumps(
            {
                "2": {
                    "EpisodeType": "CI",
                    "IntervalCancerDateOfDiagnosis": "2016-02-03",
                    "INTERVALCANCER": {"R": {"1": {}}},
                }
            }
        ),
    )
    omi.adapt("omi-db")
    assert {(r.cancer_date, r.cancer_laterality) for r in omi.rows()} == {(date(2016, 2, 3), "R")}


def test_tags_missing_beside_the_image_are_read_from_it(omi):
    for path in (omi.src / "omidb/data/optm1").glob("*/*.json"):
        path.unlink()
    for study, image in IMAGES:
        omi.mammogram(f"omidb/images/optm1/{study}/{image}.dcm", ImageLaterality="R", ViewPosition="MLO")
    omi.adapt("omi-db")
    assert {(r.laterality, r.view) for r in omi.rows()} == {("R", "MLO")}


def test_damaged_and_deep_files_and_missing_images_are_left_out_and_the_rest_goes_on(omi):
    for client, text in (("optm2", "{"), ("optm3", "[" * 100_000), ("optm4", "[1]")):
        omi.table(f"omidb/data/{client}/nbss_{client}.json", text)
        omi.table(f"omidb/data/{client}/imagedb_{client}.json", "{}")
    (omi.src / "omidb/images/optm1/1.2.3/1.2.3.1.2.dcm").unlink()
    told = omi.adapt("omi-db")
    assert told.images == 3
    assert [why for _, why, _ in told.account.left_out] == [
        "its image file is missing",
        *["its nbss_….json cannot be read"] * 3,
    ]


def test_strange_shapes_of_json_do_no_harm(omi):
    omi.table(
        "omidb/data/optm1/nbss_optm1.json",
        json.dumps(
            {"1": {"SCREENING": [], "BIOPSYWIDE": {"L": [], "left_opinion": {}}, "SURGERY": "no"}, "2": []}
        ),
    )
    strange = {
        "../../etc": {"StudyDate": "20120503", "1.2": {"1.2": {}}},
        "1.2.3": STUDIES["1.2.3"],
        "1.9": "x",
    }
    omi.table("omidb/data/optm1/imagedb_optm1.json", json.dumps({"STUDIES": strange}))
    told = omi.adapt("omi-db")
    assert (told.images, told.account.left_out) == (2, [])


def test_another_folder_is_told(folder):
    with pytest.raises(CannotAdapt, match="no folders data and images"):
        folder.adapt("omi-db")
