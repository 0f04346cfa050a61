"""One image, read: the gate, the shape of the answer, boxes, and which model speaks."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.desk.classify import Classifier, parse_box
from core.desk.open_image import BoxError
from core.desk.who_speaks import finding_models, speakers
from core.settings import Settings
from models.classifier.model import ImageModel
from models.classifier.network import ImageConfig, build_image_network
from models.classifier.preprocess import ImageInput
from models.longitudinal.model import untrained
from models.measures.domain import spread_of
from models.store import registry
from models.store.registry import ModelCard


def draw_breast():
    """Half an ellipse of mottled tissue against dark air: enough for the gate."""
    random = np.random.default_rng(0)
    down, across = np.mgrid[0:800, 0:640]
    inside = ((across / 420) ** 2 + ((down - 400) / 340) ** 2) < 1
    tissue = cv2.GaussianBlur(random.normal(0, 1, (800, 640)).astype(np.float32), (0, 0), 9)
    shades = np.where(inside, 120 + 60 * tissue / np.abs(tissue).max(), 4)
    return shades.astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("images")
    cv2.imwrite(str(made / "breast.png"), draw_breast())
    noise = np.random.default_rng(1).integers(0, 255, (300, 300)).astype(np.uint8)
    cv2.imwrite(str(made / "noise.png"), noise)
    (made / "broken.png").write_bytes((made / "breast.png").read_bytes()[:900])
    untrained(0, width=0.25, members=1).save(made / "model")
    return made


def classify(folder, *names, model="model", options=()):
    paths = [str(folder / name) for name in names]
    asked = ["--model", str(folder / model)] if model else []
    return CliRunner().invoke(app, ["classify", *paths, *asked, *options])


def test_mammograms_are_read_and_others_refused_with_a_reason(folder):
    result = classify(folder, "breast.png", "noise.png", "broken.png", "none.png", options=["--json"])
    assert result.exit_code == 1
    read, noise, broken, none = json.loads(result.stdout)
    assert read["refused"] is None
    assert set(read["tumour"]) == {"normal", "benign", "malignant"}
    assert set(read["density"]) == set("ABCD")
    assert sum(read["tumour"].values()) == pytest.approx(1, abs=1e-5)
    assert sum(read["density"].values()) == pytest.approx(1, abs=1e-5)
    assert "untrained" in read["model"]
    assert (noise["refused"], noise["tumour"], noise["model"]) == ("not_a_breast_image", None, None)
    assert broken["refused"] in ("truncated", "unreadable")
    assert none["refused"] == "unreadable_path"
    assert all(one["detail"] for one in (noise, broken, none))


def test_a_box_gives_probabilities_of_its_own_that_sum_to_1(folder):
    whole = json.loads(classify(folder, "breast.png", options=["--json"]).stdout)[0]
    result = classify(folder, "breast.png", options=["--roi", "100,300,250,450", "--json"])
    assert result.exit_code == 0, result.output
    (boxed,) = json.loads(result.stdout)
    assert boxed["roi"] == [100, 300, 250, 450]
    assert sum(boxed["tumour"].values()) == pytest.approx(1)
    assert boxed["tumour"] != whole["tumour"]
    assert boxed["density"] == pytest.approx(whole["density"])


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ("1,2,3", "four numbers"),
        ("a,b,c,d", "four numbers"),
        ("nan,0,1,1", "empty"),
        ("50,50,20,90", "empty"),
        ("600,10,700,90", "outside the image, which is 640 wide and 800 high"),
        ("560,10,620,60", "shows no breast"),
    ],
)
def test_a_wrong_box_gets_a_sentence_and_exit_2(folder, box, says):
    result = classify(folder, "breast.png", options=["--roi", box])
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.stderr.split())


def test_without_a_model_it_is_said_which_is_missing(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    result = classify(folder, "breast.png", model=None)
    assert result.exit_code == 2
    assert "No model is called" in " ".join(result.stderr.split())


def image_model(name, task="finding", limit=np.inf, classes=("benign", "malignant")):
    """A model of whole breasts with random weights that knows pictures up to a distance; None: it does not know which."""
    from models.classifier.dense_head import (
        DenseHead,
    )  # it loads TensorFlow, which is not for whoever collects tests

    config = ImageConfig(classes, ImageInput((64, 64), "breast"), width=0.25)
    settings = {"task": task, "modalities": ["MG"], "plan": {"region": "breast"}}
    card = ModelCard(name, "T", "", "", "", "", {}, "", "", "", "2026-01-01", {}, False, settings)
    head = DenseHead(build_image_network(config), config)
    domain = None
    if limit is not None:
        vectors = head.vectors(np.random.default_rng(0).random((4, 64, 64)))
        domain = replace(spread_of(vectors, ["w"] * 4, "four pictures"), limit=limit)
    return ImageModel(card, head, domain=domain)


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Install models in a folder of their own; the longitudinal model knows every picture."""
    untrained(0, width=0.25, members=1).save(tmp_path / "spoken")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    monkeypatch.setenv("LONGVIEW_MODEL", str(tmp_path / "spoken"))

    def install(*models):
        for model in models:
            model.save(tmp_path / model.card.name)
        return Classifier(Settings(_env_file=None))

    return install


def test_an_encoder_whose_figures_were_held_against_drawn_lesions_gives_none_of_real_films(tmp_path):
    model = untrained(0, width=0.25, members=1)
    settings = model.card.settings | {"calibrated_on_simulated": True}
    model.card = replace(model.card, simulated_training=False, settings=settings)
    model.save(tmp_path / "films")
    item = Classifier(Settings(_env_file=None), str(tmp_path / "films")).classify_pixels(draw_breast(), "x")
    assert (item.tumour, item.density) == (None, None)
    assert set(item.untrusted) == {"finding", "density"}
    assert "held against real women" in item.spoke[0].trust.sentence


def test_an_installed_image_model_speaks_before_the_encoder(installed):
    classifier = installed(image_model("tumour-x"))
    item = classifier.classify_pixels(draw_breast(), "breast")
    assert set(item.tumour) == {"benign", "malignant"}
    assert set(item.density) == set("ABCD")
    assert item.model == "tumour-x, untrained (its encoder)"
    # It reads whole breasts: a box is looked at by the encoder.
    boxed = classifier.classify_pixels(draw_breast(), "breast", (100, 300, 250, 450))
    assert set(boxed.tumour) == {"normal", "benign", "malignant"}


def test_each_model_speaks_of_the_pictures_in_its_own_domain_only(installed):
    density = image_model("density-x", "density", classes=tuple("ABCD"))
    item = (
        installed(image_model("tumour-x", limit=0.0), density).classify_pixels(draw_breast(), "b").to_json()
    )
    assert item["tumour"] is None
    assert set(item["density"]) == set("ABCD")
    assert item["trust"]["level"] == "withheld"
    assert "unlike those that the model learned from" in item["trust"]["reason"]
    assert item["trust"]["distance"] > item["trust"]["limit"] == 0
    assert item["density_trust"]["level"] == "trusted"
    assert set(item["untrusted"]["tumour"]) == {"benign", "malignant"}
    assert item["untrusted"]["density"] is None
    json.dumps(item, allow_nan=False)


def test_a_model_that_does_not_say_what_it_knows_is_withheld_with_the_command_that_mends_it(
    installed, folder
):
    installed(image_model("tumour-old", limit=None))
    result = classify(folder, "breast.png", model=None, options=["--json"])
    assert result.exit_code == 0, result.output
    (item,) = json.loads(result.stdout)
    assert item["tumour"] is None
    assert item["trust"] | {"reason": ""} == {
        "level": "withheld",
        "reason": "",
        "distance": None,
        "limit": None,
    }
    speaks = {one["task"]: one for one in item["spoke"]}["finding"]
    assert "python -m core train domain tumour-old" in speaks["needed"]
    assert sum(item["untrusted"]["tumour"].values()) == pytest.approx(1)
    told = classify(folder, "breast.png", model=None).stdout
    assert "tumour: withheld. It is not recorded which pictures this model learned from." in " ".join(
        told.split()
    )
    assert "malignant" not in told


def test_a_class_of_its_own_is_withheld_in_its_own_place(installed):
    installed(image_model("kind-x", "kind", limit=0.0, classes=("fatty", "cystic")))
    folder = registry.WEIGHTS / "kind-x"
    item = Classifier(Settings(_env_file=None), str(folder)).classify_pixels(draw_breast(), "b").to_json()
    assert item["other"] == {"kind": None}
    assert item["trust"]["level"] == "withheld"
    assert set(item["untrusted"]["other"]["kind"]) == {"fatty", "cystic"}


@pytest.mark.parametrize(
    ("measured_there", "doubt"),
    [(None, "unlike_picture"), ({"auc": 0.9}, "unlike_picture"), ({"auc": 0.56, "auc_ci": [0.36, 0.8]}, "too_weak")],
)  # fmt: skip
def test_of_another_scanner_nothing_is_said_where_that_was_not_measured_or_is_weak(
    installed, measured_there, doubt
):
    model = image_model("tumour-x")
    model.domain = replace(model.domain, usual=0.0)
    settings = model.card.settings | {"domain": {"elsewhere": measured_there}}
    model.card = replace(model.card, settings=settings, metrics={"auc": 0.9, "auc_ci": [0.8, 0.95]})
    item = installed(model).classify_pixels(draw_breast(), "breast")
    assert (item.tumour, item.trust.doubt) == (None, doubt)


def test_of_another_scanner_it_speaks_with_a_doubt_where_it_was_measured_to_do_well(installed):
    model = image_model("tumour-x")
    model.domain = replace(model.domain, usual=0.0)
    there = {"domain": {"elsewhere": {"auc": 0.8, "auc_ci": [0.7, 0.9]}}}
    model.card = replace(model.card, settings=model.card.settings | there)
    item = installed(model).classify_pixels(draw_breast(), "breast")
    assert item.trust.is_trusted
    assert "of another scanner" in item.spoke[0].doubt


def test_a_damaged_domain_is_not_used(installed):
    installed(image_model("tumour-x"))
    path = registry.WEIGHTS / "tumour-x" / "domain.npz"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"domain\.npz .*sha256"):
        Classifier(Settings(_env_file=None)).classify_pixels(draw_breast(), "breast")


def test_what_was_refused_is_withheld_too(folder):
    (noise,) = json.loads(classify(folder, "noise.png", options=["--json"]).stdout)
    assert (noise["trust"]["level"], noise["trust"]["reason"]) == ("withheld", noise["detail"])
    assert "untrusted" not in noise


def test_the_heat_map_can_be_laid_over_the_image(folder):
    item = Classifier(Settings(_env_file=None), str(folder / "model")).classify_pixels(draw_breast(), "x")
    assert item.heat_map.ndim == 2
    x, y = item.transform.to_original(0.0, 0.0)
    assert 0 <= x <= 640
    assert 0 <= y <= 800


def test_boxes_are_read():
    assert parse_box("1,2,3.5,4") == (1, 2, 3.5, 4)
    with pytest.raises(BoxError):
        parse_box("1;2;3;4")


def test_of_a_mammogram_one_model_reads_the_breast_and_another_its_regions():
    settings = Settings()
    assert {"tumour-mg", "tumour-mg-film"} <= set(speakers(settings, "MG"))
    assert finding_models(settings, "MG").count("tumour-mg") == 1
    assert "tumour-mg-film" not in finding_models(settings, "MG")
    for regional, name in ((False, "tumour-mg-film"), (True, "tumour-mg")):
        assert Classifier(settings).chosen("MG", regional, "tumour-mg")["finding"].name == name


def test_a_box_is_read_by_the_model_that_is_asked_though_no_longitudinal_model_can_be_loaded():
    settings = Settings(model="no-such-model", _env_file=None)
    item = Classifier(settings, "tumour-mg").classify_pixels(draw_breast(), "breast", (100, 300, 250, 450))
    assert item.refused is None
    assert item.model == "tumour-mg"


def test_classes_that_the_card_does_not_state_to_be_told_apart_stand_together(installed, folder):
    model = image_model("tumour-x", classes=("normal", "benign", "malignant"))
    weak, well = {"auc": 0.7, "auc_ci": [0.6, 0.8]}, {"auc": 0.8, "auc_ci": [0.7, 0.9]}
    measured = {"by_class": {"normal": well, "benign": weak, "malignant": weak}}
    model.card = replace(model.card, metrics=measured | {"auc": 0.75, "auc_ci": [0.64, 0.8]})
    item = installed(model).classify_pixels(draw_breast(), "breast").to_json()
    assert item["trust"]["level"] == "trusted"
    told = item["told"]["tumour"]
    assert (told["benign"], told["malignant"]) == (None, None)
    assert told["normal"] + told["benign+malignant"] == pytest.approx(1)
    assert item["tumour"] == {"normal": told["normal"], "benign": None, "malignant": None}
    # What it would have said stays reachable for research, as with all that is withheld.
    assert sum(item["untrusted"]["tumour"].values()) == pytest.approx(1)
    assert item["untrusted"]["density"] is None
    speaks = {one["task"]: one for one in item["spoke"]}["finding"]
    assert "does not tell benign from malignant" in speaks["doubt"]
    told = " ".join(classify(folder, "breast.png", model=None).stdout.split())
    assert "benign or malignant" in told
    assert " malignant 0" not in told
