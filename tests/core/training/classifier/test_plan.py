"""What a run was asked for: groups that check themselves, and a plan that knows itself again."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest

from core.training.classifier.plan import (
    Duration,
    ImagePlan,
    KernelOptions,
    Measuring,
    Network,
    Pictures,
)
from core.training.classifier.run import TRAININGS
from core.training.runs import TrainingError, same_plan
from models.classifier.options import Augmentation, HeadName, Region, Step
from models.store import DamagedCache

NOTHING = sha256(b"").hexdigest()
WRITTEN = """{
 "task": "tissue", "classes": "A,C+D", "backbone": "vgg16", "weights": "/data/vgg16.h5", "region": "box",
 "steps": ["normalise", "clahe"], "shape": [160, 160], "rotation": 20.0, "flip": false, "zoom": 0.1,
 "contrast": 0.3, "minutes": 12.5, "epochs": 9, "patience": 4, "folds": 5, "seed": 3, "name": "mine", "width": 0.5,
 "head": "kernel", "density_from": "tissue:f=A,d=C+D", "outline": true, "turns": true, "lesion_steps": 20,
 "lesion_map": "longitudinal-sim", "beside": "efficientnet-lite0", "beside_weights": "/data/lite0.pth",
 "beside_epochs": 7, "images": "IMAGES", "labels": "LABELS"
}""".replace("IMAGES", NOTHING).replace("LABELS", NOTHING)
"""A plan.json as an earlier release wrote it; `lesion_steps` is an option that is gone."""
PLAN = ImagePlan(
    Pictures("tissue", "A,C+D", "tissue:f=A,d=C+D", Region.BOX, (Step.NORMALISE, Step.CLAHE), (160, 160)),
    Augmentation(20.0, False, 0.1, 0.3),
    Network("vgg16", "/data/vgg16.h5", 0.5, HeadName.KERNEL),
    KernelOptions(True, True, "longitudinal-sim", "efficientnet-lite0", "/data/lite0.pth", 7),
    Duration(12.5, 9, 4),
    Measuring(5, 3),
    "mine",
)


def test_a_run_begun_by_the_release_before_is_gone_on_with_under_the_same_plan_only(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(WRITTEN, "utf-8")
    same_plan(path, PLAN.to_json(), [], [])
    assert path.read_text("utf-8") == WRITTEN
    with pytest.raises(TrainingError, match=r"other settings \(seed\)"):
        same_plan(path, replace(PLAN, measuring=Measuring(5, 4)).to_json(), [], [])


def test_each_option_makes_another_plan():
    plain, other = ImagePlan(Pictures("finding")).to_json(), PLAN.to_json()
    assert set(plain) == set(json.loads(WRITTEN)) - {"images", "labels", "lesion_steps"}
    assert not [name for name in plain if plain[name] == other[name]]


@pytest.mark.parametrize("option", [{"gland": True}, {"rooted": True}, {"beside_size": "64x32"}])
def test_an_option_of_a_later_release_stands_in_a_plan_only_where_it_is_chosen(option):
    plain = PLAN.to_json()
    chosen = replace(PLAN, kernel=replace(PLAN.kernel, **option)).to_json()
    assert chosen == plain | option != plain


def test_names_are_taken_as_they_are_typed():
    typed = replace(
        PLAN,
        pictures=replace(PLAN.pictures, region="box", steps=("normalise", "clahe")),
        network=replace(PLAN.network, head="kernel"),
    )
    assert typed == PLAN
    assert typed.network.head is HeadName.KERNEL


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Pictures("finding", region="arm"), "'arm'.*image, breast, box"),
        (lambda: Pictures("finding", steps=("magic",)), "'magic'.*normalise"),
        (lambda: Network(head="magic"), "'magic'.*dense, kernel, detector"),
        (lambda: Network(width=9), "width"),
        (lambda: Augmentation(rotation=200), "rotation"),
        (lambda: Augmentation(contrast=-0.1), "contrast"),
        (lambda: KernelOptions(beside_epochs=0), "beside_epochs"),
        (lambda: KernelOptions(beside="compact", beside_size="half"), "'half' is not rows x columns"),
        (
            lambda: KernelOptions(beside="compact", beside_size="100x64"),
            "beside_size must be multiples of 32",
        ),
        (lambda: KernelOptions(beside_size="64x64"), "give beside too"),
        (lambda: KernelOptions(beside_weights="x.pth"), "give beside too"),
        (lambda: Duration(minutes=0), "0 minutes"),
        (lambda: Duration(epochs=-1), "epochs"),
        (lambda: Duration(patience=0), "patience"),
        (lambda: Measuring(folds=1), "One fold"),
        (lambda: Measuring(seed=-1), "seed"),
        (lambda: replace(PLAN, pictures=replace(PLAN.pictures, shape=(32, 64))), "squares"),
        (lambda: ImagePlan(Pictures("finding", shape=(48, 48))), "multiples of 32"),
        (
            lambda: ImagePlan(Pictures("finding", shape=(64, 64)), network=Network(head="detector")),
            "multiples of 48",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_each_head_has_a_training_and_refuses_options_of_others():
    assert set(TRAININGS) == set(HeadName)
    TRAININGS[HeadName.KERNEL].check_plan(PLAN)
    for name in (HeadName.DENSE, HeadName.DETECTOR):
        plan = replace(
            PLAN,
            pictures=replace(PLAN.pictures, shape=(96, 96)),
            network=replace(PLAN.network, head=name),
        )
        with pytest.raises(TrainingError, match="--head kernel and --region box"):
            TRAININGS[name].check_plan(plan)
        with pytest.raises(TrainingError, match="--beside-weights"):
            TRAININGS[name].check_plan(replace(plan, kernel=KernelOptions(beside="compact")))
        for option in ("gland", "rooted"):
            with pytest.raises(TrainingError, match=f"--{option} says what a kernel head reads"):
                TRAININGS[name].check_plan(replace(plan, kernel=KernelOptions(**{option: True})))


@pytest.mark.parametrize("left", ["", '{"task": "tis', "[]", "\udcff"])
def test_a_damaged_plan_is_refused_by_name(tmp_path, left):
    path = tmp_path / "plan.json"
    path.write_bytes(left.encode("utf-8", "surrogateescape"))
    with pytest.raises(DamagedCache, match=r"plan\.json.*Remove it"):
        same_plan(path, PLAN.to_json(), [], [])


def test_a_plan_is_kept_whole_or_not_at_all(tmp_path, monkeypatch):
    def killed(*_args):
        raise KeyboardInterrupt

    path = tmp_path / "plan.json"
    monkeypatch.setattr("pathlib.Path.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        same_plan(path, PLAN.to_json(), [], [])
    assert not path.exists()
