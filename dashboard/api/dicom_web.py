"""DICOMweb reads: WADO-RS hands out headers, files, frames and pictures.

Searching (QIDO-RS) stands in `dashboard.api.qido`, storing (STOW-RS) in `dashboard.web.dicom_web`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import StreamingResponse

from core.exchange import (
    HeaderLost,
    Instance,
    NotKeptSo,
    file_of,
    frame_of_instance,
    instances_of,
    metadata_of,
    rendered,
    syntax_of,
)
from core.images import thumbnail_png
from core.network import MEDIA_TYPE
from core.people import Scope
from dashboard.api.described import EVERY, also
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import Problem

READ = [door(Scope.DICOMWEB)]
_MULTIPART = frozenset({"multipart/related", "multipart/*", "*/*"})
_SYNTAX = re.compile(r'transfer-syntax="?([0-9.]+|\*)')
DICOM = "application/dicom"
UID = r"^[0-9.]{1,64}$"
Uid = Annotated[str, Path(pattern=UID, examples=["2.25.1.1"])]

router = APIRouter(prefix="/dicom-web", tags=["dicomweb"], route_class=Recorded, responses=EVERY)


def document(words: str) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an answer in DICOM's JSON."""
    schema = {"type": "array", "items": {"type": "object"}}
    return {200: {"description": words, "content": {MEDIA_TYPE: {"schema": schema}}}}


@router.get(
    "/studies/{study}/metadata",
    dependencies=READ,
    response_class=Response,
    responses=document("Their headers."),
)
def study_metadata(call: Caller, request: Request, study: Uid) -> Response:
    """Return the headers of a study's instances."""
    return answer_json(request, metadata_of(call.here, _found(call, study), address_of(request)))


@router.get(
    "/studies/{study}/series/{series}/metadata",
    dependencies=READ,
    response_class=Response,
    responses=document("Their headers."),
)
def series_metadata(call: Caller, request: Request, study: Uid, series: Uid) -> Response:
    """Return the headers of a series' instances."""
    return answer_json(request, metadata_of(call.here, _found(call, study, series), address_of(request)))


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/metadata",
    dependencies=READ,
    response_class=Response,
    responses=document("Its header."),
)
def instance_metadata(call: Caller, request: Request, study: Uid, series: Uid, instance: Uid) -> Response:
    """Return an instance's header."""
    return answer_json(
        request, metadata_of(call.here, _found(call, study, series, instance), address_of(request))
    )


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
    "/studies/{study}/series/{series}/instances/{instance}/frames/{numbers}",
    dependencies=READ,
    response_class=Response,
    responses=_FILES,
)
def retrieve_frames(
    call: Caller,
    request: Request,
    study: Uid,
    series: Uid,
    instance: Uid,
    numbers: Annotated[
        str,
        Path(
            pattern=r"^[1-9][0-9]{0,4}(,[1-9][0-9]{0,4}){0,99}$",
            description="Numbers from 1, by commas.",
            examples=["1"],
        ),
    ],
) -> Response:
    """Return the pixels of frames as they are kept, compressed where the file is: multipart, or one as what it is."""
    (found,) = _found(call, study, series, instance)
    try:
        frames = [frame_of_instance(call.here, found, int(one)) for one in numbers.split(",")]
    except (NotKeptSo, HeaderLost) as error:
        raise Problem(406, "not_kept_so", str(error)) from error
    kind = frames[0][1].partition(";")[0]
    accepts = _accepted(request)
    if len(frames) == 1 and kind in accepts:
        return Response(frames[0][0], media_type=frames[0][1])
    if not _MULTIPART.intersection(accepts):
        raise Problem(406, "not_kept_so", f"Its frames are kept as {kind}: send Accept: multipart/related.")
    border = secrets.token_hex(16)
    parts = b"".join(part for data, of in frames for part in _part(border, data, of))
    return Response(
        parts + f"--{border}--\r\n".encode(),
        media_type=f'multipart/related; type="{kind}"; boundary={border}',
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
    responses={**_PICTURE, **also(406)},
)
def retrieve_rendered(call: Caller, request: Request, study: Uid, series: Uid, instance: Uid) -> Response:
    """Return a view as a picture, its longest side 1600 pixels."""
    (found,) = _found(call, study, series, instance)
    accepts = _accepted(request)
    if {"image/png", "image/*", "*/*"}.intersection(accepts):
        kind = "image/png"
    elif "image/jpeg" in accepts:
        kind = "image/jpeg"
    else:
        raise Problem(406, "not_acceptable", "A view is rendered as image/png or image/jpeg.")
    # As PS3.18 8.3.5 allows, where it is said.
    ignored = {"Warning": '299 Longview "No parameter of a rendering is supported"'}
    headers = ignored if request.query_params else None
    return Response(rendered(call.here, found.image.sop_uid, kind), media_type=kind, headers=headers)


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


def _accepted(request: Request) -> list[str]:
    """Return the media types that a client takes, as it names them; */* where it names none."""
    said = request.headers.get("accept") or "*/*"
    return [one.partition(";")[0].strip().lower() for one in re.split(r",(?=[^,]*/)", said)]


def address_of(request: Request) -> str:
    """Return where this service is reached."""
    return f"{str(request.base_url).rstrip('/')}/dicom-web"


def answer_json(
    request: Request, rows: Sequence[dict[str, Any]], headers: dict[str, str] | None = None
) -> Response:
    """Return objects in DICOM's JSON as an answer; raises `Problem` for a client that takes XML only."""
    if all(one.endswith("xml") or one == "multipart/related" for one in _accepted(request)):
        raise Problem(406, "not_acceptable", f"Send Accept: {MEDIA_TYPE}. Nothing is answered as XML here.")
    return Response(json.dumps(rows), media_type=MEDIA_TYPE, headers=headers)


def _files(call: Call, request: Request, found: Sequence[Instance]) -> Response:
    accepts = _accepted(request)
    if not _MULTIPART.intersection(accepts) and not (DICOM in accepts and len(found) == 1):
        raise Problem(
            406, "not_acceptable", f"Files are answered as multipart/related, one alone also as {DICOM}."
        )
    try:
        first = file_of(call.here, found[0])
        wanted = set(_SYNTAX.findall(request.headers.get("accept", "")))
        if wanted and not wanted & {"*", kept := syntax_of(call.here, first)}:
            raise NotKeptSo(f"It is kept in transfer syntax {kept}, and not written in another.")
        if not _MULTIPART.intersection(accepts):
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
