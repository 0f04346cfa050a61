"""Codes of views and of what was done to the breast: the current ones, the retired ones, and no others."""

import pytest

from core.images.view_codes import coded_modifier, coded_view

VIEWS = {
    "399162004": "CC", "R-10242": "CC",
    "399368009": "MLO", "R-10226": "MLO",
    "399260004": "ML", "R-10224": "ML",
    "399352003": "LM", "R-10228": "LM",
    "399099002": "LMO", "R-10230": "LMO",
    "399192008": "XCCL", "R-1024A": "XCCL",
    "399101009": "XCCM", "R-1024B": "XCCM",
    "399196006": "FB", "R-10244": "FB",
    "399188001": "SIO", "R-102D0": "SIO",
    "441555000": "ISO", "R-40AAA": "ISO",
}  # fmt: skip
MODIFIERS = {
    "399055006": "spot_compression", "R-102D7": "spot_compression",
    "399163009": "magnification", "R-102D6": "magnification",
    "399209000": "implant_displaced", "R-102D5": "implant_displaced",
    "399226006": "rolled", "R-102D4": "rolled",
    "399197002": "rolled", "R-102D3": "rolled",
    "415670009": "rolled", "R-102C9": "rolled",
    "414493004": "rolled", "R-102CA": "rolled",
    "399110001": "tangential", "R-102C2": "tangential",
    "399161006": "cleavage", "R-102D2": "cleavage",
    "399011000": "axillary_tail", "R-102D1": "axillary_tail",
    "442580003": "axillary_tissue",
    "442593008": "inframammary_fold",
    "442581004": "nipple_in_profile",
    "441752004": "anterior_compression",
}  # fmt: skip
# A specimen; codes of nothing.
NEITHER = ("127457009", "", "CC", "399162004 ", "R-", "r-10242", "0", "x" * 500, "R-102ZZ")


@pytest.mark.parametrize(("value", "view"), VIEWS.items())
def test_a_view_is_known_by_its_code_and_by_its_retired_code(value, view):
    assert coded_view(value) == view
    assert coded_modifier(value) is None


@pytest.mark.parametrize(("value", "flag"), MODIFIERS.items())
def test_a_partial_or_changed_view_is_known_by_its_code_and_by_its_retired_code(value, flag):
    assert coded_modifier(value) == flag
    assert coded_view(value) is None


@pytest.mark.parametrize("value", NEITHER)
def test_any_other_code_is_no_view(value):
    assert coded_view(value) is None
    assert coded_modifier(value) is None
