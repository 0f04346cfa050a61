"""The women of a definition, and whether anything may be told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.bands import EVENTS, NOT_KNOWN, Filter, band_words
from core.cohorts.definition import Definition, DefinitionRefused, Domain, Enters, Population
from core.cohorts.disclosure import count_said, differs_by_few, few, is_small
from core.cohorts.facts import Facts, facts_of
from core.cohorts.frame import Frame
from core.cohorts.happenings import EVENT_KINDS, has_any

__all__ = ["Definition", "DefinitionRefused", "Domain", "Enters", "Population", "Selection", "select"]


@dataclass(frozen=True)
class Selection:
    """The women of a definition and their visits, for the figures: nothing of it goes on a page but through `disclosure`.

    `women` and `visits` have the columns of the frame, the numbers of the women kept; of a woman all visits are there
    that lie between the definition's years. `entry` has of each woman the visit that she enters with, in the order of
    `women`. `marks` says of each woman of the frame whether she belongs. `withheld` says why nothing is told; empty where
    something may be.
    """

    frame: Frame
    definition: Definition
    facts: Facts
    chosen: NDArray[np.bool_]
    withheld: str

    @property
    def n(self) -> int:
        """Return the number of women: to be counted with, not to be told."""
        return int(np.count_nonzero(self.chosen))

    @property
    def counted(self) -> str:
        """Say how many women there are, as far as that may be told."""
        return count_said(self.n)

    @property
    def sentence(self) -> str:
        """Say in words who is counted."""
        return self.definition.sentence(self.counted)

    @cached_property
    def marks(self) -> NDArray[np.bool_]:
        """A mark a woman of the frame: whether she belongs."""
        return self.facts.mark(self.chosen)

    @cached_property
    def women(self) -> pl.DataFrame:
        """The chosen women, with the frame's columns."""
        return self.frame.women[self.facts.rows[self.chosen]]

    @cached_property
    def entry(self) -> pl.DataFrame:
        """The visits that they enter with, one a woman in the order of `women`, with the frame's columns."""
        return self.frame.visits[self.facts.entry_rows[self.chosen]]

    @cached_property
    def visits(self) -> pl.DataFrame:
        """All their visits between the definition's years, with the frame's columns."""
        return self.visits_of(*self.frame.visits.columns)

    @cached_property
    def ages(self) -> NDArray[np.float64]:
        """Their ages in whole years when they enter, in the order of `women`; NaN where it is not known."""
        return self.facts.ages[self.chosen]

    def visits_of(self, *columns: str) -> pl.DataFrame:
        """Return some columns of their visits: much cheaper than all of them, where there are many women."""
        visits = self.frame.visits
        kept = pl.Series(self.marks[visits["woman"].to_numpy()])
        years = self.definition.from_year, self.definition.to_year
        if years[0] is not None:
            kept &= visits["on"].dt.year() >= years[0]
        if years[1] is not None:
            kept &= visits["on"].dt.year() <= years[1]
        return visits.select(columns).filter(kept)

    def told_visits(self, *columns: str) -> pl.DataFrame:
        """Return some columns of the visits whose risk may be told and that may be joined: all scored by the same.

        By the model that the definition names, else by the one that most of them were scored by.
        """
        named = list(dict.fromkeys([*columns, "trust", "said_by"]))
        told = self.visits_of(*named).filter(pl.col("trust").cast(pl.String) == "trusted")
        said_by = self.definition.model or self.said_by
        return told.filter(pl.col("said_by").cast(pl.String) == said_by).select(columns)

    @cached_property
    def said_by(self) -> str:
        """The weights and calibration that most of their told visits were scored by; empty where there are none."""
        said = self.visits_of("trust", "said_by").filter(pl.col("trust").cast(pl.String) == "trusted")
        counts = (
            said["said_by"]
            .cast(pl.String)
            .value_counts()
            .sort(["count", "said_by"], descending=[True, False])
        )
        return str(counts["said_by"][0]) if len(counts) else ""  # fmt: skip

    def counts(self, one: Filter) -> Mapping[str, int]:
        """Return how many women each band of a filter would have, the other filters as they are; not to be told as they are."""
        others = _fit(self.facts, self.definition, leaving_out=one)
        return _by_band(self.facts, self.definition, one, others)

    @property
    def by_kind_of_event(self) -> Mapping[str, int]:
        """How many women would have an event of each kind in the definition's years, the other filters as they are.

        Not to be told as they are; a woman may have events of several kinds.
        """
        others = _fit(self.facts, self.definition, leaving_out=EVENTS)
        when = self.definition.events_from, self.definition.events_to
        with_one = {kind: has_any(self.facts.events, (kind,), *when)[self.facts.rows] for kind in EVENT_KINDS}
        return {kind: int(np.count_nonzero(others & these)) for kind, these in with_one.items()}

    def within(self, one: Filter) -> Mapping[str, int]:
        """Return how many of the chosen women are in each band of a filter; not to be told as they are."""
        return _by_band(self.facts, self.definition, one, self.chosen)


def _fit(facts: Facts, definition: Definition, *, leaving_out: Filter | None = None) -> NDArray[np.bool_]:
    """Say which women a definition asks for, perhaps without one of its filters."""
    fit = np.ones(len(facts.rows), dtype=bool)
    for one in definition.narrowed:
        if one is not leaving_out:
            keys = facts.keys[one.key]
            places = [keys.index(key) for key in definition.chosen(one) if key in keys]
            fit &= np.isin(facts.codes_of(one, definition), places)
    return fit


def _by_band(facts: Facts, definition: Definition, one: Filter, among: NDArray[np.bool_]) -> dict[str, int]:
    keys = facts.keys[one.key]
    many = np.bincount(facts.codes_of(one, definition)[among], minlength=len(keys))
    return {key: int(women) for key, women in zip(keys, many, strict=True)}


def select(frame: Frame, definition: Definition) -> Selection:
    """Choose the women of a definition, and settle whether anything may be told of them."""
    facts = facts_of(frame, definition)
    chosen = _fit(facts, definition)
    return Selection(frame, definition, facts, chosen, _withheld(frame, definition, facts, chosen))


def _withheld(frame: Frame, definition: Definition, facts: Facts, chosen: NDArray[np.bool_]) -> str:
    """Say why nothing is told of a cohort: it, what it leaves out, or its difference to a neighbour is a few women.

    Neighbours are the cohorts of the same definition with one choice more, less or none: each band that is chosen and all
    that are not must hold nobody or not few, so that no two definitions of the same other choices differ by a few.
    """
    n = int(np.count_nonzero(chosen))
    if not n:
        return "No women fit this definition."
    if is_small(n):
        return f"{few().capitalize()} women fit this definition. Nothing is shown of so few: it could be told whose it is."
    return (
        _few_of_a_kind(facts, chosen)
        or _few_by_a_filter(definition, facts)
        or _few_by_events(definition, facts, chosen)
        or _few_by_entering(frame, definition, facts, chosen)
    )


def _few_of_a_kind(facts: Facts, chosen: NDArray[np.bool_]) -> str:
    for simulated, kind in ((True, Population.SIMULATED), (False, Population.REAL)):
        of_kind = facts.simulated == simulated
        fit = int(np.count_nonzero(chosen & of_kind))
        if is_small(fit):
            return (
                f"{few().capitalize()} {kind.value} women fit this definition. Figures of all together, beside those "
                "of the others, would tell of these few."
            )
        if is_small(int(np.count_nonzero(of_kind)) - fit):
            return (
                f"This definition leaves out {few()} of the {kind.value} women. Figures of the rest, beside those "
                "of all of them, would tell of these few."
            )
    return ""


def _few_by_a_filter(definition: Definition, facts: Facts) -> str:
    for one in definition.narrowed:
        among = _fit(facts, definition, leaving_out=one)
        kinds = [facts.simulated, ~facts.simulated] if definition.kind is Population.BOTH else [True]
        for kind in kinds:
            counts = _by_band(facts, definition, one, among & kind)
            chosen = definition.chosen(one)
            for key in chosen:
                if is_small(counts.get(key, 0)):
                    return (
                        f"{few().capitalize()} of these women are of “{one.label}: {band_words(one, key)}”. Figures with "
                        "and without them would tell of these few: take that choice out."
                    )
            if is_small(sum(women for key, women in counts.items() if key not in chosen)):
                unknown = " (those of whom it is not known count too)" if counts.get(NOT_KNOWN) else ""
                return (
                    f"Your choice of “{one.label}” leaves out {few()} of these women{unknown}. Figures without that "
                    "choice would tell of these few: choose less, or nothing, there."
                )
    return ""


def _few_by_events(definition: Definition, facts: Facts, chosen: NDArray[np.bool_]) -> str:
    """Compare with the cohorts of the same definition without one of its kinds of event, or with events of any kind or year.

    Not with one kind more: that cohort, which is compared with this one, is the one of which nothing is told.
    """
    if not definition.names_events:
        return ""
    kinds = definition.event_kinds
    neighbours: list[dict[str, object]] = [
        {"event_kinds": tuple(one for one in kinds if one != kind)} for kind in kinds
    ]
    neighbours += [
        {name: None} for name in ("events_from", "events_to") if getattr(definition, name) is not None
    ]
    neighbours.append({"event_kinds": (), "events_from": None, "events_to": None})
    # What it asks stays the question, where the neighbour names no event any more: whether there is one.
    asked: dict[str, object] = {"events": definition.chosen(EVENTS)}
    for neighbour in neighbours:
        other = _fit(facts, definition.model_copy(update=asked | neighbour))
        if differs_by_few(chosen, other):
            return (
                f"Without one of these kinds of event, or with events of any kind or year, this cohort would differ by {few()} "
                "women. Figures of both would tell of these few: choose fewer kinds, or more years."
            )
    return ""


_BEGINS: Mapping[str, tuple[str, dict[str, object]]] = {
    "domain": ("visits that count", {"domain": Domain.TRUSTED}),
    "years": ("years", {"from_year": None, "to_year": None}),
    "model": ("weights", {"model": ""}),
    "enters": ("entry", {"enters": Enters.FIRST, "at_age": None, "at_year": None}),
}


def _few_by_entering(
    frame: Frame, definition: Definition, facts: Facts, chosen: NDArray[np.bool_]
) -> str:  # fmt: skip
    """Compare with the cohorts of the same definition whose way of entering is the usual one."""
    mine = facts.mark(chosen)
    for label, usual in _BEGINS.values():
        if all(getattr(definition, name) == value for name, value in usual.items()):
            continue
        other = definition.model_copy(update=usual)
        others = facts_of(frame, other)
        if differs_by_few(mine, others.mark(_fit(others, other))):
            return (
                f"With the usual choice of “{label}” this cohort would differ by {few()} women. Figures of both would tell "
                "of these few: choose otherwise there, or define the cohort more widely."
            )
    return ""
