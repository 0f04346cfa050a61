"""DICOMweb reads: WADO-RS hands out headers, files, frames and pictures.

Searching (QIDO-RS) stands in `dashboard.api.qido`, storing (STOW-RS) in `dashboard.web.dicom_web`.
"""

from __future__ import annotations

import json
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
)
from core.images import thumbnail_png
from core.network import MEDIA_TYPE
from core.people import Scope
from dashboard.api.described import EVERY, also
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import Problem

READ = [door(Scope.DICOMWEB)]
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
    return answer_json(metadata_of(call.here, _found(call, study), address_of(request)))


@router.get(
    "/studies/{study}/series/{series}/metadata",
    dependencies=READ,
    response_class=Response,
    responses=document("Their headers."),
)
def series_metadata(call: Caller, request: Request, study: Uid, series: Uid) -> Response:
    """Return the headers of a series' instances."""
    return answer_json(metadata_of(call.here, _found(call, study, series), address_of(request)))


@router.get(
    "/studies/{study}/series/{series}/instances/{instance}/metadata",
    dependencies=READ,
    response_class=Response,
    responses=document("Its header."),
)
def instance_metadata(call: Caller, request: Request, study: Uid, series: Uid, instance: Uid) -> Response:
    """Return an instance's header."""
    return answer_json(metadata_of(call.here, _found(call, study, series, instance), address_of(request)))


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


def address_of(request: Request) -> str:
    """Return where this service is reached."""
    return f"{str(request.base_url).rstrip('/')}/dicom-web"


def answer_json(rows: Sequence[dict[str, Any]], headers: dict[str, str] | None = None) -> Response:
    """Return objects in DICOM's JSON as an answer."""
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
