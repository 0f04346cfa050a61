"""Training classifiers: what is learned, what is kept, what a killed run goes on from."""

from dataclasses import replace

import numpy as np
import pytest

from models.classifier.model import ImageModel
from models.classifier.network import ImageConfig, backbone_called, build_image_network, predict
from models.classifier.options import Augmentation
from models.classifier.preprocess import ImageInput, PreparedImage
from models.classifier.scaling import fit_scaling
from models.classifier.training import (
    ImageRecipe,
    LabelledImages,
    augmented,
    class_weights,
    pretrained_features,
    train_image_network,
)
from models.measures.classes import measure_classes
from models.store.registry import ModelCard, read_card
from models.view.preprocess import ViewTransform

CONFIG = ImageConfig(("benign", "malignant"), ImageInput((32, 32)), width=0.25)
QUIET = lambda *_: None  # noqa: E731


def images(n, seed):
    random = np.random.default_rng(seed)
    label = np.arange(n) % 2
    pixels = random.integers(10, 90, (n, 32, 32)).astype(np.uint8)
    pixels[label == 1, 12:20, 12:20] = 230
    return LabelledImages(pixels, label)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    recipe = ImageRecipe(seconds=60, epochs=6, batch=8, rate=3e-3)
    made = train_image_network(CONFIG, None, images(48, 0), images(16, 1), recipe, folder, QUIET)
    return made, folder, recipe


def test_a_bright_spot_is_learned(trained):
    held = images(20, 2)
    said = trained[0].scaling(predict(trained[0].head.network, held.pixels)["logits"])
    assert measure_classes(held.label, said, CONFIG.classes, np.arange(20), times=10)["auc"] > 0.9


def test_a_run_that_is_done_is_not_done_again(trained):
    made, folder, recipe = trained
    told = []
    again = train_image_network(
        CONFIG, None, images(48, 0), images(16, 1), recipe, folder, lambda *a: told.append(a)
    )
    assert again.curve == made.curve
    assert not told
    for one, other in zip(made.head.network.get_weights(), again.head.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_was_stopped_goes_on_at_the_epoch_it_had_reached(tmp_path):
    recipe = ImageRecipe(seconds=60, epochs=4, batch=8, save_every=0)

    def stop(_stage, done, _figures):
        if done >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_image_network(CONFIG, None, images(16, 0), images(8, 1), recipe, tmp_path, stop)
    told = []
    made = train_image_network(
        CONFIG, None, images(16, 0), images(8, 1), recipe, tmp_path, lambda *a: told.append(a[1])
    )
    assert [record["epoch"] for record in made.curve] == [1, 2, 3, 4]
    assert min(told) >= 0.5


def test_with_weights_the_head_is_trained_first_and_the_shallow_layers_stay(trained, tmp_path):
    source = tmp_path / "source.keras"
    trained[0].head.network.save(source)
    recipe = ImageRecipe(seconds=60, frozen_epochs=5, epochs=1, batch=8)
    both = [
        replace(
            some,
            features=pretrained_features(
                CONFIG, str(source), some.pixels, tmp_path / f"{len(some.label)}.npz", QUIET
            ),
        )
        for some in (images(24, 3), images(8, 4))
    ]
    made = train_image_network(CONFIG, str(source), *both, recipe, tmp_path / "state", QUIET)
    assert [record["stage"] for record in made.curve][:1] == ["frozen"]
    assert made.curve[-1]["stage"] == "fine-tuning"
    stem = [
        network.get_layer("stem").get_weights()[0] for network in (trained[0].head.network, made.head.network)
    ]
    np.testing.assert_array_equal(*stem)


def test_weights_that_do_not_fit_are_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match="no weights file"):
        build_image_network(CONFIG, str(tmp_path / "none.keras"))
    with pytest.raises(ValueError, match="ImageNet"):
        build_image_network(CONFIG, "imagenet")
    (tmp_path / "bad.keras").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad\.keras"):
        build_image_network(CONFIG, str(tmp_path / "bad.keras"))
    with pytest.raises(ValueError, match="compact, vgg16"):
        backbone_called("alexnet")
    assert backbone_called("EfficientNetB0") == "efficientnet"


def test_a_saved_model_says_the_same_and_a_changed_file_is_refused(trained, tmp_path):
    card = ModelCard("t", "T", "", "", "", "", {}, "", "", "", "2026-01-01", {}, False, {"task": "finding"})
    model = ImageModel(card, trained[0].head, trained[0].scaling)
    model.save(tmp_path)
    loaded = ImageModel.load(tmp_path)
    shown = [
        PreparedImage(one.astype(np.float32) / 255, ViewTransform(False, 0, 0, 32, 32, 1.0, 32))
        for one in images(3, 5).pixels
    ]
    together, alone = loaded.read(shown), model.read(shown[1:2])
    assert together[1].probabilities == pytest.approx(alone[0].probabilities, abs=1e-6)
    assert sum(together[0].probabilities.values()) == pytest.approx(1)
    assert together[0].heat_map.ndim == 2
    assert read_card(tmp_path).settings["kind"] == "image"
    (tmp_path / "image.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="sha256"):
        ImageModel.load(tmp_path)


def test_rare_classes_count_more():
    weights = class_weights(np.array([0] * 90 + [1] * 10), 2)
    np.testing.assert_allclose(weights, [100 / 180, 5.0])


def test_scaling_tempers_a_network_that_is_too_sure():
    random = np.random.default_rng(0)
    truth = random.normal(0, 1, 400)
    label = (random.random(400) < 1 / (1 + np.exp(-truth))).astype(int)
    scaling = fit_scaling(np.column_stack([np.zeros(400), 4 * truth]), label)
    assert scaling.slope == pytest.approx(0.25, abs=0.1)


def test_augmentation_changes_a_picture_and_nothing_when_switched_off():
    image = images(1, 0).pixels[0]
    random = np.random.default_rng(0)
    same = augmented(image, Augmentation(0, False, 0, 0), random)
    np.testing.assert_allclose(same, image / 255, atol=1e-5)
    other = augmented(image, Augmentation(), random)
    assert other.shape == image.shape
    assert np.abs(other - same).mean() > 0.01
