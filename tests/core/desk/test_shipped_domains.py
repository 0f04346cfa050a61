"""What the shipped classifiers know: films of the kind they learned from, and no other pictures."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.desk.classify import Classifier
from core.settings import Settings
from models.classifier.model import ImageModel
from models.classifier.preprocess import prepare
from models.store import cards

SHIPPED = [card for card in cards() if card.of_single_images]


def classify(*paths, options=()):
    result = CliRunner().invoke(app, ["classify", *map(str, paths), *options, "--json"])
    return json.loads(result.stdout)


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_every_shipped_classifier_says_what_it_knows_and_keeps_its_promise(card):
    known = card.settings["domain"]
    assert "domain.npz" in card.files
    assert known["same_kind"]["cases_beyond"] <= 0.03 * known["same_kind"]["cases"]
    assert len(known["turned_away"] | known.get("like", {})) >= 5
    # Where it speaks of other scanners' films too, four of five of a collection are known by the limit of the others.
    assert all(one["cases_beyond"] <= 0.2 * one["cases"] for one in known.get("like", {}).values())


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_noise_and_a_photograph_are_outside_every_domain(card):
    model = ImageModel.load(card.name)
    random = np.random.default_rng(0)
    noise = random.integers(1, 255, (600, 500)).astype(np.uint8)
    noise[:, 400:] = 0
    scene = cv2.GaussianBlur(random.normal(0, 1, (600, 500)).astype(np.float32), (0, 0), 25)
    scene = np.where(
        np.indices((600, 500))[1] < 400, 128 + 900 * scene + 40 * (np.indices((600, 500))[0] // 40 % 2), 0
    )
    box = (100.0, 200.0, 200.0, 300.0) if model.config.input.region == "box" else None
    for picture in (noise, np.clip(scene, 0, 255).astype(np.uint8)):
        (reading,) = model.read([prepare(picture, model.config.input, box)])
        assert reading.distance > model.domain.limit


def test_a_film_is_known_an_ultrasound_image_by_its_own_model_only_and_a_digital_view_by_none(shared_data):
    film, scan, digital = (
        shared_data / path for path in ("mini_mias/mdb003.png", "busi/us0001.png", "ffdm/L-MLO.png")
    )
    first, second, third = classify(film, scan, digital)
    assert first["trust"]["distance"] <= first["trust"]["limit"]
    assert (first["trust"]["level"], first["density_trust"]["level"]) == ("trusted", "trusted")
    assert set(first["tumour"]) == {"normal", "benign", "malignant"}
    assert {name for name, share in first["told"]["tumour"].items() if share is not None} == {
        "normal",
        "benign+malignant",
    }
    # Where it sees most is a box of the film, and how little it tells stands beside its numbers.
    x0, y0, x1, y1 = first["marks"][0]
    assert 0 <= x0 < x1 <= 1024
    assert 0 <= y0 < y1 <= 1024
    assert any("it misses many lesions" in (one["doubt"] or "") for one in first["spoke"])
    assert third["marks"] == []
    assert set(first["density"]) == {"A", "B", "C", "D"}
    assert (second["trust"]["level"], second["density_trust"]) == ("trusted", None)
    assert (third["trust"]["level"], third["density_trust"]["level"]) == ("withheld", "withheld")
    assert (third["tumour"], third["density"]) == (None, None)
    assert sum(third["untrusted"]["tumour"].values()) == pytest.approx(1)


def test_a_region_is_believed_no_further_than_the_picture_that_it_lies_in(shared_data):
    pixels = cv2.imread(str(shared_data / "mini_mias" / "mdb003.png"), cv2.IMREAD_GRAYSCALE)
    box = (480.0, 480.0, 580.0, 580.0)
    classifier = Classifier(Settings(_env_file=None))
    assert classifier.classify_pixels(pixels, "film", box).tumour
    model = classifier.image_model(next(card for card in SHIPPED if card.name == "tumour-mg-film"))
    model.domain = model.domain.limited(np.zeros(1))
    item = classifier.classify_pixels(pixels, "film", box)
    assert item.tumour is None
    assert not item.trust.is_trusted
    assert set(item.untrusted["finding"]) == {"normal", "benign", "malignant"}
