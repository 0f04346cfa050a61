"""No two user names look alike."""

import pytest

from core.installation import Installation
from core.people import accounts
from core.people.roles import Role
from core.people.user_names import check_name, looks_of


@pytest.mark.parametrize(
    ("there", "new", "why"),
    [
        ("ada", "\u0430da", "mixes letters"),  # Cyrillic a
        ("paya", "\u0440\u0430\u0443\u0430", "looks like “paya”"),  # Cyrillic throughout
        ("admin", "adm\u0131n", "looks like “admin”"),  # dotless i
        ("admin", "adrnin", "looks like “admin”"),
        ("oscar", "0scar", "looks like “oscar”"),
        ("drl", "dr1", "looks like “drl”"),
        ("file", "\ufb01le", "only look like letters"),  # the ligature fi
        ("ada", "\uff41da", "only look like letters"),  # full width
        ("ada", "ada", "is taken"),
        ("ada", "a da", "no spaces"),
        ("ada", "a\u200bda", "no spaces"),  # of no width
        ("o'brien", "o\u2019brien", "looks like “o'brien”"),  # the typographic apostrophe
        ("mary-ann", "mary\u2010ann", "looks like “mary-ann”"),  # the other hyphen
        ("ada", "ada\ufe0f", "cannot be seen"),  # a variation selector
        ("ada", "a\u034fda", "cannot be seen"),  # the grapheme joiner
        ("ada", "ada\U000e0101", "cannot be seen"),
        ("ada", "x" * 65, "1 to 64"),
        ("ada", "", "1 to 64"),
    ],
)
def test_a_name_that_looks_like_another_is_refused(there: str, new: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_name(new, [there])


@pytest.mark.parametrize(
    "new", ["elise", "\u00e9lise", "m\u00fcller-schmidt", "иван", "山田", "o'brien", "anna.k2", "müller_3"]
)
def test_names_of_people_are_names(new: str) -> None:
    check_name(new, ["admin", "ada", "jose", "muller"])


def test_an_accent_tells_apart_and_a_look_alike_of_it_does_not() -> None:
    assert looks_of("jos\u00e9") != looks_of("jose")
    assert looks_of("j\u043es\u00e9") == looks_of("jos\u00e9")  # Cyrillic o


def test_it_is_asked_where_accounts_are_made(here: Installation) -> None:
    accounts.create_user(here, "clara", "correct horse battery", Role.STAFF)
    with pytest.raises(ValueError, match="looks like “clara”"):
        accounts.create_user(here, "c1ara", "correct horse battery", Role.STAFF)
