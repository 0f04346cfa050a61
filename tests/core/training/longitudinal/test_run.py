"""From manifests to training: gathering, labels, splits, the cache, and one whole run."""

import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from itertools import count
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import core.sets.exams
import models.sequence
import models.view
from core.__main__ import app
from core.sets.exams import cache_views, gather
from core.sets.histories import histories_of, observed_rates
from core.sets.manifest import read_manifest
from core.training.longitudinal.plan import Plan, split_women
from core.training.longitudinal.run import labelled_views, taught_by, train_longitudinal
from core.training.recalibration import recalibrate
from core.training.runs import TrainingError, same_plan
from models.longitudinal.model import LongitudinalModel, untrained

COLUMNS = (
    "patient_id,study_date,laterality,view,path,age,finding,density,roi_x0,roi_y0,roi_x1,roi_y1,progression,"
    "cancer_date,cancer_laterality,last_followup_date"
)


def silent(_stage, _done, _figures):
    return None


def breast(path, *, right=False, spot=False):
    image = np.zeros((256, 208), np.uint8)
    cv2.ellipse(image, (0, 128), (150, 100), 0, 0, 360, 90, -1)
    cv2.ellipse(image, (0, 128), (90, 60), 0, 0, 360, 150, -1)
    if spot:
        cv2.circle(image, (80, 128), 12, 255, -1)
    cv2.imwrite(str(path), image[:, ::-1] if right else image)


@pytest.fixture
def exams_of(tmp_path):
    def write(lines, name="manifest.csv"):
        for file, right in (("l.png", False), ("r.png", True)):
            breast(tmp_path / file, right=right)
        breast(tmp_path / "spot.png", spot=True)
        path = tmp_path / name
        path.write_text("\n".join([COLUMNS, *lines]) + "\n", encoding="utf-8")
        return read_manifest(path)

    return write


ILL = [
    "w1,2015-01-01,L,CC,l.png,50,normal,B,,,,,,2018-03-01,L,2022-01-01",
    "w1,2018-01-01,R,CC,r.png,53,normal,C,,,,,0,2018-03-01,L,2022-01-01",
    "w1,2018-01-01,L,CC,spot.png,53,malignant,B,68,116,92,140,1,2018-03-01,L,2022-01-01",
]


def test_labels_follow_from_dates_and_breasts(exams_of):
    exams = gather([exams_of(ILL)])
    (woman,) = exams.women
    assert woman.dates == (date(2015, 1, 1), date(2018, 1, 1))
    vectors = np.arange(3 * 5, dtype=np.float32).reshape(3, 5)
    (history,) = histories_of(exams, [0, 1, 2], vectors, [0])
    assert history.present.sum() == 3
    np.testing.assert_array_equal(history.malignancy, [[0, 0], [1, 0]])
    np.testing.assert_array_equal(history.progression, [[np.nan, np.nan], [1, 0]])
    np.testing.assert_array_equal(history.density, [[1, -1], [1, 2]])
    assert history.years_to_cancer == pytest.approx([1155 / 365.25, 59 / 365.25])
    assert history.years_followed[-1] == pytest.approx(4.0, abs=0.01)
    assert history.cancer_breast == 0
    for place, image in enumerate(exams.images):
        side, slot = "LR".index(image.laterality), 0
        np.testing.assert_array_equal(history.vectors[image.visit, side, slot], vectors[place])


def test_what_is_not_followed_for_a_year_is_not_called_healthy(exams_of):
    line = "w2,2018-01-01,L,CC,l.png,53,normal,B,,,,,,,,2018-06-01"
    exams = gather([exams_of([line])])
    (history,) = histories_of(exams, [0], np.zeros((1, 3), np.float32), [0])
    assert np.isnan(history.malignancy).all()


def test_boxes_move_with_the_view_and_unseen_findings_teach_no_view(exams_of, tmp_path):
    unseen = "w1,2018-01-01,L,MLO,l.png,53,malignant,B,,,,,,2018-03-01,L,2022-01-01"
    exams = gather([exams_of([*ILL, unseen])])
    exams.images = [*exams.images]
    cached = cache_views(exams.images, tmp_path / "cache", silent, processes=1)
    views = labelled_views(exams, cached, range(len(exams.images)))
    place = next(i for i, image in enumerate(exams.images) if image.boxes)
    (lesion,) = views.lesions[place]
    x, y = round((lesion.x0 + lesion.x1) / 2), round((lesion.y0 + lesion.y1) / 2)
    assert views.pixels[place][y, x] > 220, "the box lies on the bright spot"
    assert lesion.malignant
    assert views.finding[place] == 2


def test_rows_of_one_image_make_one_image_with_several_boxes(exams_of):
    twice = [ILL[2], ILL[2].replace("malignant", "benign").replace("68,116,92,140", "10,116,30,140")]
    (image,) = gather([exams_of(twice)]).images
    assert len(image.boxes) == 2
    assert image.finding == "malignant"


def test_women_of_two_manifests_stay_apart(exams_of):
    exams = gather([exams_of(ILL)], [exams_of(ILL, "more.csv")])
    assert [woman.split for woman in exams.women] == [None, "encoder-only"]
    assert len({woman.patient_id for woman in exams.women}) == 2


def many(count, every=3):
    lines = []
    for i in range(count):
        cancer = "2018-09-01,L" if i % every == 0 else ","
        for side, file in (("L", "spot.png" if i % every == 0 else "l.png"), ("R", "r.png")):
            finding = "malignant" if file == "spot.png" else "normal"
            box = "68,116,92,140" if file == "spot.png" else ",,,"
            lines += [
                f"w{i:03d},2016-01-01,{side},CC,{'l' if side == 'L' else 'r'}.png,50,normal,B,,,,,,{cancer},2026-01-01",
                f"w{i:03d},2018-01-01,{side},CC,{file},52,{finding},B,{box},0,{cancer},2026-01-01",
            ]
    return lines


def test_splits_are_by_woman_repeatable_and_spread_cancers(exams_of):
    women = gather([exams_of(many(100))]).women
    splits = split_women(women, 1)
    assert splits == split_women(women, 1)
    assert splits != split_women(women, 2)
    assert {name: splits.count(name) for name in set(splits)} == {
        "encoder": 55,
        "sequence": 18,
        "validation": 17,
        "test": 10,
    }
    ill = [split for split, woman in zip(splits, women, strict=True) if woman.cancer_date]
    assert ill.count("test") in (3, 4)


def test_a_split_that_the_manifest_states_is_kept(exams_of, tmp_path):
    manifest = exams_of(many(20))
    path = tmp_path / "split.csv"
    text = manifest.source.read_text().splitlines()
    path.write_text("\n".join([text[0] + ",split", *(line + ",test" for line in text[1:])]) + "\n")
    assert set(split_women(gather([read_manifest(path)]).women, 0)) == {"test"}


def with_splits(exams_of, tmp_path, splits):
    """Twenty women whose splits are stated in turn."""
    header, *lines = exams_of(many(20)).source.read_text().splitlines()
    stated = [f"{line},{splits[int(line[1:4]) % len(splits)]}" for line in lines]
    path = tmp_path / "split.csv"
    path.write_text("\n".join([header + ",split", *stated]) + "\n")
    return gather([read_manifest(path)]).women


def test_a_split_is_read_in_whatever_words_and_never_taught_where_it_is_to_be_tested(exams_of, tmp_path):
    women = with_splits(exams_of, tmp_path, ["Training", "Test"])
    splits = split_women(women, 0)
    assert {split for split, woman in zip(splits, women, strict=True) if woman.split == "Test"} == {"test"}
    with pytest.raises(TrainingError, match="'fold 1', not train, validation or test"):
        split_women(with_splits(exams_of, tmp_path, ["train", "fold 1"]), 0)


@pytest.mark.parametrize("keep_encoder", [False, True])
def test_where_only_train_and_test_are_stated_train_gives_the_validation_women(
    exams_of, tmp_path, keep_encoder
):
    women = with_splits(exams_of, tmp_path, ["train", "train", "test"])
    splits = split_women(women, 0, keep_encoder=keep_encoder)
    of_train = {split for split, woman in zip(splits, women, strict=True) if woman.split == "train"}
    assert of_train == {"sequence", "validation"} | ({"encoder"} if not keep_encoder else set())


def test_a_malignant_finding_without_a_date_of_diagnosis_is_no_woman_who_stayed_well(exams_of):
    lines = [
        "w1,2015-01-01,L,CC,l.png,50,normal,B,,,,,,,,2023-01-01",
        "w1,2017-01-01,L,CC,spot.png,52,malignant,B,,,,,,,,2023-01-01",
        "w1,2017-01-01,R,CC,r.png,52,normal,B,,,,,,,,2023-01-01",
    ]
    exams = gather([exams_of(lines)])
    (woman,) = histories_of(exams, range(3), np.zeros((3, 4), np.float32), [0])
    assert woman.malignancy[1, 0] == 1
    assert np.isnan(woman.malignancy[1, 1])
    np.testing.assert_allclose(woman.years_followed, [2.0, 0.0], atol=0.01)


def test_dated_and_undated_studies_of_one_woman_are_refused_by_line(exams_of):
    lines = ["w1,2015-01-01,L,CC,l.png,50,,,,,,,,,,", "w1,,R,CC,r.png,50,,,,,,,,,,"]
    with pytest.raises(ValueError, match=r"line 3: this image of w1 has no study_date"):
        gather([exams_of(lines)])


def test_the_cache_goes_on_where_it_was_killed_and_names_what_is_left_out(exams_of, tmp_path, monkeypatch):
    exams = gather([exams_of(many(12))])
    images = list(exams.images)
    (tmp_path / "broken.png").write_bytes(b"no image")
    from dataclasses import replace

    images.append(replace(images[0], path=tmp_path / "broken.png"))
    whole = cache_views(images, tmp_path / "cache", silent, processes=1)
    assert list(whole.left_out) == [str(tmp_path / "broken.png")]
    assert whole.transforms[-1] is None
    before = np.array(whole.pixels)
    facts = next((tmp_path / "cache").glob("*.jsonl"))
    facts.write_text("".join(line + "\n" for line in facts.read_text().splitlines()[:33]))
    again = cache_views(images, tmp_path / "cache", silent, processes=1)
    np.testing.assert_array_equal(before, again.pixels)
    assert again.left_out == whole.left_out


def test_what_is_read_here_and_by_other_processes_is_the_same(exams_of, tmp_path, monkeypatch):
    images = gather([exams_of(many(3))]).images
    here = cache_views(images, tmp_path / "here", silent)
    handed = []

    class Pool(ProcessPoolExecutor):
        def map(self, does, paths, **how):
            handed.extend(paths)
            return super().map(does, paths, **how)

    monkeypatch.setattr(core.sets.exams, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(core.sets.exams, "time", SimpleNamespace(monotonic=count().__next__))
    elsewhere = cache_views(images, tmp_path / "elsewhere", silent)
    assert 0 < len(handed) < len(images)
    np.testing.assert_array_equal(here.pixels, elsewhere.pixels)
    assert here.transforms == elsewhere.transforms


def test_an_image_that_is_changed_is_read_anew_though_its_size_is_the_same(exams_of, tmp_path):
    image = gather([exams_of(many(12))]).images[0]
    path = tmp_path / "one.png"
    for shade in (120, 60):
        picture = np.zeros((256, 208), np.uint8)
        cv2.ellipse(picture, (0, 128), (150, 60 + shade // 2), 0, 0, 360, shade, -1)
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 0])
        one = cache_views([replace(image, path=path)], tmp_path / "cache", silent, processes=1)
        if shade == 120:
            before, stamp, size = np.array(one.pixels), one.stamp, path.stat().st_size
    assert path.stat().st_size == size
    assert one.stamp != stamp
    assert not np.array_equal(one.pixels, before)


def test_too_few_women_are_answered_in_words(exams_of, tmp_path):
    with pytest.raises(TrainingError, match="too few"):
        train_longitudinal([exams_of(ILL)], tmp_path / "out", Plan(minutes=0.1), silent)


def test_women_without_any_cancer_are_answered_in_words(exams_of, tmp_path):
    well = [f"w{n},2015-01-01,L,CC,l.png,50,normal,B,,,,,,,,2022-01-01" for n in range(20)]
    with pytest.raises(TrainingError, match="None of the women has a cancer"):
        train_longitudinal([exams_of(well)], tmp_path / "out", Plan(minutes=0.1), silent)
    assert not (tmp_path / "out").exists()


def test_the_share_of_cancers_is_counted_at_last_visits_and_never_falls(exams_of):
    exams = gather([exams_of(many(30, every=3))])
    vectors = np.zeros((len(exams.images), 4), np.float32)
    women = histories_of(exams, range(len(exams.images)), vectors, range(len(exams.women)))
    rates = observed_rates(women)
    soon = np.mean([history.years_to_cancer[-1] <= 1 for history in women])
    assert rates[0] == pytest.approx(soon)
    assert list(rates) == sorted(rates)


def test_a_run_goes_on_under_the_same_plan_only(tmp_path):
    plan = asdict(Plan(base_rates=(0.1, 0.2, 0.3, 0.4, 0.5)))
    same_plan(tmp_path / "plan.json", plan, [], ["w1 malignant test"])
    same_plan(tmp_path / "plan.json", plan, [], ["w1 malignant test"])
    with pytest.raises(TrainingError, match="labels"):
        same_plan(tmp_path / "plan.json", plan, [], ["w1 malignant train"])
    with pytest.raises(TrainingError, match="minutes"):
        same_plan(tmp_path / "plan.json", plan | {"minutes": 1.0}, [], ["w1 malignant test"])


@pytest.mark.parametrize("said", ["1,2,3", "2,1,3,4,5", "0,1,2,3,4", "one,2,3,4,5"])
def test_base_rates_that_cannot_be_are_wrong_use(exams_of, tmp_path, said):
    exams_of(ILL)
    asked = ["train", "longitudinal", "--data", str(tmp_path / "manifest.csv"), "--out", str(tmp_path / "m")]
    told = CliRunner().invoke(app, [*asked, "--base-rates", said])
    assert told.exit_code == 2
    assert not (tmp_path / "m").exists()


@pytest.fixture
def brief(monkeypatch):
    """Encoders are narrow and heads see few epochs: these tests are about the run, not about what it reaches."""
    monkeypatch.setattr(models.view, "EncoderConfig", partial(models.view.EncoderConfig, width=0.25))
    monkeypatch.setattr(models.sequence, "SequenceRecipe", partial(models.sequence.SequenceRecipe, epochs=3))


@pytest.mark.slow
def test_a_whole_run_gives_a_model_that_scores_and_is_evaluated(exams_of, tmp_path, brief):
    manifest = exams_of(many(24))
    out = tmp_path / "model"
    plan = Plan(minutes=0.2, members=1, name="tiny")
    train_longitudinal([manifest], out, plan, silent, facts={"title": "Tiny", "simulated_training": True})
    assert (out / "curves.csv").read_text().startswith("stage")
    card = json.loads((out / "card.json").read_text())
    assert card["title"] == "Tiny"
    assert set(card["files"]) >= {"encoder.keras", "sequence.keras", "control_dates.keras"}
    with pytest.raises(TrainingError, match="other settings"):
        train_longitudinal([manifest], out, Plan(minutes=0.3, members=1, name="tiny"), silent)

    load = "import sys; from models.longitudinal.model import LongitudinalModel as M; M.load(sys.argv[1])"
    loaded = subprocess.run([sys.executable, "-c", load, str(out)], capture_output=True, text=True)
    assert loaded.returncode == 0, f"serving must not need what training does: {loaded.stderr[-500:]}"

    run = CliRunner().invoke(
        app,
        [
            "evaluate",
            str(out),
            "--data",
            str(manifest.source),
            "--out",
            str(tmp_path / "e"),
            "--json",
            "--draws",
            "20",
        ],
    )
    assert run.exit_code == 0, run.output
    measured = json.loads(run.stdout)
    assert measured["women"] == 24
    assert set(measured["risk"]) == {"1", "2", "3", "4", "5"}
    assert measured["weights_sha256"] == card["weights_sha256"]
    assert len((tmp_path / "e" / "predictions.csv").read_text().splitlines()) == 1 + 48
    assert "<table>" in (tmp_path / "e" / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_a_kept_encoder_is_the_same_afterwards_and_all_women_teach_what_stands_on_it(
    exams_of, tmp_path, brief, monkeypatch
):
    # What is shown less than all of it is trained alike.
    monkeypatch.setattr(models.sequence, "MODES", ("history", "dates"))
    untrained(3, width=0.25, members=1).save(tmp_path / "before")
    (tmp_path / "simulation.json").write_text('{"seed": 17}')
    plan = Plan(minutes=0.2, members=1, start_from=str(tmp_path / "before"), keep_encoder=True)
    measured = train_longitudinal([exams_of(many(24))], tmp_path / "model", plan, silent)
    assert json.loads((tmp_path / "model" / "card.json").read_text())["settings"]["seeds"] == [17]
    assert measured["split"]["encoder"] == 0
    assert sum(measured["split"].values()) == 24
    before, after = (LongitudinalModel.load(tmp_path / name).encoder for name in ("before", "model"))
    for old, new in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_model_keeps_the_seeds_of_the_one_it_goes_on_from(exams_of, tmp_path):
    manifest = exams_of(many(12))
    before = untrained(3, width=0.25, members=1).card
    assert taught_by([manifest], before) == []
    (tmp_path / "simulation.json").write_text('{"seed": 17}')
    assert taught_by([manifest, manifest], replace(before, settings={"seeds": [101, 9]})) == [9, 17, 101]


@pytest.mark.slow
def test_a_model_calibrated_anew_expects_the_cancers_that_came_and_keeps_its_networks(exams_of, tmp_path):
    before = untrained(3, width=0.25, members=1).save(tmp_path / "before")
    (tmp_path / "simulation.json").write_text(
        '{"seed": 17, "statement": "None real.", "case_mix": {"cancer_rate": null}}'
    )
    data = ["--data", str(exams_of(many(40, every=2)).source)]
    asked = ["train", "calibration", str(tmp_path / "before"), *data, "--out", str(tmp_path / "after")]
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 0, run.output
    after = LongitudinalModel.load(tmp_path / "after").card
    assert (after.encoder_sha256, after.weights_sha256) == (before.encoder_sha256, before.weights_sha256)
    assert "40 women who did not teach it" in after.calibration
    measured = CliRunner().invoke(
        app,
        ["evaluate", str(tmp_path / "after"), *data, "--out", str(tmp_path / "e"), "--json", "--draws", "20"],
    )
    assert measured.exit_code == 0, measured.output
    said = json.loads(measured.stdout)
    # Of the first year: later risks may be lifted to it, where networks that learned nothing rank women otherwise.
    assert said["risk"]["1"]["o_e"] == pytest.approx(1.0, abs=0.001)
    assert said["set"]["model_learned_from_seeds"] == [17]
    assert CliRunner().invoke(app, asked).exit_code == 2  # a model that is there is not overwritten


def test_a_model_of_single_images_has_no_risks_to_calibrate(tmp_path):
    run = CliRunner().invoke(
        app, ["train", "calibration", "tumour-us", "--data", "none.csv", "--out", str(tmp_path / "after")]
    )
    assert run.exit_code == 2
    assert "single images" in run.stderr
    assert not (tmp_path / "after").exists()


def test_women_who_taught_a_model_and_too_few_do_not_calibrate_it(exams_of, tmp_path):
    model = untrained(3, width=0.25, members=1)
    model.card = replace(model.card, settings={"seeds": [17]})
    model.save(tmp_path / "before")
    with pytest.raises(TrainingError, match=r"Within 1 year .* 5 of each"):
        recalibrate(tmp_path / "before", [exams_of(many(12))], tmp_path / "after", silent)
    unfollowed = [line.rpartition(",")[0] + "," for line in many(24)]
    with pytest.raises(TrainingError, match=r"0 are known to have had none.*last_followup_date"):
        recalibrate(tmp_path / "before", [exams_of(unfollowed)], tmp_path / "after", silent)
    (tmp_path / "simulation.json").write_text('{"seed": 17}')
    with pytest.raises(TrainingError, match="women of seed 17 taught"):
        recalibrate(tmp_path / "before", [exams_of(many(24))], tmp_path / "after", silent)
    assert not (tmp_path / "after" / "card.json").exists()


def test_to_keep_an_encoder_one_must_be_named(exams_of, tmp_path):
    with pytest.raises(TrainingError, match="--start-from"):
        train_longitudinal([exams_of(many(12))], tmp_path / "m", Plan(keep_encoder=True), silent)
    assert not (tmp_path / "m").exists()


def test_the_metrics_verb_measures_a_file_of_scores(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("y_true,y_score\n1,0.8\n1,0.5\n0,0.5\n0,0.5\n")
    run = CliRunner().invoke(app, ["metrics", str(path), "--json"])
    assert run.exit_code == 0
    measured = json.loads(run.stdout)
    assert measured["auc"] == 0.75
    assert measured["n"] == 4
    assert measured["events"] == 2
    path.write_text("time,event,y_score\n1,1,3\n2,0,2\n3,1,1\n")
    assert json.loads(CliRunner().invoke(app, ["metrics", str(path), "--json"]).stdout)["c_index"] == 1.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "columns"),
        ("y_true,y_score\n1,x\n", "line 2"),
        ("y_true,y_score\n3,1\n", "0 or 1"),
        ("", "CSV"),
    ],
)
def test_a_file_that_is_no_score_file_is_wrong_use(tmp_path, text, says):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    run = CliRunner().invoke(app, ["metrics", str(path), "--json"])
    assert run.exit_code == 2
    assert says in run.stderr
