"""Training on real films: who teaches whom, what is measured, and a model that can be loaded."""

import csv
import json

import cv2
import keras
import numpy as np
import pytest
from keras import layers

import models.film.encoder
import models.film.maps
import models.sequence
from core.sets import read_manifest
from core.training.films import run
from core.training.films.folds import JUDGED, Judges, train_judges
from core.training.films.gathered import Shown, gather_films
from core.training.films.measured import OutOfFold, measure_lives
from core.training.films.plan import FilmPlan, folds_of
from core.training.films.run import train_on_films
from core.training.runs import TrainingError
from models.film import FILM_SHAPE
from models.longitudinal import LongitudinalModel
from models.sequence import History, SequenceConfig, build_ensemble, build_sequence

WOMEN, LIVES = 12, 2
PLAN = FilmPlan(folds=3, members=1, judges=1, steps=2, seed=0, name="tried")


def silent(_stage, _done, _figures):
    return None


def picture(path, *, spot=0):
    random = np.random.default_rng(len(path.name) + spot)
    image = np.zeros((128, 104), np.uint8)
    cv2.ellipse(image, (0, 64), (75, 50), 0, 0, 360, 90, -1)
    image = np.where(image > 0, image + random.integers(0, 40, image.shape), 0).astype(np.uint8)
    if spot:
        cv2.circle(image, (40, 64), spot, 250, -1)
    cv2.imwrite(str(path), image)


def written(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, sorted({key for row in rows for key in row}))
        writer.writeheader()
        writer.writerows(rows)
    return read_manifest(path)


def box(spot):
    return {"roi_x0": 40 - spot, "roi_y0": 64 - spot, "roi_x1": 40 + spot, "roi_y1": 64 + spot}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Twelve women's films, some with a lesion, two lives in the normal breast of each, and a lesion drawn into it."""
    folder = tmp_path_factory.mktemp("sets")
    films, made, drawn = [], [], []
    for number in range(WOMEN):
        name = f"w{number}"
        kind = ("normal", "benign", "malignant")[number % 3]
        for side, finding in (("L", "normal"), ("R", kind)):
            spot = 0 if finding == "normal" else 10
            path = folder / f"{name}_{side}.png"
            picture(path, spot=spot)
            row = {"patient_id": name, "study_date": "", "laterality": side, "view": "MLO", "path": path.name}
            films.append(
                row | {"finding": finding, "density": "AB"[number % 2]} | (box(spot) if spot else {})
            )
        for life in range(LIVES):
            ill = (number + life) % 2 == 0
            for year in (2015, 2017):
                spot = 8 if ill and year == 2017 else 0
                path = folder / f"{name}_{life}_{year}.png"
                picture(path, spot=spot)
                made.append(
                    {
                        "patient_id": f"l{number}-{life}", "study_date": f"{year}-01-01", "laterality": "L",
                        "view": "MLO", "path": path.name, "age": 50 + year - 2015, "density": "AB"[number % 2],
                        "finding": "malignant" if spot else "normal",
                        "progression": int(bool(spot)) if year == 2017 else "",
                        "cancer_date": "2017-06-01" if ill else "", "cancer_laterality": "L" if ill else "",
                        "last_followup_date": "2024-01-01", "background": name,
                    }
                    | (box(spot) if spot else {})
                )  # fmt: skip
        picture(folder / f"{name}_drawn.png", spot=9)
        drawn.append(
            {
                "patient_id": f"{name}-inserted-0", "study_date": "", "laterality": "L", "view": "MLO",
                "path": f"{name}_drawn.png", "finding": "benign", "background": name,
            }
            | box(9)
        )  # fmt: skip
    manifests = {"films": films, "made": made, "drawn": drawn}
    return tuple(written(folder / f"{name}.csv", rows) for name, rows in manifests.items())


@pytest.fixture
def small_networks(monkeypatch):
    """Networks of four channels in the place of those that read films: what they see does not matter here."""

    def build(_weights=None):
        keras.utils.set_random_seed(0)
        built = {}
        for name in ("lite0", "lite2", "vgg16"):
            view = keras.Input((None, None, 1))
            small = layers.AveragePooling2D(16)(view)
            answers = layers.Conv2D(4, 1, activation="relu")(small)
            built[name] = keras.Model(view, [answers], name=name)
        return built

    monkeypatch.setattr(models.film.maps, "build_backbones", build)
    monkeypatch.setattr(models.film.encoder, "build_backbones", build)
    monkeypatch.setattr(models.film, "rounded_backbones", build, raising=False)


@pytest.fixture
def quick_judges(monkeypatch):
    """One network that has learned nothing in the place of all that would be trained: that is `models.sequence`'s to test."""
    ensembles = {}

    def judge(training, _validation, _plan, _report, _members, modes=JUDGED, *, map_grid):
        size = training[0].vectors.shape[-1]
        if not ensembles:
            config = SequenceConfig(size, map_grid=map_grid, fused=4, step=4, state=4)
            ensembles[0] = build_ensemble([build_sequence(config, name="one")], size)
        return Judges(dict.fromkeys(modes, ensembles[0]), {mode: np.zeros(5) for mode in modes}, 0.0, [])

    monkeypatch.setattr(run, "train_judges", judge)


def test_all_that_shows_one_womans_pictures_is_in_one_fold(sets):
    gathered = gather_films([sets[0]], [sets[1]], [sets[2]])
    assert [gathered.shown.count(one) for one in Shown] == [WOMEN, WOMEN * LIVES, WOMEN]
    fold = folds_of(gathered.exams, gathered.whose, 3, 0)
    by_woman = {}
    for name, one in zip(gathered.whose, fold.tolist(), strict=True):
        by_woman.setdefault(name, set()).add(one)
    assert len(by_woman) == WOMEN
    assert all(len(one) == 1 for one in by_woman.values())
    assert sorted(np.bincount([next(iter(one)) for one in by_woman.values()])) == [4, 4, 4]


def test_lives_in_pictures_that_are_not_given_are_refused(sets, tmp_path):
    rows = list(csv.DictReader(sets[1].source.open(encoding="utf-8", newline="")))
    folder = sets[1].source.parent
    rows[0]["background"] = "someone"
    with pytest.raises(TrainingError, match="pictures of someone and of w0"):
        gather_films([sets[0]], [written(folder / "two.csv", rows)])
    rows[1]["background"] = "someone"
    stranger = written(folder / "stranger.csv", rows)
    with pytest.raises(TrainingError, match="pictures of someone"):
        gather_films([sets[0]], [stranger])
    moved = written(folder / "moved.csv", [row | {"lesion_of": "w1", "simulated": "1"} for row in rows])
    with pytest.raises(TrainingError, match="real ones of other women"):
        gather_films([sets[0]], [moved])
    for row in rows:
        del row["background"]
    with pytest.raises(TrainingError, match="column background"):
        gather_films([sets[0]], [written(folder / "nameless.csv", rows)])


def test_a_model_is_measured_out_of_fold_and_can_be_loaded(sets, tmp_path, small_networks, quick_judges):
    films, made, drawn = sets
    measured = train_on_films([films], [made], "networks", tmp_path / "out", PLAN, silent, practice=[drawn])
    assert measured["women"] == WOMEN
    assert measured["lives"] == WOMEN * LIVES
    assert measured["risk"]["5"]["n"] == WOMEN * LIVES
    assert set(measured["controls"]) == {"last"}
    low, high = measured["controls"]["last"]["5"]["gain_ci"]
    assert low <= measured["controls"]["last"]["5"]["gain"] <= high
    assert measured == json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    model = LongitudinalModel.load(tmp_path / "out")
    assert model.shape == FILM_SHAPE
    assert model.card.calibrated_on_simulated
    assert set(model.card.files) >= {"encoder.npz", "sequence.keras"}
    assert model.card.encoder_sha256 == model.card.files["encoder.npz"]
    other = FilmPlan(folds=4, members=1, judges=1, steps=2, name="tried")
    with pytest.raises(TrainingError, match="other settings"):
        train_on_films([films], [made], "networks", tmp_path / "out", other, silent)
    plan = tmp_path / "out" / "work" / "plan.json"
    began = json.loads(plan.read_text("utf-8"))
    plan.write_text(json.dumps(began | {"detector": began["detector"] | {"hardest": 30}}), "utf-8")
    with pytest.raises(TrainingError, match=r"other settings \(detector\)"):
        train_on_films([films], [made], "networks", tmp_path / "out", PLAN, silent, practice=[drawn])


def test_networks_that_are_not_there_are_refused_before_anything_is_written(sets, tmp_path):
    with pytest.raises(TrainingError, match="No model is called 'nothing'"):
        train_on_films([sets[0]], [sets[1]], "nothing", tmp_path / "out", PLAN, silent)
    assert not (tmp_path / "out").exists()


def test_as_many_networks_judge_as_are_asked_for(monkeypatch):
    class Enough(Exception):
        pass

    def fit(_config, _shown, _held, recipe, _report, **_more):
        raise Enough(recipe.members)

    monkeypatch.setattr(models.sequence, "fit_sequence", fit, raising=False)
    woman = History(
        "w0", np.zeros(1), np.full(1, 50.0), np.zeros((1, 2, 3, 8), np.float32), np.ones((1, 2, 3), bool),
        np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32), np.zeros((1, 2), np.int64),
        np.zeros((1, 2), np.int64), np.full(1, np.nan), -1, np.full(1, 5.0), np.ones(1),
    )  # fmt: skip
    with pytest.raises(Enough, match=r"^4$"):
        train_judges([woman], [woman], PLAN, silent, 4, map_grid=(1, 1))


def test_lives_in_one_womans_pictures_do_not_make_an_interval_narrower():
    random = np.random.default_rng(0)
    label = np.repeat([1.0, 0.0], 20)
    said = random.normal(label[:, None] * 1.5, 1, (40, 5))
    other = random.normal(label[:, None], 1, (40, 5))

    def found(times):
        one = OutOfFold()
        for _ in range(times):
            one.whose += [f"w{i}" for i in range(40)]
            one.to_cancer += [2.0 if ill else np.nan for ill in label]
            one.followed += [8.0] * 40
            one.said.setdefault("history", []).extend(said)
            one.said.setdefault("last", []).extend(other)
        return measure_lives(one)["controls"]["last"]["5"]

    once, thrice = found(1), found(3)
    assert thrice["gain"] == pytest.approx(once["gain"])
    assert thrice["gain_ci"] == pytest.approx(once["gain_ci"], abs=0.02)
