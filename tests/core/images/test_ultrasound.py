"""Is it an ultrasound image? Rates of false answers, on groups of pictures that the rule has not seen, are kept here."""

import csv

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image
from sklearn.model_selection import GroupKFold

from core.images.mammogram import recognise, why_not_a_mammogram
from core.images.ultrasound import MEASUREMENTS, Rule, fit, measure, shipped_rule, why_not_ultrasound
from tests.pictures import breast


def grey(picture) -> np.ndarray:
    shades = np.asarray(picture, float)
    shades = shades[..., :3].mean(axis=-1) if shades.ndim == 3 else shades
    span = max(float(np.ptp(shades)), 1e-9)
    return ((shades - shades.min()) / span * 255).astype(np.uint16)


def photographs() -> dict[str, np.ndarray]:
    names = ("astronaut", "camera", "coins", "moon", "page", "text", "brick", "grass", "gravel", "cell", "chelsea",
             "coffee", "hubble_deep_field", "rocket", "shepp_logan_phantom", "horse")  # fmt: skip
    found = {name: grey(getattr(skimage.data, name)()) for name in names}
    return found | {name: grey(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")}


def drawn(number: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(number)
    noise = random.normal(size=(240, 200 + 20 * number))
    page = Image.new("L", (300, 240), 255 * (number % 2))
    for line in range(8, 230, 14):
        words = "".join(chr(c) for c in random.integers(65, 122, 60))
        ImageDraw.Draw(page).text((6, line), words, fill=255 * (1 - number % 2))
    blurred = cv2.GaussianBlur(noise, (0, 0), 1 + number)
    ramp = np.linspace(0, 1, 240)[:, None] * np.ones(200)
    pictures = {
        "noise": noise,
        "cloud": blurred,
        "speckle": np.abs(blurred),
        "text": page,
        "ramp": ramp if number % 2 else ramp[::-1].T,
    }
    return {name: grey(picture) for name, picture in pictures.items()}


def others(shared_data) -> list[tuple[str, np.ndarray]]:
    """Pictures that are no ultrasound images, each with its group."""
    random = np.random.default_rng(0)
    found = []
    for name, picture in photographs().items():
        found.append((name, picture))
        for _ in range(4):
            side = int(random.integers(100, min(picture.shape)))
            y, x = (int(random.integers(0, length - side + 1)) for length in picture.shape)
            crop = picture[y : y + side, x : x + side]
            if np.ptp(crop):
                found.append((name, crop))
    for number in range(8):
        found += [(f"drawn {name}", picture) for name, picture in drawn(number).items()]
    for path in sorted((shared_data / "mini_mias").glob("*.png"))[::2]:
        found.append((path.name, grey(Image.open(path))))
    return found


def test_speckled_layers_are_taken_and_their_pieces_are_not():
    random = np.random.default_rng(1)
    assert why_not_ultrasound(random.integers(0, 255, (300, 300)))
    assert why_not_ultrasound(breast("L"))
    assert why_not_ultrasound(np.full((300, 300), 7)) == "It is of one shade."
    assert "pixels" in why_not_ultrasound(np.eye(40))


@pytest.mark.parametrize("number", range(4))
def test_noise_text_and_ramps_are_refused(number):
    for name, picture in drawn(number).items():
        assert why_not_ultrasound(picture), name


def test_photographs_are_refused():
    assert [name for name, picture in photographs().items() if why_not_ultrasound(picture) is None] == []


def test_the_rule_survives_its_file():
    rule = shipped_rule()
    again = Rule.from_json(rule.to_json())
    assert again.names == MEASUREMENTS
    assert np.allclose(again.weight, rule.weight)


def test_ultrasound_is_told_from_all_else_on_groups_that_the_rule_has_not_seen(shared_data):
    with (shared_data / "busi" / "manifest.csv").open(encoding="utf-8") as file:
        groups = {row["path"]: row["patient_id"] for row in csv.DictReader(file)}
    half = list(groups.items())[::2]  # shares are what is asked, and half tells them
    pictures = [(group, grey(Image.open(shared_data / "busi" / name))) for name, group in half]
    negatives = others(shared_data)
    measured = np.stack([measure(picture) for _, picture in pictures + negatives])
    known = np.array([True] * len(pictures) + [False] * len(negatives))
    named = [group for group, _ in pictures + negatives]
    accepted = np.zeros(len(known), bool)
    for seen, unseen in GroupKFold(5, shuffle=True, random_state=0).split(measured, known, named):
        accepted[unseen] = fit(measured[seen], known[seen]).accepts(measured[unseen])
    false_reject, false_accept = 1 - accepted[known].mean(), accepted[~known].mean()
    assert false_reject <= 0.03, f"{false_reject:.1%} of {known.sum()} ultrasound images are turned away"
    assert false_accept <= 0.01, f"{false_accept:.1%} of {(~known).sum()} others are taken"


def test_mammograms_and_ultrasound_images_are_not_mixed_up(shared_data):
    def modality(path):
        pixels = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
        return recognise(pixels, why_not_a_mammogram(pixels), None).modality

    ultrasound = [modality(path) for path in sorted((shared_data / "busi").glob("*.png"))[::5]]
    mammograms = [modality(path) for path in sorted((shared_data / "mini_mias").glob("*.png"))[::5]]
    assert ultrasound.count("MG") == 0
    assert mammograms.count("US") == 0
    assert ultrasound.count("US") >= 0.97 * len(ultrasound)
    assert mammograms.count("MG") == len(mammograms)


def test_a_header_rules_out_and_never_proves(shared_data):
    picture = grey(Image.open(shared_data / "busi" / "us0003.png"))
    noise = np.random.default_rng(0).integers(0, 255, (300, 300)).astype(np.uint16)
    assert recognise(picture, "not shaped like a breast", "US").modality == "US"
    assert recognise(picture, "The file calls itself modality MR.", "MR").modality is None
    assert recognise(noise, "The file calls itself modality US.", "US").modality is None
