"""Hanging protocols as data, read once from `hanging.toml`: which view of which study goes where, and which way it is turned."""

from __future__ import annotations

import enum
from functools import cache
from typing import Annotated, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from core.rules import documents
from core.rules.documents import Document, Table, Words
from core.rules.vocabulary import SIDES, ViewName


class Edge(enum.StrEnum):
    """An edge of a picture as it is seen, not a breast."""

    LEFT = "left"
    RIGHT = "right"


class Shown(enum.StrEnum):
    """Which of the two studies that are compared a view is of."""

    NOW = "now"
    PRIOR = "prior"


class Place(NamedTuple):
    """Which view of which of the two studies stands somewhere.

    >>> Place.of_words("R-CC prior").view.words
    'R CC'
    """

    view: ViewName
    study: Shown

    @classmethod
    def of_words(cls, words: str) -> Self:
        """Return the place that words such as ``R-CC now`` name; raises `ValueError` if they name none."""
        code, _, study = words.partition(" ")
        if study not in set(Shown):
            raise ValueError(f"“{words}” does not say whose view it is: now or prior, as in “R-CC prior”")
        return cls(ViewName.of_code(code), Shown(study))

    @property
    def words(self) -> str:
        """Return it as the file writes it."""
        return f"{self.view.code} {self.study.value}"


def _view(said: object) -> object:
    return ViewName.of_code(said) if isinstance(said, str) else said


def _place(said: object) -> object:
    return Place.of_words(said) if isinstance(said, str) else said


HungView = Annotated[ViewName, BeforeValidator(_view)]
HungPlace = Annotated[Place, BeforeValidator(_place)]


class HangingProtocol(Table):
    """Rows of views, from the top and from the left; at which edge each breast's chest wall stands."""

    name: Words
    rows: Annotated[tuple[Annotated[tuple[HungView, ...], Field(min_length=1)], ...], Field(min_length=1)]
    chest_wall: dict[str, Edge]
    source: Words

    @property
    def views(self) -> tuple[ViewName, ...]:
        """Return the views that are hung, row by row."""
        return tuple(view for row in self.rows for view in row)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        documents.unique([view.code for view in self.views], "the view")
        if set(self.chest_wall) != set(SIDES):
            raise ValueError(
                f"chest_wall names an edge for each of {' and '.join(SIDES)}, and for nothing else"
            )
        return self


class Layout(Table):
    """One way to lay two studies out, chosen by a key: rows of places, or every image of the study that is read."""

    name: Words
    key: Annotated[str, Field(pattern="^[1-9]$")]
    rows: tuple[Annotated[tuple[HungPlace, ...], Field(min_length=1)], ...] = ()
    every_image: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.rows) == self.every_image:
            raise ValueError("a layout has rows of views, or shows every image, and not both")
        documents.unique([place.words for row in self.rows for place in row], "the view")
        if len({len(row) for row in self.rows}) > 1:
            raise ValueError("the rows of a layout are equally long")
        return self


class HangingProtocols(Document):
    """The file of hanging protocols; `layout` in the order of the viewer's menu, `opens_with` the first that it shows."""

    in_force: Words
    opens_with: Words
    protocol: Annotated[tuple[HangingProtocol, ...], Field(min_length=1)]
    layout: Annotated[tuple[Layout, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = [protocol.name for protocol in self.protocol]
        documents.unique(names, "the protocol")
        if self.in_force not in names:
            raise ValueError(f"in_force names “{self.in_force}”, but the protocols are {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _layouts_can_be_chosen(self) -> Self:
        names = [layout.name for layout in self.layout]
        documents.unique(names, "the layout")
        documents.unique([layout.key for layout in self.layout], "the key")
        if self.opens_with not in names:
            raise ValueError(f"opens_with names “{self.opens_with}”, but the layouts are {', '.join(names)}")
        if not any(layout.every_image for layout in self.layout):
            raise ValueError("no layout shows every image: what has no place in the others could not be seen")
        return self


@cache
def protocols() -> HangingProtocols:
    """Return all protocols with their edition; raises `documents.RulesError` if the file is damaged."""
    return documents.read("hanging.toml", HangingProtocols)


def protocol() -> HangingProtocol:
    """Return the protocol in force."""
    return next(one for one in protocols().protocol if one.name == protocols().in_force)
