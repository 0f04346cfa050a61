"""DICOMweb beside the pages: archives and modalities store studies by STOW-RS.

The gate says who may: a program with a token, a person who is signed in and may add studies, or whatever runs on this very
machine. Reading stands in `dashboard.api.dicom_web`.
"""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.network import MEDIA_TYPE, NotReadable, NotSupported, Store
from core.people import Person, Service
from dashboard.house import here
from dashboard.web.plain import RETRY_SECONDS
from dashboard.web.problems import Problem, answer

# Each holds one object in memory and a decoder: those that wait are read when their turn comes.
_storing = CapacityLimiter(4)


async def store(request: Request) -> Response:
    """Take in the objects of a request, into the study that the address names if it does."""
    person: Person | None = getattr(request.state, "person", None)
    try:
        async with _storing:
            return await _stored(request, person)
    except NotSupported as error:
        return answer(Problem(415, "media_type_not_taken", str(error)), request.scope)
    except NotReadable as error:
        said = f"{error} What came whole before that is kept."
        return answer(Problem(400, "bad_request", said), request.scope)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it


async def _stored(request: Request, person: Person | None) -> Response:
    asked = Store(
        here(),
        request.headers.get("content-type", ""),
        sender=_sender(request, person),
        person=person,
        study_uid=request.path_params.get("study_uid"),
    )
    try:
        async for chunk in request.stream():
            await to_thread.run_sync(asked.feed, chunk)
        stored = asked.end()
    finally:
        await to_thread.run_sync(asked.close)
    headers = {"Warning": stored.warning} if stored.warning else {}
    if stored.status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse(stored.document, stored.status, headers=headers, media_type=MEDIA_TYPE)


def _sender(request: Request, person: Person | None) -> str:
    service: Service | None = getattr(request.state, "service", None)
    address = request.client.host if request.client else "?"
    who = service.name if service else person.username if person else "this machine"
    return f"{who}@{address}"


ROUTES = [
    Route("/dicom-web/studies", store, methods=["POST"]),
    Route("/dicom-web/studies/{study_uid}", store, methods=["POST"]),
]
