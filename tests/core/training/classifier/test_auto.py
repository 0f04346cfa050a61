"""A recipe that is found by itself: what was tried, what was chosen, and what cannot be."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.training.classifier import auto
from models.classifier.kernel_head import KernelHead
from models.classifier.model import ImageModel
from models.classifier.options import Region
from models.classifier.preprocess import prepare
from models.store.registry import read_card
from models.view.encoder import EncoderConfig, build_encoder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A folder with the files of one tiny backbone."""
    folder = tmp_path_factory.mktemp("start")
    build_encoder(EncoderConfig(width=0.25)).save(folder / "encoder.keras")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of two classes, as of any modality: of one, every image has a bright disc."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for i in range(40):
        image = cv2.GaussianBlur(random.normal(0, 1, (48, 56)).astype(np.float32), (0, 0), 3)
        image = 110 * (image - image.min()) / np.ptp(image)
        name = "tumour" if i % 2 else "none"
        if i % 2:
            cv2.circle(image, (int(random.integers(20, 36)), int(random.integers(18, 30))), 9, 240, -1)
        (folder / name).mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name / f"{i}.png"), image.astype(np.uint8))
    return folder


def train(*options):
    fixed = ["--task", "kind", "--recipe", "auto", "--width", "0.25"]
    return CliRunner().invoke(app, ["train", "image", *fixed, *map(str, options)])


@pytest.fixture(scope="module")
def run(tmp_path_factory, pictures, start):
    out = tmp_path_factory.mktemp("run") / "brain"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto, "SIZES", dict.fromkeys(Region, ((32, 32), (64, 64))))
        result = train("--data", pictures, "--out", out, "--weights", start, "--cv", "2", "--json")
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def test_it_keeps_what_inner_folds_say_is_best_and_says_what_it_tried(run):
    out, measured = run
    assert measured["n"] == 40
    assert measured["auc"] > 0.8
    card = read_card(out)
    tried = {one["what"]: one["inner_log_loss"] for one in card.settings["tried"]}
    assert {"compact 32x32", "compact 64x64"} < set(tried)
    assert len(tried) == 3
    plan = card.settings["plan"]
    assert plan["recipe"] == "auto"
    mirrored = " mirrored" if plan["flip"] else ""
    rows, columns = plan["shape"]
    assert min(tried, key=tried.get) == f"compact {rows}x{columns}{mirrored}"


def test_the_model_that_is_kept_reads_images_as_it_was_chosen_to(run, pictures):
    out, _ = run
    model = ImageModel.load(out)
    assert isinstance(model.head, KernelHead)
    assert list(model.config.input.shape) == read_card(out).settings["plan"]["shape"]
    shown = cv2.imread(str(pictures / "tumour" / "1.png"), cv2.IMREAD_GRAYSCALE)
    (reading,) = model.read([prepare(shown, model.config.input)])
    assert reading.probabilities["tumour"] > 0.5


def test_what_there_is_no_time_for_is_not_tried(tmp_path, pictures, start, monkeypatch):
    monkeypatch.setattr(auto, "SIZES", dict.fromkeys(Region, ((32, 32), (64, 64))))
    monkeypatch.setattr(auto, "SHARE_OF_BUDGET", 0.0)
    result = train("--data", pictures, "--out", tmp_path / "out", "--weights", start)
    assert result.exit_code == 0, result.output
    assert [one["what"] for one in read_card(tmp_path / "out").settings["tried"]] == ["compact 32x32"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--backbone", "vgg16"], "leave those options out"),
        (["--head", "detector"], "leave those options out"),
        (["--outline"], "leave those options out"),
        (["--size", "64x64"], "leave --size out"),
        (["--weights", "nowhere"], "--recipe auto looks for backbones in a folder or a shipped model"),
        (["--weights", "."], "holds none of the backbones that are tried"),
        (["--recipe", "best"], "No recipe is called 'best'"),
    ],
)
def test_wrong_wishes_get_a_sentence_and_exit_2(tmp_path, pictures, options, says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = train("--data", pictures, "--out", tmp_path / "out", *options)
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.stderr.split())
