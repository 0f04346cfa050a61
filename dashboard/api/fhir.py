"""FHIR R4 reads: five kinds of resources, searched by identifier and date (https://hl7.org/fhir/R4/http.html)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response

from core.exchange import (
    KINDS,
    Found,
    PlaceGone,
    count_resources,
    id_of_mrn,
    resource_of,
    search_resources,
)
from core.people import Scope
from dashboard.api.described import EVERY
from dashboard.api.fhir_search import (
    DATES,
    FORMATS,
    LONGEST,
    MOST,
    OF_WHOM,
    Search,
    Summary,
    by_ids,
    included_by,
    read_search,
    refused,
    sorted_by,
    told_of,
)
from dashboard.api.paging import write_cursor
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import FHIR, Problem

FHIR_DOOR = [door(Scope.FHIR)]
Kind = Literal["Patient", "ImagingStudy", "Observation", "RiskAssessment", "DiagnosticReport"]

_SHOWN = {
    status: {
        "description": said["description"],
        "content": {FHIR: {"schema": {"type": "object"}}, **said["content"]},
    }
    for status, said in {**EVERY}.items()
}
router = APIRouter(prefix="/fhir", tags=["fhir"], route_class=Recorded, responses=_SHOWN)


def _fhir(words: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": words, "content": {FHIR: {"schema": {"type": "object"}}}}}


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "string", "minLength": 1, **schema},
    }


_SEARCHED = [
    _parameter("_id", "Ids of resources, by commas.", pattern=r"^[A-Za-z0-9.\-]{1,64}$"),
    _parameter(
        "identifier",
        "MRNs of Patients, UIDs of studies, by commas; also system|value.",
        maxLength=LONGEST,
        pattern=r"^[^,]{1,128}(,[^,]{1,128}){0,49}$",
    ),
    {
        **_parameter("_count", "Women or studies on a page."),
        "schema": {"type": "integer", "minimum": 0, "maximum": MOST},
    },
    _parameter(
        "_sort",
        "In which order: identifier, or the date of the kind; - before it turns it.",
        enum=["identifier", "-identifier"],
    ),
    _parameter("_total", "Whether the number of all matches is told.", enum=["none", "estimate"]),
    _parameter("_summary", "data: without the narrative; count: how many alone.", enum=["false", "data"]),
]


@router.get(
    "/metadata",
    dependencies=[door(Scope.FHIR, None)],
    response_class=Response,
    responses=_fhir("What is answered here."),
)
def get_capabilities(_call: Caller, request: Request) -> Response:
    """Say which resources are read here, and by what they are searched."""
    _check_read(request)
    return _answer(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-11-28",
            "kind": "instance",
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "implementation": {"description": "Longview. Research software, not for diagnosis."},
            "software": {"name": "Longview"},
            "rest": [
                {
                    "mode": "server",
                    "documentation": _RESULTS,
                    "security": {"description": "Bearer tokens of people, with the scope “fhir”."},
                    "resource": [_capability(kind) for kind in KINDS],
                }
            ],
        }
    )


_RESULTS = (
    "Beside the parameters of each resource: _count (0 to 100), _sort by identifier or the date of the kind "
    "(- before it turns it), _total and _summary=count (not of Observation), _summary=data, _elements, _include as "
    "searchInclude says, _format=json; POST to _search. Anything else, _lastUpdated as well, is refused by its name: when a "
    "resource was last changed is not kept."
)


def _capability(kind: str) -> dict[str, Any]:
    searched = [("_id", "token"), ("identifier", "token"), (DATES[kind], "date")]
    if kind != "Patient":
        searched += [(name, "reference") for name in OF_WHOM]
    said = "By her id; by her MRN as {}.identifier."
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [
            {"name": name, "type": of} | ({"documentation": said.format(name)} if of == "reference" else {})
            for name, of in searched
        ],
        **({"searchInclude": list(included)} if (included := included_by(kind)) else {}),
        "documentation": f"Told in order by {', '.join(sorted_by(kind))}.",
    }


@router.get(
    "/{kind}",
    dependencies=FHIR_DOOR,
    response_class=Response,
    responses=_fhir("A Bundle of what was found."),
    openapi_extra={"parameters": _SEARCHED},
)
def search(call: Caller, request: Request, kind: Kind) -> Response:
    """Search resources; parameters that are not known here are refused, not passed over."""
    return _searched(call, request, kind, request.query_params.multi_items())


@router.post(
    "/{kind}/_search",
    dependencies=FHIR_DOOR,
    response_class=Response,
    responses=_fhir("A Bundle of what was found."),
    openapi_extra={
        "requestBody": {
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "properties": {one["name"]: one["schema"] for one in _SEARCHED},
                        "additionalProperties": False,
                    }
                }
            }
        }
    },
)
async def search_by_form(call: Caller, request: Request, kind: Kind) -> Response:
    """Search with the parameters in the body, so that no log of addresses names her."""
    said = request.headers.get("content-type", "application/x-www-form-urlencoded").partition(";")[0]
    if said.strip().lower() != "application/x-www-form-urlencoded":
        raise Problem(415, "media_type_not_taken", "Send a search as application/x-www-form-urlencoded.")
    body = (await request.body()).decode("utf-8", "replace")
    asked = [*request.query_params.multi_items(), *parse_qsl(body, keep_blank_values=True)]
    return await to_thread.run_sync(_searched, call, request, kind, asked)


@router.get("/{kind}/{id}", dependencies=FHIR_DOOR, response_class=Response, responses=_fhir("The resource."))
def read(
    call: Caller,
    request: Request,
    kind: Kind,
    id: Annotated[str, Path(pattern=r"^[A-Za-z0-9.\-]{1,64}$", examples=["k3Jb0Zx1Qe8sT2vW"])],
) -> Response:
    """Return one resource."""
    call.beside["resource"] = kind
    _check_read(request)
    found = resource_of(call.here, call.person, kind, id)
    call.tells_of(*found.patients)
    return _answer(found.resources[0])


def _check_read(request: Request) -> None:
    """Raise `Problem` for a parameter of a read that is not known here, or a form that is not kept."""
    _check_form(request, request.query_params.get("_format"))
    wrong = next((name for name in request.query_params if name != "_format"), None)
    if wrong is not None:
        raise refused(wrong[:60], "is no parameter of a read: _format")


def _check_form(request: Request, said: str | None) -> None:
    accepts = [
        one.partition(";")[0].strip().lower() for one in request.headers.get("accept", "").split(",") if one
    ]
    if said not in (None, *FORMATS) or (accepts and all(one.endswith("xml") for one in accepts)):
        raise Problem(406, "not_acceptable", "Resources are answered as JSON here, in no other form.")


def _searched(call: Call, request: Request, kind: str, said: Iterable[tuple[str, str]]) -> Response:
    said = by_ids(kind, said, lambda mrn: id_of_mrn(call.here, call.person, mrn))
    call.beside["resource"] = kind
    search = read_search(kind, said)
    _check_form(request, dict(said).get("_format"))
    found = Found([], [])
    if search.summary is not Summary.COUNT:
        found = _page(call, kind, search)
        call.tells_of(*found.patients)
    total = count_resources(call.here, call.person, kind, search.wanted) if search.counted else None
    return _answer(_bundle(request, found, search, kind, said, total))


def _page(call: Call, kind: str, search: Search) -> Found:
    try:
        return search_resources(
            call.here, call.person, kind, search.wanted, after=search.after, limit=search.limit
        )
    except PlaceGone:
        said = "What the page before ended with is not there any more: begin without _cursor."
        raise Problem(400, "bad_cursor", said) from None


def _bundle(
    request: Request,
    found: Found,
    search: Search,
    kind: str,
    said: Sequence[tuple[str, str]],
    total: int | None,
) -> dict[str, Any]:
    base = f"{str(request.base_url).rstrip('/')}/fhir"
    links = [{"relation": "self", "url": f"{base}/{kind}"}]
    if request.method == "GET" and said:
        links[0]["url"] += f"?{urlencode(said)}"
    if found.after is not None:
        again = [(name, value) for name, value in said if name != "_cursor"]
        again.append(("_cursor", write_cursor(search.bound, found.after)))
        links.append({"relation": "next", "url": f"{base}/{kind}?{urlencode(again)}"})
    entries = [_entry(base, told_of(one, search), "match") for one in found.resources]
    entries += [_entry(base, one, "include") for one in found.beside]
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        **({"total": total} if total is not None else {}),
        "link": links,
        **({"entry": entries} if entries else {}),
    }


def _entry(base: str, resource: dict[str, Any], mode: str) -> dict[str, Any]:
    return {
        "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
        "resource": resource,
        "search": {"mode": mode},
    }


def _answer(resource: dict[str, Any]) -> Response:
    return Response(json.dumps(resource, ensure_ascii=False), media_type=FHIR)
