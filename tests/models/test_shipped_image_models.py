"""The classifiers of single images that are shipped: whole, small, with a card that says what they are."""

import numpy as np
import pytest

from models.classifier.model import ImageModel
from models.classifier.preprocess import prepare
from models.store import registry

SHIPPED = [card for card in registry.cards() if card.of_single_images]
NAMES = [card.name for card in SHIPPED]
MEGABYTES = {"tumour-mg-film": 40}
"""Of one that stands on three networks; of others 16."""


def test_tumour_and_density_are_shipped():
    assert {"tumour-us", "tumour-mg", "tumour-mg-film", "density-mg"} <= set(NAMES)


@pytest.mark.parametrize("card", SHIPPED, ids=NAMES)
def test_each_is_whole_and_small_and_says_what_it_learned_from(card):
    folder = registry.weights_folder(card.name)
    registry.check_files(folder, card)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MEGABYTES.get(card.name, 16) * 1e6
    assert "Cite" in card.licence
    assert "Not validated" in card.limits
    assert card.metrics["n"] > 200
    low, high = card.metrics["auc_ci"]
    assert low < card.metrics["auc"] < high


def test_one_reads_an_image_in_its_classes():
    model = ImageModel.load("tumour-us")
    image = np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)
    (reading,) = model.read([prepare(image, model.config.input)])
    assert list(reading.probabilities) == ["normal", "benign", "malignant"]
    assert sum(reading.probabilities.values()) == pytest.approx(1)
    assert np.isfinite(reading.heat_map).all()
