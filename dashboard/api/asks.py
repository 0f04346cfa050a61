"""What a program asks to be put right: one shape a kind, and what it is to `core.corrections`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.corrections import (
    Ask,
    DateOf,
    DaysOf,
    EventIs,
    EventsAre,
    FilmIs,
    FilmsAre,
    Merged,
    MovedTo,
    SetAside,
    WhoSheIs,
)
from dashboard.api.days import Day

__all__ = ["Asked"]

_MOST = 200
Uid = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9.]+$", examples=["2.25.1.1"])]
Mrn = Annotated[str, Field(min_length=1, max_length=64, examples=["SIM0001"])]
Name = Annotated[str | None, Field(max_length=256)]
Sex = Annotated[Literal["F", "M", "O"] | None, Field()]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Film(_Body):
    """What a film truly is; what is not said stays. `kinds` empty: a standard view."""

    sop_uid: Uid
    laterality: Literal["L", "R"] | None = None
    view: Annotated[str | None, Field(max_length=16, examples=["CC"])] = None
    kinds: Annotated[list[str] | None, Field(max_length=20)] = None


class FilmsAsk(_Body):
    """Side, view and kind of films."""

    kind: Literal["film"]
    films: Annotated[list[Film], Field(min_length=1, max_length=_MOST)]

    def asked(self) -> Ask:
        """Return it as it is put right."""
        return FilmsAre(
            {
                one.sop_uid: FilmIs(
                    one.laterality, one.view, None if one.kinds is None else frozenset(one.kinds)
                )
                for one in self.films
            }
        )


class DateAsk(_Body):
    """The day of a study."""

    kind: Literal["date"]
    study_uid: Uid
    on: Day

    def asked(self) -> Ask:
        """Return it as it is put right."""
        return DateOf(self.study_uid, self.on)


class FilmDay(_Body):
    """The day of a film."""

    sop_uid: Uid
    on: Day


class DaysAsk(_Body):
    """The days of single films: what came as one study was several."""

    kind: Literal["days"]
    films: Annotated[list[FilmDay], Field(min_length=1, max_length=_MOST)]

    def asked(self) -> Ask:
        """Return it as it is put right."""
        return DaysOf({one.sop_uid: one.on for one in self.films})


class NewWoman(_Body):
    """Who a woman is that is not known yet."""

    name: Name = None
    birth_date: Day | None = None
    sex: Sex = None


class PatientAsk(_Body):
    """Studies and films that are another woman's; one who is not known yet is made, and is who `new` says."""

    kind: Literal["patient"]
    to: Mrn
    studies: Annotated[list[Uid], Field(max_length=_MOST)] = []
    films: Annotated[list[Uid], Field(max_length=_MOST)] = []
    new: NewWoman = NewWoman()

    def asked(self) -> Ask:
        """Return it as it is put right."""
        return MovedTo(self.to, tuple(self.studies), tuple(self.films), self.new.model_dump())


class PersonAsk(_Body):
    """Name, birth date and sex of a woman; null is not known, what is not said stays."""

    kind: Literal["person"]
    patient: Mrn
    name: Name = None
    birth_date: Day | None = None
    sex: Sex = None

    def asked(self) -> Ask:
        """Return it as it is put right."""
        return WhoSheIs(self.patient, self.model_dump(exclude={"kind", "patient"}, exclude_unset=True))


class SetAsideAsk(_Body):
    """Films that are not wanted: kept, shown nowhere, read by no model."""

    kind: Literal["set_aside"]
    films: Annotated[list[Uid], Field(min_length=1, max_length=_MOST)]

    def asked(self) -> Ask:
        """Return it as it is put right."""
        return SetAside(tuple(self.films))


class MergeAsk(_Body):
    """Two records of one woman: all of `gone` goes to `kept`, and its MRN leads there from then on."""

    kind: Literal["merge"]
    kept: Mrn
    gone: Mrn

    def asked(self) -> Ask:
        """Return it as it is put right."""
        return Merged(self.kept, self.gone)


class EventTruly(_Body):
    """Whose an event truly is, of which day, and when a therapy ended; what is not said stays."""

    id: Annotated[int, Field(ge=1, le=2**31 - 1)]
    patient: Mrn | None = None
    on: Day | None = None
    end: Day | None = None


class EventsAsk(_Body):
    """Whose events are and of when."""

    kind: Literal["event"]
    events: Annotated[list[EventTruly], Field(min_length=1, max_length=_MOST)]

    def asked(self) -> Ask:
        """Return it as it is put right."""
        return EventsAre({one.id: EventIs(one.patient, one.on, one.end) for one in self.events})


Asked = Annotated[
    FilmsAsk | DateAsk | DaysAsk | PatientAsk | PersonAsk | SetAsideAsk | MergeAsk | EventsAsk,
    Field(discriminator="kind", examples=[{"kind": "date", "study_uid": "2.25.1.1", "on": "2021-06-01"}]),
]
