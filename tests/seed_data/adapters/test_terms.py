"""Words of public data sets in those of the manifest."""

import pytest

from seed_data.adapters import terms


@pytest.mark.parametrize(
    ("said", "meant"),
    [("Left", "L"), ("RIGHT", "R"), (" l ", "L"), ("B", ""), ("", ""), ("nan", ""), ("Links", "")],
)
def test_laterality(said, meant):
    assert terms.laterality(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"), [("cc", "CC"), ("Medio-lateral oblique", "MLO"), ("nan", ""), ("AT", "AT"), ("", "")]
)
def test_view(said, meant):
    assert terms.view(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [("1", "A"), ("4.0", "D"), ("DENSITY C", "C"), ("b", "B"), ("0", ""), ("5", ""), ("", ""), ("dense", "")],
)
def test_density_in_numbers_and_letters(said, meant):
    assert terms.density(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"), [("BI-RADS 4", "4"), ("birads 4A", "4A"), ("2.0", "2"), ("7", ""), ("", "")]
)
def test_bi_rads(said, meant):
    assert terms.bi_rads(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"), [("058Y", "58"), ("61.0", "61"), ("018M", "1.5"), ("0", ""), ("200", ""), ("NA", "")]
)
def test_age(said, meant):
    assert terms.age_years(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("20161004", "2016-10-04"),
        ("2016-10-04 00:00:00", "2016-10-04"),
        ("10/04/2016", "2016-10-04"),
        ("2016-13-04", ""),
        ("20161399", ""),
        ("2016", ""),
        ("2016-10-04x", ""),
    ],
)
def test_day(said, meant):
    assert terms.day(said) == meant


@pytest.mark.parametrize(("said", "meant"), [("1.0", True), ("False", False), ("", None), ("maybe", None)])
def test_flag(said, meant):
    assert terms.flag(said) is meant
