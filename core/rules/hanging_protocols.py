"""Hanging protocols as data: read once from `hanging.toml`; which view goes where, which way it is turned."""

from __future__ import annotations

import enum
from functools import cache
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from core.rules import documents
from core.rules.documents import Document, Table, Words
from core.rules.vocabulary import SIDES, ViewName


class Edge(enum.StrEnum):
    """An edge of a picture as it is seen, not a breast."""

    LEFT = "left"
    RIGHT = "right"


class PriorPlace(enum.StrEnum):
    """Where the study before is hung beside the current one."""

    BELOW = "below"
    ABOVE = "above"
    BESIDE = "beside"


def _view(said: object) -> object:
    return ViewName.of_code(said) if isinstance(said, str) else said


HungView = Annotated[ViewName, BeforeValidator(_view)]


class HangingProtocol(Table):
    """Rows of views, from the top and from the left; at which edge each breast's chest wall stands; where the prior."""

    name: Words
    rows: Annotated[tuple[Annotated[tuple[HungView, ...], Field(min_length=1)], ...], Field(min_length=1)]
    chest_wall: dict[str, Edge]
    prior: PriorPlace
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


class HangingProtocols(Document):
    """The file of hanging protocols."""

    in_force: Words
    protocol: Annotated[tuple[HangingProtocol, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = [protocol.name for protocol in self.protocol]
        documents.unique(names, "the protocol")
        if self.in_force not in names:
            raise ValueError(f"in_force names “{self.in_force}”, but the protocols are {', '.join(names)}")
        return self


@cache
def protocols() -> HangingProtocols:
    """Return all protocols with their edition; raises `documents.RulesError` if the file is damaged."""
    return documents.read("hanging.toml", HangingProtocols)


def protocol() -> HangingProtocol:
    """Return the protocol in force."""
    return next(one for one in protocols().protocol if one.name == protocols().in_force)
