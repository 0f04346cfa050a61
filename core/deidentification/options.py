"""What may stay beside the Basic Profile: the options of PS3.15 E.3, as `options.toml` lists them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

from pydantic import model_validator
from pydicom.datadict import keyword_dict

from core.rules.documents import Document, Table, Words, read

__all__ = ["CLEAN_PIXELS", "DEFAULT", "PROFILE", "Options", "known"]

PROFILE = ("113100", "Basic Application Confidentiality Profile")
CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
DEFAULT = frozenset({"dates", "characteristics"})
"""What stays where nothing else is asked for: without age and intervals a woman's course means nothing."""


class Option(Table):
    """One option: its code in CID 7050, its meaning there, what it is for, and the keywords that it keeps."""

    name: Words
    code: Words
    meaning: Words
    help: Words
    keeps: tuple[Words, ...]


class Cleaned(Table):
    """Attributes of whose text only known words stay."""

    attributes: tuple[Words, ...]
    words: tuple[Words, ...]


class Known(Document):
    """All options, and what cleaning a description means."""

    option: tuple[Option, ...]
    cleaned: Cleaned

    @model_validator(mode="after")
    def _keywords_are_of_the_standard(self) -> Self:
        named = [k for option in self.option for k in option.keeps] + list(self.cleaned.attributes)
        unknown = [keyword for keyword in named if keyword not in keyword_dict]
        if unknown:
            raise ValueError(f"PS3.6 knows no {', '.join(unknown)}")
        return self


@cache
def known() -> Known:
    """Return the options that there are; raises `core.rules.RulesError` if the file cannot be used."""
    return read("options.toml", Known, folder=files("core.deidentification"))


@dataclass(frozen=True)
class Options:
    """What is kept, by the names of `options.toml`; raises `ValueError` for a name that is not there."""

    kept: frozenset[str] = DEFAULT

    def __post_init__(self) -> None:
        unknown = sorted(self.kept - {option.name for option in known().option})
        if unknown:
            there = ", ".join(option.name for option in known().option)
            raise ValueError(f"There is no option {', '.join(unknown)}: there are {there}.")

    @classmethod
    def of(cls, keep: Collection[str], *, defaults: bool = True) -> Self:
        """Return the options that are asked for, beside the usual ones unless `defaults` is false."""
        return cls(frozenset(keep) | (DEFAULT if defaults else frozenset()))

    def __contains__(self, name: str) -> bool:
        return name in self.kept

    @property
    def keywords(self) -> frozenset[str]:
        """Return the attributes that stay as they are."""
        return frozenset(k for option in known().option if option.name in self.kept for k in option.keeps)

    @property
    def codes(self) -> tuple[tuple[str, str], ...]:
        """Return profile and options as codes of DCM with their meanings (PS3.16 CID 7050)."""
        chosen = [(option.code, option.meaning) for option in known().option if option.name in self.kept]
        return (PROFILE, CLEAN_PIXELS, *chosen)

    def to_json(self) -> list[str]:
        """Return them as a child process is told."""
        return sorted(self.kept)


def clean_words(text: str) -> str:
    """Return the words of a description that are known to name no person, in their order.

    >>> clean_words("MAMMO SCREENING Dr. Smith R-MLO")
    'MAMMO SCREENING'
    """
    allowed = set(known().cleaned.words)
    return " ".join(word for word in text.upper().split() if word in allowed)


def cleaned_keywords() -> frozenset[str]:
    """Return the descriptions of which known words may stay."""
    return frozenset(known().cleaned.attributes)
