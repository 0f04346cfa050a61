"""What free words of a description say of side and view: where they name one or several beyond doubt."""

from __future__ import annotations

import re

from core.rules.vocabulary import VIEWS

__all__ = ["described_sides", "described_views"]

_SIDE = r"L|R|LEFT|RIGHT|LT|RT"
_VIEW = "|".join(sorted(VIEWS, key=len, reverse=True))
# "L MLO", "rcc", "LEFT_CC": a side right before a view; and the words for either.
_BOTH = re.compile(rf"(?<![A-Z])({_SIDE})[ _-]?({_VIEW})(?![A-Z])")
_SIDE_WORD = re.compile(
    r"(?<![A-Z])(LEFT|RIGHT|LINKS|RECHTS|GAUCHE|DROITE?|IZQUIERD[AO]|DERECH[AO])(?![A-Z])"
)
_VIEW_ALONE = re.compile(r"(?<![A-Z])(CC|MLO|XCCL|XCCM)(?![A-Z])")
_SIDES = {"L": "L", "R": "R", "G": "L", "D": "R", "I": "L"}


def described_sides(words: str) -> set[str]:
    """Return the sides that a description names.

    >>> described_sides("Right craniocaudal"), described_sides("R CC, L CC") == {"L", "R"}, described_sides("Routine")
    ({'R'}, True, set())
    """
    upper = words.upper()
    named = [match[1] for match in _BOTH.finditer(upper)]
    return {_SIDES[word[0]] for word in [*named, *_SIDE_WORD.findall(upper)]}


def described_views(words: str) -> set[str]:
    """Return the views that a description names.

    >>> described_views("RCC"), described_views("medio-lateral oblique"), described_views("Routine 2D")
    ({'CC'}, {'MLO'}, set())
    """
    upper = words.upper()
    found = {match[2] for match in _BOTH.finditer(upper)} | set(_VIEW_ALONE.findall(upper))
    spelt = re.sub(r"[^A-Z]", "", upper)
    if "MEDIOLATERALOBLIQUE" in spelt:
        found.add("MLO")
    if "CRANIOCAUDAL" in spelt and "EXAGGERATED" not in spelt:
        found.add("CC")
    return found
