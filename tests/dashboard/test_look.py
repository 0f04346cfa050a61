"""Numbers and words as every page shows them."""

import re
from pathlib import Path

import pytest

from core.wording import counted
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


def test_every_class_that_pages_speak_of_is_dressed_and_none_twice() -> None:
    """What a page calls by a class of ours has a rule in the CSS: a mark without one is read as plain words."""
    here = Path(look.__file__).parent
    css = here.joinpath("look.css").read_text(encoding="utf-8")
    spoken = {
        name
        for path in here.rglob("*.py")
        for words in re.findall(
            r"""class=\\?["']?([^"'<>=]*lv-[^"'<>=]*)""", path.read_text(encoding="utf-8")
        )
        for name in re.findall(r"(?<![\w-])lv-[a-z-]*[a-z]\b", words)
    }
    assert len(spoken) > 50
    assert {name for name in spoken if not re.search(rf"\.{name}(?![\w-])", css)} == set()
    alone = re.findall(r"^(\.lv-[a-z-]+) \{", css, flags=re.MULTILINE)
    assert [name for name in alone if alone.count(name) > 1] == []


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 studies"), (1, "1 study"), (2, "2 studies"), (1234, "1,234 studies")]
)
def test_one_is_said_as_one(number: int, said: str) -> None:
    assert counted(number, "study", "studies") == said
