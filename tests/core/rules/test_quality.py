"""Criteria of picture quality: what is said of a picture, and of several of one study."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.rules import RulesError, documents
from core.rules.quality import (
    MEASURED_FLAGS,
    Criterion,
    QualityRules,
    Taken,
    advice_on,
    quality_rules,
    remarks_on,
    remarks_on_study,
)


def look(seed: int) -> str:
    return base64.b64encode(
        np.random.default_rng(seed).integers(-127, 128, 1024).astype(np.int8).tobytes()
    ).decode()


def said(*pictures: Taken) -> list[set[str]]:
    return [{remark.flag.value for remark in remarks} for remarks in remarks_on_study(pictures)]


def test_every_remark_names_value_limit_criterion_and_what_to_do() -> None:
    (remark,) = remarks_on(Taken("L", "MLO", (), {"muscle_reach": 0.2, "muscle_contrast": 0.03}))
    assert (remark.flag, remark.measure, remark.value, remark.limit) == (
        "pectoral_muscle_short",
        "muscle_reach",
        0.2,
        0.35,
    )
    assert "20" in remark.sentence
    assert "while she is here" in remark.advice
    assert "PGMI" in remark.source


def test_what_was_not_measured_is_not_judged() -> None:
    assert remarks_on(Taken("L", "MLO", (), {})) == []


def test_motion_is_not_said_to_be_blur_as_well() -> None:
    assert said(Taken("L", "CC", (), {"one_way": 0.9, "steepest": 1.6})) == [{"motion"}]
    assert said(Taken("L", "CC", (), {"one_way": 0.2, "steepest": 1.6})) == [{"blurred"}]


def test_a_spot_view_is_not_held_against_what_a_whole_breast_must_show() -> None:
    spoiled = {"tip_touch": 0.8, "steepest": 1.6, "longest_side": 300}
    assert said(Taken("L", "MLO", ("spot_compression",), spoiled)) == [{"low_resolution"}]


def test_a_view_that_is_there_twice_and_one_picture_under_two_views_are_told_apart() -> None:
    first = Taken("L", "CC", (), {"look": look(1)})
    assert said(first, Taken("L", "CC", (), {"look": look(2)})) == [{"duplicated_view"}] * 2
    assert said(first, Taken("L", "MLO", (), {"look": look(1)})) == [{"same_picture"}] * 2
    assert said(first, Taken("R", "CC", (), {"look": look(2)})) == [set(), set()]
    assert said(first, Taken("L", "CC", ("magnification",), {"look": look(2)})) == [set(), set()]


def test_depth_is_compared_in_millimetres_and_only_where_they_are_known() -> None:
    cc = Taken("L", "CC", (), {"depth_px": 700.0}, 0.1)
    deep, deeper = (Taken("L", "MLO", (), {"depth_to_muscle_px": px}, 0.1) for px in (800.0, 900.0))
    assert said(cc, deep) == [set(), set()]
    assert said(cc, deeper) == [{"depth_differs"}, set()]
    assert said(deeper, cc) == [set(), {"depth_differs"}]
    assert said(Taken("L", "CC", (), cc.measured), deeper) == [set(), set()]
    assert said(Taken("R", "CC", (), cc.measured, 0.1), deeper) == [set(), set()]


def test_a_study_of_thousands_of_pictures_is_answered_at_once() -> None:
    pictures = [Taken("L", "CC", (), {"look": look(n % 50)}) for n in range(3000)]
    assert len(remarks_on_study(pictures)) == 3000


def test_every_flag_has_its_advice() -> None:
    assert all(advice_on(flag.value) for flag in MEASURED_FLAGS)
    assert advice_on("implant") is None
    assert {criterion.flag for criterion in quality_rules().criterion} <= MEASURED_FLAGS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"below": 0.01}, "it needs one limit"),
        ({"sentence": "{length}"}, "the sentence asks for 'length'"),
        ({"views": ("XX",)}, "there is no view XX"),
    ],
)
def test_a_damaged_criterion_is_named(change: dict[str, Any], said: str) -> None:
    whole = quality_rules().criterion[0].model_dump()
    with pytest.raises(ValueError, match=said):
        Criterion.model_validate(whole | change)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    text = documents.FOLDER.joinpath("quality.toml").read_text("utf-8")
    (tmp_path / "quality.toml").write_text(text.replace('flag = "cut_off"', 'flag = "cut"', 1), "utf-8")
    with pytest.raises(RulesError, match=r"quality.toml: \[\[criterion\]\] 1, key \"flag\""):
        documents.read("quality.toml", QualityRules, folder=tmp_path)
