"""User names: what one is, and that none looks like another's.

Names are compared by what they look like (Unicode's list of confusable characters, UTS 39): a second “аda”, with a Cyrillic
а, would be taken for Ada in every list and in the audit trail.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

__all__ = ["check_name", "looks_of", "plain_name"]

LONGEST = 64
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What Unicode calls printable and nobody sees (Default_Ignorable_Code_Point): fillers, joiners, variation selectors."""


def plain_name(username: str) -> str:
    """Return a user name as it is kept and compared: letter case and the way that accents are typed do not tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", username.strip()).lower())


def check_name(name: str, others: Iterable[str]) -> None:
    """Raise `ValueError` with a sentence where a new name will not do beside the others."""
    if (
        not name
        or len(name) > LONGEST
        or any(character.isspace() or not character.isprintable() for character in name)
    ):
        raise ValueError(f"A user name has 1 to {LONGEST} characters and no spaces.")
    if _UNSEEN.search(name):
        raise ValueError(f"The user name “{name}” holds characters that cannot be seen. Type it anew.")
    others = set(others)
    if name in others:
        raise ValueError(f"The user name “{name}” is taken.")
    if unicodedata.normalize("NFKC", name) != name:
        raise ValueError(
            f"The user name “{name}” holds characters that only look like letters or digits. Type it with plain ones."
        )
    from confusable_homoglyphs import confusables

    if confusables.is_mixed_script(name, allowed_aliases=["COMMON", "INHERITED"]):
        raise ValueError(
            f"The user name “{name}” mixes letters of several scripts, which look alike. Use those of one."
        )
    looks = looks_of(name)
    alike = next((other for other in sorted(others) if looks_of(other) == looks), None)
    if alike is not None:
        raise ValueError(
            f"The user name “{name}” looks like “{alike}”, and people would take one for the other. Choose another."
        )


def looks_of(name: str) -> str:
    """Return what a name looks like: the same for all names that cannot be told apart by eye.

    >>> looks_of("dr1") == looks_of("drl")
    True
    """
    return "".join(_looks_of_one(character) for character in unicodedata.normalize("NFD", name))


@cache
def _looks_of_one(character: str) -> str:
    from confusable_homoglyphs import confusables

    found = confusables.is_confusable(character, greedy=True)
    # One character, or several that look like one, as r and n look like m.
    alike = [glyph["c"].lower() for glyph in found[0]["homoglyphs"]] if found else []
    plain = {one for one in (character, *alike) if one.isascii() and one.isprintable()}
    if not plain:
        return character
    # Letters stand for digits, both for other signs, the longer for the shorter: what is left looks like nothing simpler.
    # Of signs it is the first: the apostrophe for the accent that leans, since others look like both.
    return max(
        sorted(plain),
        key=lambda one: (one.isalpha(), one.isalnum(), len(one), one if one.isalnum() else ""),
    )
