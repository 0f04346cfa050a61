"""DICOMweb reads: QIDO-RS lists studies, series and instances; WADO-RS hands out headers, files, frames and pictures.

Storing (STOW-RS) stands in `dashboard.web.dicom_web`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import StreamingResponse

from core.exchange import (
    HeaderLost,
    Instance,
    Matching,
    NotKeptSo,
    file_of,
    frame_of_instance,
    instances_of,
    metadata_of,
    rendered,
    series_of,
    studies_found,
)
from core.images import thumbnail_png
from core.network import MEDIA_TYPE
from core.people import Scope
from dashboard.api.described import EVERY, also
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import Problem

READ = [door(Scope.DICOMWEB)]
DICOM = "application/dicom"
_MOST, _USUAL = 500, 100
_UID = r"^[0-9.]{1,64}$"
Uid = Annotated[str, Path(pattern=_UID, examples=["2.25.1.1"])]
_KEYWORDS = {
    "00100020": "PatientID",
    "00100010": "PatientName",
    "00080020": "StudyDate",
    "0020000D": "StudyInstanceUID",
    "00080061": "ModalitiesInStudy",
}
_BESIDE = ("limit", "offset", "includefield", "fuzzymatching")

router = APIRouter(prefix="/dicom-web", tags=["dicomweb"], route_class=Recorded, responses=EVERY)


def _document(words: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "array", "items": {"type": "object"}}
    return {200: {"description": words, "content": {MEDIA_TYPE: {"schema": schema}}}}


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_MATCHED = [
    _parameter(
        "PatientID", "MRN; * and ? as wildcards.", {"type": "string", "minLength": 1, "maxLength": 64}
    ),
    _parameter(
        "StudyDate",
        "YYYYMMDD, or a range of two with -.",
        {"type": "string", "pattern": r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|1\d|2[0-8])$"},
    ),
    _parameter("limit", "Studies at most.", {"type": "integer", "minimum": 1, "maximum": _MOST}),
    _parameter("offset", "Studies to pass over.", {"type": "integer", "minimum": 0, "maximum": 10**9}),
]


@router.get(
    "/studies",
    dependencies=READ,
    response_class=Response,
    responses=_document("Studies that match."),
    openapi_extra={"parameters": _MATCHED},
)
def search_studies(call: Caller, request: Request) -> Response:
    """List studies that match, the newest first; what is not matched by here is refused, not passed over."""
    asked, limit, offset = _asked(request.query_params.multi_items())
    found = studies_found(
        call.here, call.person, asked, limit=limit, offset=offset, address=_address(request)
    )
    call.tells_of(*found.patients)
    headers = {}
    if found.more:
        headers["Warning"] = '299 Longview "There are additional results that can be requested"'
    return _json(found.rows, headers)


@router.get(
    "/studies/{study}/series", dependencies=READ, response_class=Response, responses=_document("Its series.")
)
def search_series(call: Caller, request: Request, study: Uid) -> Response:
    """List the series of a study."""
    return _json(series_of(call.here, _found(call, study), _address(request)))


@router.get(
    "/studies/{study}/instances",
    dependencies=READ,
    response_class=Response,
    responses=_document("Its instances."),
)
@router.get(
    "/studies/{study}/metadata",
    dependencies=READ,
    response_class=Response,
    responses=_document("Their headers."),
)
def study_metadata(call: Caller, request: Request, study: Uid) -> Response:
    """Return the headers of a study's instances."""
    return _json(metadata_of(call.here, _found(call, study), _address(request)))


@router.get(
    "/studies/{study}/series/{series}/instances",
    dependencies=READ,
    response_class=Response,
    responses=_document("Its instances."),
)
@router.get(
    "/studies/{study}/series/{series}/metadata",
    dependencies=READ,
    response_class=Response,
    responses=_document("Their headers."),
)
def series_metadata(call: Caller, request: Request, study: Uid, series: Uid) -> Response:
    """Return the headers of a series' instances."""
    return _json(metadata_of(call.here, _found(call, study, series), _address(request)))


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/metadata",
    dependencies=READ,
    response_class=Response,
    responses=_document("Its header."),
)
def instance_metadata(call: Caller, request: Request, study: Uid, series: Uid, instance: Uid) -> Response:
    """Return an instance's header."""
    return _json(metadata_of(call.here, _found(call, study, series, instance), _address(request)))


_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The files as multipart/related, or one as application/dicom where only that is accepted.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("multipart/related", DICOM)
        },
    },
    **also(406),
}


@router.get("/studies/{study}", dependencies=READ, response_class=Response, responses=_FILES)
def retrieve_study(call: Caller, request: Request, study: Uid) -> Response:
    """Return the files of a study, as the record has them."""
    return _files(call, request, _found(call, study))


@router.get("/studies/{study}/series/{series}", dependencies=READ, response_class=Response, responses=_FILES)
def retrieve_series(call: Caller, request: Request, study: Uid, series: Uid) -> Response:
    """Return the files of a series."""
    return _files(call, request, _found(call, study, series))


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}",
    dependencies=READ,
    response_class=Response,
    responses=_FILES,
)
def retrieve_instance(call: Caller, request: Request, study: Uid, series: Uid, instance: Uid) -> Response:
    """Return one file."""
    return _files(call, request, _found(call, study, series, instance))


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/frames/{number}",
    dependencies=READ,
    response_class=Response,
    responses=_FILES,
)
def retrieve_frame(
    call: Caller, study: Uid, series: Uid, instance: Uid, number: Annotated[int, Path(ge=1, le=10_000)]
) -> Response:
    """Return the pixels of a frame as they are kept, compressed where the file is."""
    (found,) = _found(call, study, series, instance)
    try:
        data, kind = frame_of_instance(call.here, found, number)
    except (NotKeptSo, HeaderLost) as error:
        raise Problem(406, "not_kept_so", str(error)) from error
    border = secrets.token_hex(16)
    return Response(
        b"".join(_part(border, data, kind)) + f"--{border}--\r\n".encode(),
        media_type=f'multipart/related; type="{kind.partition(";")[0]}"; boundary={border}',
    )


_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The view as its window shows it.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")
        },
    }
}


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/rendered",
    dependencies=READ,
    response_class=Response,
    responses=_PICTURE,
)
def retrieve_rendered(call: Caller, request: Request, study: Uid, series: Uid, instance: Uid) -> Response:
    """Return a view as a picture, its longest side 1600 pixels."""
    (found,) = _found(call, study, series, instance)
    accepts = request.headers.get("accept", "*/*")
    kind = "image/jpeg" if "image/jpeg" in accepts and "image/png" not in accepts else "image/png"
    return Response(rendered(call.here, found.image.sop_uid, kind), media_type=kind)


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/thumbnail",
    dependencies=READ,
    response_class=Response,
    responses=_PICTURE,
)
def retrieve_thumbnail(call: Caller, study: Uid, series: Uid, instance: Uid) -> Response:
    """Return a small picture of a view."""
    (found,) = _found(call, study, series, instance)
    return Response(thumbnail_png(call.here, found.image.sop_uid), media_type="image/png")


def _found(call: Call, study: str, series: str | None = None, instance: str | None = None) -> list[Instance]:
    found = instances_of(call.here, call.person, study, series=series, sop_uid=instance)
    call.tells_of(*(one.patient.id for one in found))
    return found


def _address(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}/dicom-web"


def _json(rows: Sequence[dict[str, Any]], headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(rows), media_type=MEDIA_TYPE, headers=headers)


def _files(call: Call, request: Request, found: Sequence[Instance]) -> Response:
    accepts = request.headers.get("accept", "*/*")
    try:
        first = file_of(call.here, found[0])
        if DICOM in accepts and "multipart" not in accepts and len(found) == 1:
            return Response(first, media_type=DICOM)
        if not all(one.is_dicom for one in found):
            raise NotKeptSo(
                "Some images of it came as pictures, not as DICOM: ask for those one by one, /rendered."
            )
    except (NotKeptSo, HeaderLost) as error:
        raise Problem(406, "not_kept_so", str(error)) from error
    border = secrets.token_hex(16)

    def parts() -> Iterator[bytes]:
        for number, one in enumerate(found):
            yield from _part(border, file_of(call.here, one) if number else first, DICOM)
        yield f"--{border}--\r\n".encode()

    return StreamingResponse(parts(), media_type=f'multipart/related; type="{DICOM}"; boundary={border}')


def _part(border: str, data: bytes, kind: str) -> Iterator[bytes]:
    yield f"--{border}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    yield data
    yield b"\r\n"


def _asked(said: Sequence[tuple[str, str]]) -> tuple[Matching, int, int]:
    told: dict[str, str] = {}
    for name, value in said:
        keyword = _KEYWORDS.get(name.upper(), name)
        if keyword not in _KEYWORDS.values() and keyword not in _BESIDE:
            known = ", ".join([*_KEYWORDS.values(), *_BESIDE])
            raise _refused(name, f"is not matched by here: {known}")
        if not value:
            if keyword in _BESIDE:
                raise _refused(name, "is empty")
            continue  # universal matching (PS3.4 C.2.2.2.3)
        told[keyword] = f"{told[keyword]},{value}" if keyword in told else value
    first, last = _days(told.get("StudyDate"))
    matching = Matching(
        patient_id=told.get("PatientID"),
        name=told.get("PatientName"),
        uids=_uids(told.get("StudyInstanceUID", "")),
        modalities=tuple(filter(None, re.split(r"[,\\]", told.get("ModalitiesInStudy", "")))),
        first=first,
        last=last,
    )
    return (
        matching,
        min(_MOST, _number("limit", told.get("limit"), _USUAL, least=1)),
        _number("offset", told.get("offset"), 0),
    )


def _refused(where: str, what: str) -> Problem:
    return Problem(400, "bad_search", f"{where[:60]}: {what}.", errors=[{"where": where[:60], "what": what}])


def _uids(said: str) -> tuple[str, ...]:
    uids = tuple(filter(None, re.split(r"[,\\]", said)))
    for uid in uids:
        if not re.fullmatch(_UID, uid):
            raise _refused("StudyInstanceUID", f"“{uid[:64]}” is no UID")
    return uids


def _number(name: str, said: str | None, usual: int, *, least: int = 0) -> int:
    if said is None:
        return usual
    if not (said.isascii() and said.isdecimal() and len(said) < 11 and int(said) >= least):
        raise _refused(name, f"“{said[:40]}” is no number from {least} on")
    return int(said)


def _days(said: str | None) -> tuple[date | None, date | None]:
    if said is None:
        return None, None
    first, dash, last = said.partition("-")
    return _day(first), _day(last) if dash else _day(first)


def _day(said: str) -> date | None:
    if not said:
        return None
    try:
        if not re.fullmatch(r"\d{8}", said, re.ASCII):
            raise ValueError(said)
        return datetime.strptime(said, "%Y%m%d").date()
    except ValueError:
        raise _refused("StudyDate", f"“{said[:40]}” is no day: YYYYMMDD, or a range of two with -") from None
