"""Numbers and words as every page shows them."""

import pytest

from dashboard import look


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (0.041, "4.1 %"),
        (0.0994, "9.9 %"),
        (0.0996, "10 %"),
        (0.117, "12 %"),
        (0.0, "0.0 %"),
        (0.0004, "< 0.1 %"),
        (1.0, "100 %"),
        (None, "–"),
    ],
)
def test_percent_has_a_decimal_below_ten_only(probability: float | None, shown: str) -> None:
    assert look.percent(probability).replace(look.NBSP, " ") == shown


@pytest.mark.parametrize(
    ("change", "shown"),
    [(0.019, "▲ +1.9"), (-0.001, "▼ −0.1"), (0.0002, "● 0.0"), (-0.0004, "● 0.0"), (None, "–")],
)
def test_changes_have_sign_and_shape(change: float | None, shown: str) -> None:
    assert look.points(change) == shown


@pytest.mark.parametrize(
    ("factor", "shown"), [(0.98, "×0.98"), (1.594, "×1.59"), (9.996, "×10"), (17.04, "×17")]
)
def test_factors_have_decimals_below_ten_only(factor: float, shown: str) -> None:
    assert look.times(factor) == shown


@pytest.mark.parametrize(
    "text", ["![x](http://x)", "[a](b)", "<img src=x>", "**b**", "`c`", ":material/delete:", "$x$"]
)
def test_text_from_outside_is_no_markup(text: str) -> None:
    assert "<" not in look.safe(text)
    plain = look.plain(text)
    for sign in "![]()*`<>$":
        assert sign not in plain.replace(f"\\{sign}", "")
    assert ":m" not in plain


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.028, 0.059, "(2.8–5.9)"),
        (0.0001, 0.003, "(< 0.1–0.3)"),
        (0.0001, 0.0004, "(< 0.1)"),
        (None, 0.1, ""),
    ],
)
def test_an_interval_below_what_is_shown_says_so_once(low: float | None, high: float, shown: str) -> None:
    assert look.interval(low, high).replace(look.NBSP, " ") == shown
