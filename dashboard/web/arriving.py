"""Uploads that go on where they stopped: the tus protocol 1.0.0 with creation and termination (https://tus.io).

A file belongs to whoever is signed in; the page says for whom it sends, so that nothing is brought in the name of
somebody who signed in meanwhile in the same browser. Pictures of what has arrived are served beside.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import NoReturn

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.bulk import Arrival, ArrivalRefused
from core.logs import log_of
from core.people import Person
from dashboard.batches import arrivals

log = log_of(__name__)

VERSION = "1.0.0"
BYTES = "application/offset+octet-stream"
SENDER = "X-Longview-Person"
"""Header in which a page says for whom it sends, by user id."""
SWEEP_SECONDS = 3600.0
_WRITE_BYTES = 1 << 20
_LONGEST_METADATA = 8192
_NO_SUCH = "This upload is not here any more. Choose the file again."

Answer = Callable[[Request], Awaitable[Response]]


def _in_tus(answer: Answer) -> Answer:
    """Answer in the protocol: its version on everything, refusals in a sentence."""

    @wraps(answer)
    async def answered(request: Request) -> Response:
        try:
            _check(request)
            response = await answer(request)
        except ArrivalRefused as refused:
            response = PlainTextResponse(str(refused), refused.status)
        response.headers["Tus-Resumable"] = VERSION
        response.headers["Cache-Control"] = "no-store"
        return response

    return answered


def _check(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise ArrivalRefused(f"Uploads come by tus {VERSION}.", 412)
    sender = request.headers.get(SENDER)
    if sender is not None and sender != str(_user_id(request)):
        raise ArrivalRefused("Somebody else is signed in in this browser now. Reload the page.", 403)


def _user_id(request: Request) -> int:
    person: Person = request.state.person
    return person.user_id


def _number(request: Request, header: str) -> int:
    said = request.headers.get(header, "")
    if not (said.isascii() and said.isdecimal() and len(said) < 16):
        raise ArrivalRefused(f"{header} is no number.", 400)
    return int(said)


def _metadata(request: Request) -> dict[str, str]:
    """Return what the browser says of a file: ``name base64, name base64``."""
    said = request.headers.get("Upload-Metadata", "")
    if len(said) > _LONGEST_METADATA:
        raise ArrivalRefused("The name of the file is too long.", 400)
    found = {}
    for pair in said.split(","):
        key, _, value = pair.strip().partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise ArrivalRefused("Upload-Metadata cannot be read.", 400) from None
    return found


async def _found(request: Request) -> Arrival:
    found = await to_thread.run_sync(arrivals().find, _user_id(request), request.path_params.get("key", ""))
    return found or _not_here()


def _not_here() -> NoReturn:
    raise ArrivalRefused(_NO_SUCH, 404)


@_in_tus
async def begin(request: Request) -> Response:
    """Make room for a file; of one that had begun before it says how far it has come."""
    size, said = _number(request, "Upload-Length"), _metadata(request)
    modified = said.get("modified", "0")
    arrival = await to_thread.run_sync(
        arrivals().begin,
        _user_id(request),
        said.get("filename", "file"),
        size,
        int(modified) if modified.isascii() and modified.isdecimal() and len(modified) < 16 else 0,
    )
    return Response(
        status_code=201,
        headers={"Location": f"/arrive/{arrival.key}", "Upload-Offset": str(arrival.arrived)},
    )


@_in_tus
async def how_far(request: Request) -> Response:
    """Say how many bytes of a file are here."""
    arrival = await _found(request)
    return Response(headers={"Upload-Offset": str(arrival.arrived), "Upload-Length": str(arrival.size)})


@_in_tus
async def more(request: Request) -> Response:
    """Add bytes behind those that are here; what came before a connection breaks stays."""
    if request.headers.get("Content-Type") != BYTES:
        raise ArrivalRefused(f"The bytes of a file come as {BYTES}.", 415)
    offset, arrival = _number(request, "Upload-Offset"), await _found(request)
    try:
        with arrivals().appending(arrival, offset) as add:
            held = bytearray()
            try:
                async for part in request.stream():
                    held += part
                    if len(held) >= _WRITE_BYTES:
                        await to_thread.run_sync(add, bytes(held))
                        held.clear()
            finally:
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(add, bytes(held))
        await to_thread.run_sync(arrivals().settle, arrival)
    except ClientDisconnect:
        raise ArrivalRefused("The connection broke; what came is here.", 400) from None
    except OSError as error:
        log.warning("an upload could not be written", kind=type(error).__name__, errno=error.errno)
        raise ArrivalRefused("The file could not be written here. Tell your admin.", 507) from error
    now = await _found(request)
    return Response(status_code=204, headers={"Upload-Offset": str(now.arrived)})


@_in_tus
async def forget(request: Request) -> Response:
    """Forget a file."""
    await to_thread.run_sync(arrivals().drop, await _found(request))
    return Response(status_code=204)


async def picture(request: Request) -> Response:
    """Serve the thumbnail of an image that has arrived: ``/arrive/{key}/{number}.png``."""
    found = await to_thread.run_sync(arrivals().find, _user_id(request), request.path_params.get("key", ""))
    path = found.picture(request.path_params.get("number", 0)) if found else None
    if path is None or not await to_thread.run_sync(path.is_file):
        return PlainTextResponse(_NO_SUCH, 404)
    return FileResponse(path, media_type="image/png")


async def sweep_forever() -> None:
    """Drop what waited too long, now and every hour."""
    while True:
        try:
            await to_thread.run_sync(arrivals().sweep)
        except OSError:
            log.exception("arrivals could not be swept; it is tried again")
        await anyio.sleep(SWEEP_SECONDS)


ROUTES = [
    Route("/arrive", begin, methods=["POST"]),
    Route("/arrive/{key}", how_far, methods=["HEAD"]),
    Route("/arrive/{key}", more, methods=["PATCH"]),
    Route("/arrive/{key}", forget, methods=["DELETE"]),
    Route("/arrive/{key}/{number:int}.png", picture),
]
