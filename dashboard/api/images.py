"""Images: what is known of a view, its picture, its pixels as the viewer has them, and its bytes as they were received."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from core.exchange import ImageRow, NotHere, image_of, rendered
from core.images import rendition, thumbnail_png
from core.people import Scope
from dashboard.api import shapes
from dashboard.api.described import EVERY
from dashboard.api.routing import Caller, Recorded, door

PIXELS = [door(Scope.IMAGES)]
Uid = Annotated[
    str, Path(min_length=1, max_length=64, pattern=r"^[0-9.]+$", description="An image's SOP Instance UID.")
]

router = APIRouter(prefix="/api/v1/images", tags=["images"], route_class=Recorded, responses=EVERY)


def _of(media_type: str, words: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": words, "content": {media_type: {"schema": schema}}}}


@router.get("/{sop_uid}", dependencies=[door(Scope.READ)])
def get_image(call: Caller, sop_uid: Uid) -> shapes.Image:
    """Return what is known of one view."""
    return shapes.Image(**_found(call, sop_uid).row)


@router.get(
    "/{sop_uid}/picture",
    dependencies=PIXELS,
    response_class=Response,
    responses=_of("image/png", "The view in its window, its longest side 1600 pixels."),
)
def get_picture(call: Caller, sop_uid: Uid) -> Response:
    """Return the view as a PNG, as its window shows it."""
    _found(call, sop_uid)
    return _answer(rendered(call.here, sop_uid), "image/png")


@router.get(
    "/{sop_uid}/thumbnail",
    dependencies=PIXELS,
    response_class=Response,
    responses=_of("image/png", "A small picture of the view."),
)
def get_thumbnail(call: Caller, sop_uid: Uid) -> Response:
    """Return a small PNG of the view."""
    _found(call, sop_uid)
    return _answer(thumbnail_png(call.here, sop_uid), "image/png")


@router.get(
    "/{sop_uid}/rendition",
    dependencies=PIXELS,
    response_class=Response,
    responses=_of(
        "application/octet-stream",
        "b'LVR1', the length of its header (uint32, little-endian), the header as JSON, zlib of uint16 pixels.",
    ),
)
def get_rendition(call: Caller, sop_uid: Uid) -> Response:
    """Return the view's pixels as the viewer has them, up to 16 bits."""
    _found(call, sop_uid)
    return _answer(rendition(call.here, sop_uid), "application/octet-stream")


@router.get(
    "/{sop_uid}/file",
    dependencies=PIXELS,
    response_class=Response,
    responses={
        200: {
            "description": "The file as it was received.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("application/dicom", "image/png", "image/jpeg", "application/octet-stream")
            },
        }
    },
)
def get_file(call: Caller, sop_uid: Uid) -> Response:
    """Return the file as it was received, a DICOM preamble zeroed; what it says of her may differ from the record."""
    found = _found(call, sop_uid)
    try:
        data = call.here.images.get_kept(found.sha256)
    except FileNotFoundError:
        raise NotHere("The bytes of this image are not in the image store.") from None
    return _answer(bytes(data), found.media_type)


def _found(call: Caller, sop_uid: str) -> ImageRow:
    """Return an image that the caller may see; the trail says of whom it tells."""
    found = image_of(call.here, call.person, sop_uid)
    call.tells_of(found.patient_id)
    return found


def _answer(data: bytes, media_type: str) -> Response:
    return Response(data, media_type=media_type, headers={"Cache-Control": "private, no-cache"})
