"""Corrections: all that were made, what would follow of one, making it, undoing it; as on the patient's page, what is made is what was looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.corrections import (
    ChangedSince,
    Chosen,
    CorrectionRefused,
    Kind,
    Made,
    NotConfirmed,
    Preview,
    SeenOtherwise,
    correct,
    correction_of,
    corrections_chosen,
    preview,
    preview_undo,
    undo,
    whom,
)
from core.exchange import NotHere, mrn_of, numbers_of
from core.people import Permission, Scope
from dashboard.api import shapes
from dashboard.api.asks import Asked
from dashboard.api.days import Day
from dashboard.api.described import EVERY, also, key_parameter, match_parameter
from dashboard.api.etags import with_tag
from dashboard.api.events import Number
from dashboard.api.paging import Paged
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import Problem

CORRECT = [door(Scope.WRITE, Permission.CORRECT)]
LOOK: dict[str, Any] = {"responses": also(409)}
CHANGE: dict[str, Any] = {
    "responses": also(409, 412, 428),
    "openapi_extra": key_parameter(parameters=[match_parameter("the preview")]),
}

router = APIRouter(prefix="/api/v1/corrections", tags=["corrections"], route_class=Recorded, responses=EVERY)


class Look(BaseModel):
    """What is right."""

    model_config = ConfigDict(extra="forbid")

    ask: Asked


class NewCorrection(Look):
    """What is right and why; `confirmed` says that its conflicts were seen and that it is right all the same."""

    reason: Annotated[str, Field(min_length=1, max_length=2_000, examples=["The day of the film was wrong."])]
    confirmed: bool = False


class Undoing(BaseModel):
    """Why a correction is undone."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str | None, Field(max_length=2_000)] = None


@router.get("", dependencies=[door(Scope.READ, Permission.CORRECT)])
def list_all_corrections(
    call: Caller,
    paged: Paged,
    patient: Annotated[
        str | None,
        Query(
            max_length=64, description="A woman's key: those of her record, and of records merged with it."
        ),
    ] = None,
    kind: Annotated[Kind | None, Query(description="What was put right.")] = None,
    since: Annotated[Day | None, Query(description="First day on which it was made (UTC).")] = None,
    until: Annotated[Day | None, Query(description="Last day (UTC).")] = None,
    undone: Annotated[bool | None, Query(description="Those that were undone, or those that stand.")] = None,
) -> shapes.CorrectionsPage:
    """List what was put right, by whom and why, and who undid it: of all women, newest first."""
    mrn = None
    if patient is not None:
        patient_id, mrn = mrn_of(call.here, call.person, patient)
        call.tells_of(patient_id)
    entries = corrections_chosen(
        call.here,
        Chosen(mrn, kind, since, until, undone),
        before=paged.after or None,
        limit=paged.limit + 1,
    )
    shown = entries[: paged.limit]
    mrns = dict.fromkeys(one for entry in shown for one in (entry.mrn, entry.other_mrn) if one)
    call.tells_of(*numbers_of(call.here, call.person, mrns))
    more = shown[-1].correction_id if len(entries) > paged.limit else None
    return shapes.CorrectionsPage(
        items=[shapes.Correction(**one.to_json()) for one in shown], next=paged.next(more)
    )


@router.post("/preview", dependencies=CORRECT, **LOOK)
def preview_correction(call: Caller, response: Response, said: Look) -> shapes.CorrectionPreview:
    """Say what a correction would do; nothing is changed. Make it with the ETag that comes with this."""
    with _in_words():
        ask = said.ask.asked()
        call.tells_of(*whom(call.here, ask))
        return _foretold(response, preview(call.here, ask, by=call.person))


@router.post("", dependencies=CORRECT, status_code=201, **CHANGE)
def make_correction(
    call: Caller, request: Request, response: Response, said: NewCorrection
) -> shapes.CorrectionMade:
    """Put something right, with all that follows of it, as its preview said; nothing where that has changed meanwhile."""
    stamp = with_tag(request)
    with _in_words():
        ask = said.ask.asked()
        call.tells_of(*whom(call.here, ask))
        made = correct(
            call.here, ask, reason=said.reason, by=call.person, stamp=stamp, confirmed=said.confirmed
        )
    response.headers["Location"] = f"/api/v1/corrections/{made.correction_id}"
    return _made(made)


@router.get("/{correction_id}", dependencies=[door(Scope.READ)])
def get_correction(call: Caller, correction_id: Number) -> shapes.Correction:
    """Return what was put right, why, and who undid it, if anybody."""
    return _entry(call, correction_id)


@router.post("/{correction_id}/undo/preview", dependencies=CORRECT, **LOOK)
def preview_undoing(call: Caller, response: Response, correction_id: Number) -> shapes.CorrectionPreview:
    """Say what undoing a correction would do; nothing is changed."""
    _entry(call, correction_id)
    with _in_words():
        return _foretold(response, preview_undo(call.here, correction_id, by=call.person))


@router.post("/{correction_id}/undo", dependencies=CORRECT, **CHANGE)
def undo_correction(
    call: Caller, request: Request, correction_id: Number, said: Undoing
) -> shapes.CorrectionMade:
    """Let all be as it was before a correction; what came since stays, and may stand in the way."""
    stamp = with_tag(request)
    _entry(call, correction_id)
    with _in_words():
        return _made(undo(call.here, correction_id, reason=said.reason, by=call.person, stamp=stamp))


def _entry(call: Call, correction_id: int) -> shapes.Correction:
    entry = correction_of(call.here, correction_id)
    if entry is None:
        raise NotHere("There is no correction with this number.")
    mrns = [mrn for mrn in (entry.mrn, entry.other_mrn) if mrn]
    call.tells_of(*numbers_of(call.here, call.person, mrns))
    return shapes.Correction(**entry.to_json())


def _foretold(response: Response, foretold: Preview) -> shapes.CorrectionPreview:
    response.headers["ETag"] = f'"{foretold.stamp}"'
    return shapes.CorrectionPreview(**foretold.to_json())


def _made(made: Made) -> shapes.CorrectionMade:
    return shapes.CorrectionMade(correction=made.correction_id, **made.did.to_json())


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except NotConfirmed as error:
        against = [{"where": "conflicts", "what": one} for one in error.conflicts]
        detail = "Something speaks against it. If it is right all the same, send it with confirmed: true."
        raise Problem(409, "not_confirmed", detail, errors=against) from error
    except SeenOtherwise as error:
        raise Problem(412, "changed_meanwhile", str(error)) from error
    except ChangedSince as error:
        raise Problem(409, "stands_in_the_way", str(error)) from error
    except CorrectionRefused as error:
        raise Problem(422, "correction_refused", str(error)) from error
