"""HTTP routes beside the pages: sign-in, sign-out, health, the viewer's pixels, and what is said of an open image."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Route

from core.desk import BoxRefused, DeskClosed, OpenedImage, Said
from core.images import (
    NotHers,
    crop_png,
    frame_rendition,
    registration_of,
    thumbnail_png,
    tile,
    view_rendition,
)
from core.installation import Installation
from core.people import (
    Person,
    audit,
)
from core.records import COVERED, HeatMapClosed, findings, heat_map_of, is_image_covered, mrn_of, opens_with
from core.refusals import Refusal
from core.reports import Format, ReportError, make
from core.rules import TrustLevel
from core.trail import looking
from dashboard.house import desk, here
from dashboard.web import arriving, outside_routes, signing_in
from dashboard.web.gate import is_https, same_origin
from dashboard.web.plain import plain_page

SAID = ("tumour", "density", "trust", "density_trust", "beside", "model", "spoke")
"""What a page is told of an image; what may not be said stands beside it, and only who asks for it gets it."""

# An image is decoded for its first tile: the small pictures that others wait for go on meanwhile.
_tiles = CapacityLimiter(4)
# Questions to the desk are answered one by one: more threads would only wait.
_desk = CapacityLimiter(4)
# Registrations are computed one by one: those that wait are not to take the threads of all.
_registering = CapacityLimiter(4)
# A report is a second or two of work: more at once would slow the pages.
_reporting = CapacityLimiter(2)


async def health(_request: Request) -> Response:
    """Say that the web process lives; anybody may ask, so nothing else is said."""
    return PlainTextResponse("ok")


async def drawing_library(_request: Request) -> Response:
    """Serve the library by which the browser makes a picture of a figure."""
    return FileResponse(
        _drawing_library(), media_type="text/javascript", headers={"Cache-Control": "private, max-age=86400"}
    )


@cache
def _drawing_library() -> Path:
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


async def image(request: Request) -> Response:
    """Serve one view's pixels, prepared for the viewer; with ``frame=n`` those of one of its frames, from 1."""
    asked = request.query_params.get("frame")
    if asked is None:
        return await _stored(request, view_rendition, "application/octet-stream")

    def read(installation: Installation, sop_uid: str) -> bytes:
        return frame_rendition(installation, sop_uid, int(asked) if asked.isdecimal() else 0)

    async with _tiles:
        return await _stored(request, read, "application/octet-stream")


async def thumbnail(request: Request) -> Response:
    """Serve one view's thumbnail."""
    return await _stored(request, thumbnail_png, "image/png")


async def opening(request: Request) -> Response:
    """Say which views a woman's page shows first: ``/opens-with?patient=…``, her key, a list of SOP UIDs, empty where there are none."""
    return JSONResponse(await to_thread.run_sync(lambda: opens_with(here(), _mrn_asked(request))))


async def tile_of_image(request: Request) -> Response:
    """Serve a square of one view's own pixels, or of means of them: ``/tile/{sop_uid}/{level}/{x}/{y}``."""
    level, x, y = (request.path_params[name] for name in ("level", "x", "y"))

    def read(installation: Installation, sop_uid: str) -> bytes:
        return tile(installation, sop_uid, level, x, y)

    async with _tiles:
        return await _stored(request, read, "application/octet-stream")


async def crop(request: Request) -> Response:
    """Serve a part of one view: ``box=x0,y0,x1,y1`` in its pixels."""
    try:
        x0, y0, x1, y1 = (int(part) for part in request.query_params.get("box", "").split(","))
    except ValueError:
        return JSONResponse({"error": "This box cannot be read."}, 422)

    # A crop shows the place that a heat map found, which is covered with the score.
    if await to_thread.run_sync(_is_covered, request.path_params["sop_uid"]):
        return JSONResponse({"error": COVERED}, 403)

    def read(installation: Installation, sop_uid: str) -> bytes:
        return crop_png(installation, sop_uid, (x0, y0, x1, y1))

    try:
        return await _stored(request, read, "image/png")
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 422)


async def heat_map(request: Request) -> Response:
    """Say where the model looked in one view: ``{"shape": [rows, columns], "corners": [x0, y0, x1, y1], "values": base64}``.

    The values are 0..255, row by row, over the part of the view between the corners, in its pixels (x0 > x1: mirrored).
    Where the study is covered until it is read, or its score is not told as a number, there is none (403).
    """
    try:
        found = await to_thread.run_sync(heat_map_of, here(), request.path_params["sop_uid"])
        await to_thread.run_sync(
            looking.images_seen, here(), request.state.person, request.path_params["sop_uid"]
        )
    except HeatMapClosed as why:
        return JSONResponse({"error": f"{str(why).capitalize()}."}, 403)
    except LookupError:
        return JSONResponse({"error": "There is no heat map of this view."}, 404)
    return JSONResponse(_heat(found.values.shape, found.corners, found.values.tobytes()))


def _heat(shape: Sequence[int], corners: Sequence[float], values: bytes) -> dict[str, Any]:
    return {
        "shape": list(shape),
        "corners": list(corners),
        "values": base64.b64encode(values).decode(),
    }


async def registration(request: Request) -> Response:
    """Say where the current image's points lie in the prior: ``/registration/PRIOR_SOP/CURRENT_SOP``.

    ``{"quality": 0..1, "usable": true, "said": words, "grid": {"columns": 33, "rows": 33, "x": [...], "y": [...]}}``.
    The nodes of the grid stand evenly over the whole current image, row by row from the upper left corner, the last ones
    on its far edges; `x` and `y` say where each lies in the prior, in pixels of the prior as received (0 is the left, or
    upper, edge of its first pixel; what lies outside the prior is beyond its edges). Between nodes it goes evenly, and it
    never folds. Where the two are of other views, or nothing is found, `quality` is low and `said` tells why: then the
    pictures may only be set beside each other. The first time takes about a second; then it is kept.
    """
    prior, current = request.path_params["prior_sop"], request.path_params["current_sop"]
    try:
        found = await to_thread.run_sync(registration_of, here(), prior, current, limiter=_registering)
    except (LookupError, FileNotFoundError, Refusal) as error:
        return _not_stored(error)
    except NotHers as error:
        return JSONResponse({"error": str(error)}, 422)
    said = {"quality": round(found.quality, 3), "usable": found.is_usable, "said": found.said}
    return JSONResponse({**said, "grid": found.grid()}, headers={"Cache-Control": "no-store"})


def _is_covered(sop_uid: str) -> bool:
    return is_image_covered(here(), sop_uid=sop_uid)


async def _stored(request: Request, read: object, media_type: str) -> Response:
    assert callable(read)
    sop_uid, person = request.path_params["sop_uid"], request.state.person
    try:
        data = await to_thread.run_sync(read, here(), sop_uid)
        await to_thread.run_sync(looking.images_seen, here(), person, sop_uid)
    except (LookupError, FileNotFoundError, Refusal) as error:
        return _not_stored(error)
    return Response(data, media_type=media_type)


def _not_stored(error: LookupError | FileNotFoundError | Refusal) -> Response:
    """Say why there are no pixels of an image."""
    if isinstance(error, Refusal):
        return JSONResponse({"error": error.text, "reason": error.reason}, 422)
    if isinstance(error, FileNotFoundError):
        sentence = "This view's pixels are not in the image store. Tell your admin: python -m core verify lists what is missing."
        return JSONResponse({"error": sentence}, 404)
    return JSONResponse({"error": "There is no such image here."}, 404)


def _mrn_asked(request: Request) -> str:
    """Return the MRN of the woman whose key a request names; empty where that is nobody's."""
    return mrn_of(here(), request.query_params.get("patient", "")) or ""


async def report(request: Request) -> Response:
    """Make a report and hand it out as a file: ``patient`` (her key), ``visit`` (a study's UID; the last without) in the query.

    With ``deidentified=1`` it does not tell whose it is.
    """
    if not same_origin(request.headers):
        return PlainTextResponse("This request came from another site.", 403)
    try:
        format = Format(request.path_params["format"])
    except ValueError:
        return PlainTextResponse("There is no report in this format.", 404)
    person: Person = request.state.person
    asked = request.query_params
    address = f"{'https' if is_https(request.scope) else 'http'}://{request.headers.get('host', '')}"
    try:
        made = await to_thread.run_sync(
            lambda: make(
                here(),
                person,
                _mrn_asked(request),
                asked.get("visit") or None,
                format,
                address=address,
                deidentified=asked.get("deidentified") == "1",
            ),
            limiter=_reporting,
        )
    except ReportError as error:
        return HTMLResponse(plain_page("No report", message=str(error)), status_code=404)
    headers = {"Content-Disposition": f'attachment; filename="{made.filename}"'}
    return Response(made.data, media_type=format.media_type, headers=headers)


async def read_whole(request: Request) -> Response:
    """Say what is seen in an open image; with ``anyway=1`` also what no model may be believed in, which is logged."""
    model = request.query_params.get("model") or None
    anyway = _anyway(request)
    return await _read(
        request, _unless_covered(lambda opened: _said(desk().whole(opened, model), anyway(opened)))
    )


async def read_region(request: Request) -> Response:
    """Say what is seen in a box of an open image: ``box=x0,y0,x1,y1`` in its pixels; ``anyway`` as for the whole."""
    model = request.query_params.get("model") or None
    try:
        box = [float(part) for part in request.query_params.get("box", "").split(",")]
    except ValueError:
        box = []
    if len(box) != 4:
        return JSONResponse({"error": "This box cannot be read. Draw it again."}, 422)
    anyway = _anyway(request)
    return await _read(
        request, _unless_covered(lambda opened: _said(desk().region(opened, box, model), anyway(opened)))
    )


async def read_picture(request: Request) -> Response:
    """Serve an open image's pixels after preprocessing steps: ``steps=clahe,sharpen``."""
    known = {"normalise", "denoise", "clahe", "sharpen"}
    steps = [step for step in request.query_params.get("steps", "").split(",") if step in known]
    return await _read(
        request,
        lambda opened: Response(desk().picture(opened, steps), media_type="application/octet-stream"),
    )


def _unless_covered(answer: Callable[[OpenedImage], Response]) -> Callable[[OpenedImage], Response]:
    """Answer nothing of an image of an unread study: no reading, no heat map, not for research either."""

    def uncovered(opened: OpenedImage) -> Response:
        if is_image_covered(here(), sha256=opened.sha256):
            return JSONResponse({"error": COVERED}, 403)
        return answer(opened)

    return uncovered


async def _read(request: Request, answer: Callable[[OpenedImage], Response]) -> Response:
    person, token = request.state.person, request.path_params["token"]
    try:
        return await to_thread.run_sync(lambda: answer(desk().find(person, token)), limiter=_desk)
    except LookupError as error:
        return JSONResponse({"error": str(error.args[0])}, 404)
    except BoxRefused as error:
        return JSONResponse({"error": str(error)}, 422)
    except Refusal as refusal:
        return JSONResponse({"error": refusal.text, "reason": refusal.reason}, 422)
    except DeskClosed as error:
        return JSONResponse({"error": str(error)}, 503)


def _anyway(request: Request) -> Callable[[OpenedImage], bool]:
    """Return what says whether withheld numbers of an image are to be shown; the first time it writes that to the trail.

    Showing and its entry are one: where the entry cannot be written, nothing is shown.
    """
    person: Person = request.state.person
    if request.query_params.get("anyway") != "1":
        return lambda _opened: False

    def shown(opened: OpenedImage) -> bool:
        if not opened.shown_anyway.is_set():
            place = findings.place_of(here(), opened.sha256)
            subject = f"patient:{place.mrn}" if place else f"image:{opened.sha256[:16]}"
            detail = {"image": place.sop_uid} if place else {}
            audit.note(here(), person, "withheld_shown", subject, detail)
            opened.shown_anyway.set()
        return True

    return shown


def _said(said: Said, anyway: bool) -> Response:
    answer = {key: said.answer.get(key) for key in SAID} | said.answer.get("told", {})
    # That there is more, which a person may ask for, is said always.
    answer["held"] = "untrusted" in said.answer
    if anyway and "untrusted" in said.answer:
        answer["untrusted"] = said.answer["untrusted"]
    if said.heat_shape and said.answer["trust"]["level"] == TrustLevel.TRUSTED:
        answer["heat"] = _heat(said.heat_shape, said.heat_corners or (), said.heat)
        answer["marks"] = said.answer.get("marks", [])
    return JSONResponse(answer)


ROUTES = [
    Route("/health", health),
    *signing_in.ROUTES,
    *outside_routes.ROUTES,
    Route("/plotly.js", drawing_library),
    Route("/img/{sop_uid}", image),
    Route("/tile/{sop_uid}/{level:int}/{x:int}/{y:int}", tile_of_image),
    Route("/thumb/{sop_uid}", thumbnail),
    Route("/opens-with", opening),
    Route("/crop/{sop_uid}", crop),
    Route("/heatmap/{sop_uid}", heat_map),
    Route("/registration/{prior_sop}/{current_sop}", registration),
    Route("/report/{format}", report),
    *arriving.ROUTES,
    Route("/reading/{token}/whole", read_whole),
    Route("/reading/{token}/region", read_region),
    Route("/reading/{token}/picture", read_picture),
]
