"""The field's words: said once, and alike in `core` and `models`."""

import json

import pytest

import models.vocabulary
from core.images import hanging, view_codes
from core.rules import ages, vocabulary
from core.rules.vocabulary import QualityFlag, ViewName


def test_core_hands_the_models_words_in_their_order() -> None:
    assert vocabulary.SIDES == models.vocabulary.SIDES
    assert models.vocabulary.SLOTS[:2] == vocabulary.STANDARD_VIEWS
    assert vocabulary.FINDINGS == models.vocabulary.FINDINGS
    assert vocabulary.DENSITIES == models.vocabulary.DENSITIES
    assert ages.DAYS_PER_YEAR == models.vocabulary.DAYS_PER_YEAR


def test_a_view_has_one_code_and_one_way_to_be_said() -> None:
    view = ViewName.of_code("R-XCCL")
    assert (view.code, view.words, view) == ("R-XCCL", "R XCCL", ViewName("R", "XCCL"))
    assert [view.code for view in vocabulary.FOUR_VIEWS] == ["R-CC", "L-CC", "R-MLO", "L-MLO"]


@pytest.mark.parametrize("code", ["", "R", "CC", "X-CC", "R-", "R-YY", "R CC", "L-CC-MLO"])
def test_what_names_no_view_is_refused_by_name(code: str) -> None:
    with pytest.raises(ValueError, match=r"is no view\. Sides are L and R, views CC, MLO"):
        ViewName.of_code(code)


def test_flags_are_stored_by_their_codes_and_said_in_words() -> None:
    assert json.dumps([QualityFlag.SPOT_COMPRESSION]) == '["spot_compression"]'
    assert vocabulary.flag_words("spot_compression") == "spot compression"
    assert vocabulary.flag_words("flag_of_another_release") == "flag of another release"


def test_the_model_reads_no_parts_of_a_breast_and_a_part_hangs_after_the_whole() -> None:
    assert {
        "for_processing",
        "multi_frame",
        "spot_compression",
        "magnification",
        "tangential",
        "cleavage",
        "axillary_tail",
        "axillary_tissue",
        "inframammary_fold",
        "tomosynthesis",
        "synthetic",
        "contrast_enhanced",
        "recombined",
        "stereotactic",
        "quality_control",
        "not_recognised",
        "ultrasound",
        "magnetic_resonance",
        "side_not_said",
    } == vocabulary.NOT_FOR_THE_MODEL
    beside = {"implant_displaced", "rolled", "partial_view", "anterior_compression"}
    assert beside | vocabulary.NOT_FOR_THE_MODEL == vocabulary.OTHER_THAN_STANDARD
    assert hanging.NOT_FOR_THE_MODEL is vocabulary.NOT_FOR_THE_MODEL


def test_every_flag_that_a_header_gives_is_a_known_one() -> None:
    assert {QualityFlag(code) for code in view_codes._MODIFIER_CODES.values()}


def test_of_equally_likely_densities_the_fattiest_is_said() -> None:
    assert vocabulary.likeliest({"A": 0.1, "B": 0.4, "C": 0.4, "D": 0.1}) == "B"
