"""The API as one application, and where it stands among the routes of the dashboard."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.people import Scope as TokenScope
from core.people.own_tokens import SCOPE_WORDS
from dashboard.api import (
    cohorts,
    corrections,
    dicom_web,
    events,
    fhir,
    images,
    imports,
    lesions,
    models,
    patients,
    qido,
    shapes,
    studies,
    together,
    tryout,
)
from dashboard.api.described import EVERY
from dashboard.api.limits import BoundedBodies
from dashboard.api.routing import Caller, Recorded, door
from dashboard.web.problems import Problem, answer, problem_of

__all__ = ["ROUTES", "api"]

ABOUT = """Longview for programs: the same record, rules and rights as on the pages. Research software, not for diagnosis.

A call shows a person's token: `Authorization: Bearer lvp_…`. It may do what its scopes name and her role includes. What is
withheld on pages is null here, a study that is covered until it is read is covered, and every call stands in the audit trail.

Days are YYYY-MM-DD, moments ISO 8601 with their zone. What a call does not know is refused by name: a parameter, a field, a
value. HEAD is answered where GET is. What changes something that is there says with If-Match which state of it was seen.
Studies are stored by DICOMweb too (STOW-RS: `POST /dicom-web/studies`, multipart/related as PS3.18 10.5 has it).
"""

_me = APIRouter(prefix="/api/v1", tags=["about"], route_class=Recorded, responses=EVERY)


@_me.get("/me", dependencies=[door(TokenScope.READ, None)])
def get_me(call: Caller) -> shapes.Me:
    """Say for whom the token acts and what it may use."""
    access = call.access
    return shapes.Me(
        username=call.person.username,
        name=call.person.display_name,
        role=call.person.role.value,
        token=access.label,
        scopes=sorted(access.scopes),
    )


async def _in_words(request: Request, error: Exception) -> Response:
    return answer(problem_of(error), request.scope)


def _made() -> FastAPI:
    made = FastAPI(
        title="Longview",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    routers = (
        _me,
        patients.router,
        studies.router,
        images.router,
        events.router,
        lesions.router,
        corrections.router,
        models.router,
        together.router,
        imports.router,
        cohorts.router,
        fhir.router,
        qido.router,
        dicom_web.router,
    )
    for router in routers:
        made.include_router(router)
    for kind in (HTTPException, RequestValidationError, Problem):
        made.add_exception_handler(kind, _in_words)
    return made


api = _made()


def description() -> dict[str, Any]:
    """Return the OpenAPI description of all calls."""
    if api.openapi_schema is None:
        made = get_openapi(title=api.title, version=api.version, description=ABOUT, routes=api.routes)
        schemas = made["components"]["schemas"]
        schemas[shapes.ProblemShape.__name__] = shapes.ProblemShape.model_json_schema()
        made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"token": []}]
        made["servers"] = [{"url": "/"}]
        made["x-scopes"] = {scope.value: words for scope, words in SCOPE_WORDS.items()}
        api.openapi_schema = made
    return api.openapi_schema


async def openapi(_request: Request) -> Response:
    """Serve the description, to whoever is signed in or shows a token."""
    return JSONResponse(description(), headers={"Cache-Control": "private, no-cache"})


class _FromTheRoot:
    """ASGI: an application that knows its addresses from the root, mounted below several of them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        await self.app({**scope, "root_path": ""}, receive, send)


class _HeadAsGet:
    """ASGI: HEAD is answered as GET is, without the body (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""

        async def headers_only(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        is_head = scope.get("method") == "HEAD"
        await self.app(
            {**scope, "method": "GET"} if is_head else scope, receive, headers_only if is_head else send
        )


_bounded = _FromTheRoot(_HeadAsGet(BoundedBodies(api)))

ROUTES: list[BaseRoute] = [
    Route("/api/v1/openapi.json", openapi, methods=["GET"]),
    *tryout.ROUTES,
    # Without what would follow they are nobody's: not the pages', which would answer with a page.
    *(Route(path, endpoint=_bounded) for path in ("/api", "/fhir", "/dicom-web")),
    Mount("/api", app=_bounded),
    Mount("/fhir", app=_bounded),
    Mount("/dicom-web", app=_bounded),
]
