"""No cell of a table runs as a formula, by whatever separator the file is split and however the sign is written."""

import csv as reader
import io
import json
import unicodedata

import pandas as pd
import pytest

from core.records import csv

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−➕➖"
BEFORE = [
    "",
    " ",
    "\u200b",
    "\ufeff",
    "\u2060",
    "\u00ad",
    "\u202e",
    "\u3000",
    '"',
    "\t",
    "\r",
    "\n",
    '\u200b "',
]
SEPARATORS = ",;\t|: "


def begins_formula(cell: str) -> bool:
    """Say whether a spreadsheet would run it: after what is not seen and quotes comes a sign, and it is no number."""
    seen = "".join(one for one in cell if unicodedata.category(one) not in ("Cc", "Cf", "Zs", "Zl", "Zp"))
    seen = (
        unicodedata.normalize("NFKC", seen.strip('"')).replace("−", "-").replace("➕", "+").replace("➖", "-")
    )
    try:
        float(seen.replace(",", "."))
    except ValueError:
        return len(seen) > 1 and seen[0] in "=+-@"
    return False


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("sign", SIGNS)
def test_no_cell_begins_a_formula_by_any_separator(sign: str, before: str) -> None:
    attack = f"{before}{sign}HYPERLINK(1)"
    cells = [attack, f"x{before}", *(f"harmless{mark}{attack}" for mark in SEPARATORS), f'say "no";{attack}']
    text = csv.csv_of(pd.DataFrame({attack: cells, "value": [-1.5] * len(cells)}), note=attack).decode()
    for mark in SEPARATORS:
        for line in reader.reader(io.StringIO(text), delimiter=mark):
            assert not [cell for cell in line if begins_formula(cell)], (mark, line)
        # As a program does that knows no quotes.
        for line in text.splitlines():
            assert not [cell for cell in line.split(mark) if begins_formula(cell)], (mark, line)


@pytest.mark.parametrize(
    "words",
    [
        "5-year risk 1.5–3 %",
        "n = 24",
        "five-year",
        "a - b",
        "log-odds −0.2 to 3",
        "change: -0.25, -1e-05",
        "–",
        "",
    ],
)
def test_words_and_numbers_stay_as_they_are(words: str) -> None:
    assert csv.harmless(words) == words


def test_numbers_stay_numbers_and_documents_can_still_be_read() -> None:
    said = json.dumps({"risk": -1.2e-05, "note": "-cmd", "list": [-1, -2.5]})
    text = csv.csv_of(pd.DataFrame({"n": [-1.5], "said": [said]})).decode()
    back = pd.read_csv(io.StringIO(text))
    assert back["n"][0] == -1.5
    assert json.loads(back["said"][0])["risk"] == -1.2e-05
    assert csv.harmless("two\nlines") == "two\nlines"
