"""Which women belong to a cohort, and with which visit each enters it: said once, kept as JSON, told in words."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from core.cohorts.bands import EVENTS, FILTERS, Filter, band_words, keys_of
from core.cohorts.happenings import EVENT_KINDS, FIRST_YEAR, LAST_YEAR, said
from core.rules.documents import Table
from core.rules.vocabulary import DENSE

__all__ = ["ENTRY_AGES", "FORMAT", "Definition", "DefinitionRefused", "Domain", "Enters", "Population"]

FORMAT: Final = "longview-cohort/1"
ENTRY_AGES = (40, 45, 50, 55, 60, 65, 70)
Year = Annotated[int, Field(ge=1900, le=2200)]
Chosen = Annotated[tuple[str, ...], Field(max_length=64)]


class Population(enum.StrEnum):
    """Which women: simulated and real ones are never counted together unless somebody asks for it."""

    SIMULATED = "simulated"
    REAL = "real"
    BOTH = "simulated and real together"


class Domain(enum.StrEnum):
    """Which visits count: those whose score may be told, those whose score is withheld or a rank only, or all."""

    TRUSTED = "trusted"
    WITHHELD = "withheld"
    ANY = "any"


class Enters(enum.StrEnum):
    """With which of her visits a woman enters: a fixed one, never her last, which would be chosen by how it went on."""

    FIRST = "first"
    AGE = "age"
    YEAR = "year"


class DefinitionRefused(ValueError):
    """What was given is no definition that this release can read; the message says why and what to do."""


class Definition(Table):
    """Which women belong to a cohort. Of a filter without a choice all belong; the choices are keys of its bands.

    A woman enters with her first visit that `domain` allows, or the first of them from an age (`at_age`, years) or from
    the beginning of a calendar year (`at_year`) on. `from_year` and `to_year` (both included) leave visits out that lie
    outside; `model` those whose score others said than these weights and calibration. `event_kinds`, `events_from` and
    `events_to` (whole years, both included) say which events `events` asks of: without a choice there, women with one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["longview-cohort/1"] = FORMAT
    kind: Population = Population.REAL
    domain: Domain = Domain.TRUSTED
    enters: Enters = Enters.FIRST
    at_age: int | None = None
    at_year: Year | None = None
    from_year: Year | None = None
    to_year: Year | None = None
    model: Annotated[str, Field(max_length=256)] = ""
    age: Chosen = ()
    density: Chosen = ()
    level: Chosen = ()
    vendor: Chosen = ()
    outcome: Chosen = ()
    visits: Chosen = ()
    slope: Chosen = ()
    followed: Chosen = ()
    treatment: Chosen = ()
    events: Chosen = ()
    event_kinds: Chosen = ()
    events_from: Annotated[int, Field(gt=FIRST_YEAR, lt=LAST_YEAR)] | None = None
    events_to: Annotated[int, Field(gt=FIRST_YEAR, lt=LAST_YEAR)] | None = None

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if (self.enters is Enters.AGE) != (self.at_age is not None) or (
            self.at_age is not None and self.at_age not in ENTRY_AGES
        ):
            raise ValueError(
                f"at_age is one of {', '.join(map(str, ENTRY_AGES))}, and goes with enters = age"
            )
        if (self.enters is Enters.YEAR) != (self.at_year is not None):
            raise ValueError("at_year goes with enters = year")
        if self.from_year is not None and self.to_year is not None and self.from_year > self.to_year:
            raise ValueError(f"from_year {self.from_year} lies after to_year {self.to_year}")
        if self.events_from is not None and self.events_to is not None and self.events_from > self.events_to:
            raise ValueError(f"events_from {self.events_from} lies after events_to {self.events_to}")
        if unknown := [kind for kind in self.event_kinds if kind not in EVENT_KINDS]:
            raise ValueError(
                f"there are no events of the kind “{unknown[0][:40]}”; there are {', '.join(EVENT_KINDS)}"
            )
        for one in FILTERS:
            for key in self.chosen(one) if one.bands else ():
                if key not in keys_of(one):
                    raise ValueError(
                        f"{one.key} has no band “{key[:40]}”; its bands are {', '.join(keys_of(one))}"
                    )
        return self

    def chosen(self, one: Filter) -> tuple[str, ...]:
        """Return the keys of the bands that are chosen of a filter; none where all women belong."""
        if one is EVENTS and self.names_events and not self.events:
            return ("some",)
        named: tuple[str, ...] = getattr(self, one.key)
        # Who asks for C and for D asks for a woman of whom no more is said than that it is one of them.
        either = one.key == "density" and set(DENSE.split("+")) <= set(named) and DENSE not in named
        return (*named, DENSE) if either else named

    @property
    def names_events(self) -> bool:
        """Whether the filter by events asks of some kinds or years of them alone."""
        return bool(self.event_kinds) or self.events_from is not None or self.events_to is not None

    def label_of(self, one: Filter) -> str:
        """Return what a filter is called, with the events that are meant where these are named."""
        if one is EVENTS and self.names_events:
            return f"{one.label}: {said(self.event_kinds, self.events_from, self.events_to)}"
        return one.label

    @property
    def narrowed(self) -> list[Filter]:
        """Return the filters of which something is chosen."""
        return [one for one in FILTERS if self.chosen(one)]

    @property
    def looks_ahead(self) -> list[str]:
        """Name the filters that choose women by what came after they entered: such a cohort says nothing of what will come."""
        return [one.label.lower() for one in self.narrowed if one.ahead]

    def but(self, **changes: Any) -> Definition:
        """Return the same definition with some things changed; raises `DefinitionRefused`."""
        return Definition.from_json({**self.model_dump(mode="json"), **changes})

    def sentence(self, women: str) -> str:
        """Say in words who is counted, for the subtitle of every figure; `women` says how many."""
        kind = "women, " + self.kind.value if self.kind is Population.BOTH else f"{self.kind.value} women"
        parts = [
            f"n ≈ {women} {kind}" if women[:1].isdigit() else f"{women} {kind}".strip(),
            self.entry_words,
        ]
        parts += [self._choice_words(one) for one in self.narrowed]
        if self.from_year or self.to_year:
            parts.append(
                f"visits {self.from_year or 'up to'}{'–' if self.from_year else ' '}{self.to_year or ''}"
            )
        if self.model:
            parts.append(f"scored by {self.model}")
        return ", ".join(parts)

    @property
    def entry_words(self) -> str:
        """Say with which visit a woman enters."""
        which = {
            Domain.TRUSTED: "scored visit",
            Domain.WITHHELD: "visit whose score is withheld",
            Domain.ANY: "visit",
        }[self.domain]
        since = {Enters.AGE: f" from the age of {self.at_age} on", Enters.YEAR: f" from {self.at_year} on"}
        return f"each from her first {which}{since.get(self.enters, '')}"

    def _choice_words(self, one: Filter) -> str:
        if one is EVENTS and self.names_events:
            words = {"some": "with", "none": "without"}
            which = " or ".join(words[key] for key in words if key in self.chosen(one))
            return f"{which} {said(self.event_kinds, self.events_from, self.events_to)} on record"
        named = getattr(self, one.key) or self.chosen(one)
        keys = keys_of(one) if one.bands else sorted(named)
        return f"{one.said} {' or '.join(band_words(one, key) for key in keys if key in named)}"

    def to_json(self) -> dict[str, Any]:
        """Return the definition as it is kept and shared: its format and what is not as it begins, keys in order."""
        return {"format": self.format, **self.model_dump(mode="json", exclude_defaults=True)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any] | str | bytes) -> Definition:
        """Read what `to_json` returned, as text or parsed.

        Raises
        ------
        DefinitionRefused
            If it is no JSON, of another release's format, or a key or value in it is not known.
        """
        if isinstance(said, str | bytes):
            try:
                said = json.loads(said)
            except (ValueError, RecursionError) as error:
                raise DefinitionRefused(
                    f"This is no definition of a cohort: it is no JSON ({error})."
                ) from error
        if not isinstance(said, Mapping) or "format" not in said:
            raise DefinitionRefused(f"This is no definition of a cohort: it has no “format”: “{FORMAT}”.")
        if said["format"] != FORMAT:
            raise DefinitionRefused(
                f"This definition is of another release (format “{str(said['format'])[:40]}”); this release reads "
                f"“{FORMAT}”. Define the cohort anew and save it."
            )
        try:
            return cls.model_validate(dict(said))
        except ValidationError as error:
            wrong = "; ".join(_wrong(one["loc"], one["msg"]) for one in error.errors())
            raise DefinitionRefused(
                f"This definition cannot be used: {wrong}. Put it right, or define the cohort anew."
            ) from error


def _wrong(place: Sequence[int | str], message: str) -> str:
    where = ".".join(str(step) for step in place)
    said = message.removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
