"""Findings, lesions and what is measured of them: made, changed and taken back, each against the state that was seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.exchange import (
    KeptAct,
    TakenBackBefore,
    image_of,
    lesion_measured_by,
    lesion_of,
    numbers_of,
    take_lesion_act_back,
)
from core.people import Scope
from core.records import (
    FollowedLesion,
    LesionChangedMeanwhile,
    LesionStatus,
    Sizing,
    add_measurement,
    describe_lesion,
    findings,
    join_lesions,
    lesions_of_patient,
    remove_measurement,
    rename_lesion,
    set_lesion_status,
    split_lesion,
    start_lesion,
)
from dashboard.api import shapes
from dashboard.api.described import EVERY, also, key_parameter, match_parameter
from dashboard.api.etags import check_unchanged, etag_of
from dashboard.api.events import ASSESS, Number
from dashboard.api.images import Uid
from dashboard.api.records import finding_row, lesion_row
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import Problem

UNDO = "Undo-Location"
_UNDO = {
    "description": "POST there takes it back, for a week and as long as nobody goes on from it.",
    "schema": {"type": "string"},
}
MAKE: dict[str, Any] = {"dependencies": ASSESS, "openapi_extra": key_parameter()}


def _change(status: int) -> dict[str, Any]:
    """Return what a change of a lesion declares, which is answered with a status."""
    said = {str(status): {"headers": {UNDO: _UNDO}}}
    return {
        "dependencies": ASSESS,
        "status_code": status,
        "responses": also(412, 428),
        "openapi_extra": key_parameter(parameters=[match_parameter("the lesion")], responses=said),
    }


Pixels = Annotated[float, Field(allow_inf_nan=False, ge=0, le=100_000)]
Corners = tuple[Pixels, Pixels, Pixels, Pixels]
Length = Annotated[float | None, Field(ge=0, le=500, allow_inf_nan=False)]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]

router = APIRouter(prefix="/api/v1", tags=["lesions"], route_class=Recorded, responses=EVERY)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Size(_Body):
    """What was measured on an image: the ends of axes or a box in its pixels, lengths in mm where no axis was drawn.

    0 mm says that the lesion is gone there, `too_small` that it is seen and too small to be measured.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"box": [60, 250, 160, 350], "long_mm": 12.5}]}
    )

    box: Corners | None = None
    long_axis: Corners | None = None
    short_axis: Corners | None = None
    long_mm: Length = None
    short_mm: Length = None
    too_small: bool = False

    def sizing(self) -> Sizing:
        """Return it as it is kept."""
        return Sizing(
            box=self.box,
            long_axis=self.long_axis,
            short_axis=self.short_axis,
            long_mm=self.long_mm,
            short_mm=self.short_mm,
            too_small=self.too_small,
        )


class NewFinding(_Body):
    """A box on an image that a reader keeps."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"box": [60, 250, 160, 350]}]})

    box: Corners


class NewLesion(_Body):
    """What was measured of a lesion that is followed from now on, and what it is."""

    size: Size
    kind: Annotated[str, Field(max_length=32, examples=["mass"])] = ""
    node: bool = False


class NewMeasurement(_Body):
    """What was measured of a lesion on another image of that breast."""

    sop_uid: Annotated[str, Field(max_length=64, pattern=r"^[0-9.]+$")]
    size: Size


class Named(_Body):
    """Another name."""

    label: Annotated[str, Field(min_length=1, max_length=64, examples=["Finding 2, upper outer"])]


class Described(_Body):
    """What a lesion is, and whether it is a lymph node."""

    kind: Annotated[str, Field(max_length=32, examples=["calcifications"])] = ""
    node: bool = False


class Standing(_Body):
    """How a lesion is followed; that it is known benign needs a note on how that is known."""

    status: LesionStatus
    note: Annotated[str, Field(max_length=10_000)] = ""


class Joined(_Body):
    """The lesion that it is one with, and its version that was seen."""

    into: Id
    version: Id


class Parted(_Body):
    """The measurements that are of another lesion, by number."""

    measurements: Annotated[list[Id], Field(min_length=1, max_length=200)]


@router.post("/images/{sop_uid}/findings", status_code=201, tags=["findings"], **MAKE)
def keep_finding(call: Caller, response: Response, sop_uid: Uid, said: NewFinding) -> shapes.Finding:
    """Keep a box on an image as a finding, of a new lesion of its breast."""
    call.tells_of(image_of(call.here, call.person, sop_uid).patient_id)
    with _in_words():
        kept = findings.keep(call.here, call.person, sop_uid, said.box)
    response.headers["Location"] = f"/api/v1/lesions/{kept.lesion_id}"
    return finding_row(kept)


@router.post("/images/{sop_uid}/lesions", status_code=201, **MAKE)
def begin_lesion(call: Caller, response: Response, sop_uid: Uid, said: NewLesion) -> shapes.Lesion:
    """Keep what was measured on an image as a new lesion of its breast."""
    call.tells_of(image_of(call.here, call.person, sop_uid).patient_id)
    kept = KeptAct(call.person)
    with _in_words():
        act = start_lesion(
            call.here, call.person, sop_uid, said.size.sizing(), kind=said.kind, node=said.node, keep=kept
        )
    (lesion_id,) = act.versions
    response.headers["Location"] = f"/api/v1/lesions/{lesion_id}"
    return _done(call, response, lesion_id, kept)


@router.get("/lesions/{lesion_id}", dependencies=[door(Scope.READ)])
def get_lesion(call: Caller, lesion_id: Number) -> shapes.Lesion:
    """Return a lesion with all that was measured of it; its ETag is needed to change it."""
    return lesion_row(_found(call, lesion_id))


@router.post("/lesions/{lesion_id}/measurements", **_change(201))
def measure_lesion(
    call: Caller, request: Request, response: Response, lesion_id: Number, said: NewMeasurement
) -> shapes.Lesion:
    """Keep what was measured of it on an image of that breast which does not show it yet."""
    seen = _seen(call, request, lesion_id)
    call.tells_of(image_of(call.here, call.person, said.sop_uid).patient_id)
    kept = KeptAct(call.person)
    with _in_words():
        add_measurement(
            call.here,
            call.person,
            lesion_id,
            said.sop_uid,
            said.size.sizing(),
            version=seen.version,
            keep=kept,
        )
    return _done(call, response, lesion_id, kept)


@router.put("/measurements/{measurement_id}", **_change(200))
def measure_again(
    call: Caller, request: Request, response: Response, measurement_id: Number, said: Size
) -> shapes.Lesion:
    """Put another measurement on the same image in the place of this one, which is kept and shown nowhere."""
    lesion_id = lesion_measured_by(call.here, call.person, measurement_id)
    seen = _seen(call, request, lesion_id)
    place = next(one for one in seen.places if one.measurement_id == measurement_id)
    kept = KeptAct(call.person)
    with _in_words():
        add_measurement(
            call.here,
            call.person,
            lesion_id,
            place.sop_uid,
            said.sizing(),
            version=seen.version,
            instead_of=measurement_id,
            keep=kept,
        )
    return _done(call, response, lesion_id, kept)


@router.delete("/measurements/{measurement_id}", response_class=Response, **_change(204))
def take_measurement_back(call: Caller, request: Request, measurement_id: Number) -> Response:
    """Take a measurement or a finding back; a lesion without any is shown nowhere."""
    lesion_id = lesion_measured_by(call.here, call.person, measurement_id)
    seen = _seen(call, request, lesion_id)
    kept = KeptAct(call.person)
    with _in_words():
        remove_measurement(call.here, call.person, measurement_id, version=seen.version, keep=kept)
    return Response(status_code=204, headers={UNDO: _undo_of(kept)})


@router.put("/lesions/{lesion_id}/name", **_change(200))
def rename(
    call: Caller, request: Request, response: Response, lesion_id: Number, said: Named
) -> shapes.Lesion:
    """Give it another name."""
    seen = _seen(call, request, lesion_id)
    kept = KeptAct(call.person)
    with _in_words():
        rename_lesion(call.here, call.person, lesion_id, said.label, version=seen.version, keep=kept)
    return _done(call, response, lesion_id, kept)


@router.put("/lesions/{lesion_id}/description", **_change(200))
def describe(
    call: Caller, request: Request, response: Response, lesion_id: Number, said: Described
) -> shapes.Lesion:
    """Say what it is."""
    seen = _seen(call, request, lesion_id)
    kept = KeptAct(call.person)
    with _in_words():
        describe_lesion(
            call.here, call.person, lesion_id, kind=said.kind, node=said.node, version=seen.version, keep=kept
        )
    return _done(call, response, lesion_id, kept)


@router.put("/lesions/{lesion_id}/status", **_change(200))
def set_status(
    call: Caller, request: Request, response: Response, lesion_id: Number, said: Standing
) -> shapes.Lesion:
    """Say that it is known to be benign, resolved, or followed again."""
    seen = _seen(call, request, lesion_id)
    kept = KeptAct(call.person)
    with _in_words():
        set_lesion_status(
            call.here, call.person, lesion_id, said.status, note=said.note, version=seen.version, keep=kept
        )
    return _done(call, response, lesion_id, kept)


@router.post("/lesions/{lesion_id}/join", **_change(200))
def join(
    call: Caller, request: Request, response: Response, lesion_id: Number, said: Joined
) -> shapes.Lesion:
    """Say that it is one with another: what was measured of it becomes that one's, which is returned."""
    seen = _seen(call, request, lesion_id)
    _found(call, said.into)
    kept = KeptAct(call.person)
    with _in_words():
        join_lesions(
            call.here, call.person, lesion_id, said.into, versions=(seen.version, said.version), keep=kept
        )
    return _done(call, response, said.into, kept)


@router.post("/lesions/{lesion_id}/split", **_change(201))
def split(
    call: Caller, request: Request, response: Response, lesion_id: Number, said: Parted
) -> shapes.Lesion:
    """Say that some of its measurements are of another lesion, which is made and returned."""
    seen = _seen(call, request, lesion_id)
    hers = {one.measurement_id for one in seen.places}
    kept = KeptAct(call.person)
    with _in_words():
        if not hers.issuperset(said.measurements):
            raise ValueError("Some of these are no measurements of this lesion.")
        act = split_lesion(
            call.here, call.person, list(dict.fromkeys(said.measurements)), version=seen.version, keep=kept
        )
    (other,) = [one for one in act.versions if one != lesion_id]
    response.headers["Location"] = f"/api/v1/lesions/{other}"
    return _done(call, response, other, kept)


@router.post("/lesion-acts/{key}/undo", responses=also(409, 412), **MAKE)
def take_back(
    call: Caller, key: Annotated[str, Path(max_length=32, description="As Undo-Location names it.")]
) -> shapes.LesionActUndone:
    """Take a change of lesions back that this person made by the API: name, description, status, join, split, measurement.

    Whoever made it may, for a week, and for as long as nobody has changed its lesions since.
    """
    with _in_words():
        act = take_lesion_act_back(call.here, call.person, key)
    call.tells_of(*numbers_of(call.here, call.person, [act.mrn]))
    hers = [one for one in lesions_of_patient(call.here, act.mrn) if one.lesion_id in act.versions]
    return shapes.LesionActUndone(undone=act.words, lesions=[lesion_row(one) for one in hers])


def _found(call: Call, lesion_id: int) -> FollowedLesion:
    patient_id, lesion = lesion_of(call.here, call.person, lesion_id)
    call.tells_of(patient_id)
    return lesion


def _seen(call: Call, request: Request, lesion_id: int) -> FollowedLesion:
    """Return a lesion as the program has seen it, which its version holds the change to; raises `Problem` otherwise."""
    lesion = _found(call, lesion_id)
    check_unchanged(request, lesion_row(lesion))
    return lesion


def _done(call: Call, response: Response, lesion_id: int, kept: KeptAct) -> shapes.Lesion:
    """Return a lesion as an act has left it, with its tag and where the act is taken back."""
    _, lesion = lesion_of(call.here, call.person, lesion_id)
    row = lesion_row(lesion)
    response.headers["ETag"] = etag_of(row)
    response.headers[UNDO] = _undo_of(kept)
    return row


def _undo_of(kept: KeptAct) -> str:
    return f"/api/v1/lesion-acts/{kept.key}/undo"


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except LesionChangedMeanwhile as error:
        raise Problem(412, "changed_meanwhile", str(error)) from error
    except TakenBackBefore as error:
        raise Problem(409, "undone_already", str(error)) from error
    except ValueError as error:
        raise Problem(422, "not_recorded", str(error)) from error
