"""FHIR R4 reads: five kinds of resources, searched by identifier and date (https://hl7.org/fhir/R4/http.html)."""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response

from core.exchange import KINDS, Days, Found, Wanted, id_of_mrn, resource_of, search_resources
from core.people import Scope
from dashboard.api.described import EVERY
from dashboard.api.paging import read_cursor, write_cursor
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import FHIR, Problem

FHIR_DOOR = [door(Scope.FHIR)]
Kind = Literal["Patient", "ImagingStudy", "Observation", "RiskAssessment", "DiagnosticReport"]
_MOST, _USUAL = 100, 20
_LONGEST = 1_024
_LONGEST_VALUE = 128
_DAY = re.compile(r"(eq|ge|gt|le|lt|sa|eb)?(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(T.*)?", re.ASCII)
_DATES = {
    "Patient": ("birthdate",),
    "ImagingStudy": ("started",),
    "Observation": ("date",),
    "RiskAssessment": ("date",),
    "DiagnosticReport": ("date",),
}
_COMMON = ("_id", "identifier", "_count", "_cursor", "_format")
_OF_WHOM = ("patient", "subject")
_BY_MRN = ("patient.identifier", "subject.identifier")
_MOST_VALUES = 50
_FORMATS = ("json", FHIR, "application/json", "application/fhir json")

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
        maxLength=_LONGEST,
        pattern=r"^[^,]{1,128}(,[^,]{1,128}){0,49}$",
    ),
    {
        **_parameter("_count", "Women or studies on a page."),
        "schema": {"type": "integer", "minimum": 1, "maximum": _MOST},
    },
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
                    "security": {"description": "Bearer tokens of people, with the scope “fhir”."},
                    "resource": [_capability(kind) for kind in KINDS],
                }
            ],
        }
    )


def _capability(kind: str) -> dict[str, Any]:
    searched = [("_id", "token"), ("identifier", "token"), *((name, "date") for name in _DATES[kind])]
    if kind != "Patient":
        searched += [(name, "reference") for name in _OF_WHOM]
    said = "By her id; by her MRN as {}.identifier."
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [
            {"name": name, "type": of} | ({"documentation": said.format(name)} if of == "reference" else {})
            for name, of in searched
        ],
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
    _check_read(request)
    found = resource_of(call.here, call.person, kind, id)
    call.tells_of(*found.patients)
    return _answer(found.resources[0])


@dataclass(frozen=True)
class _Asked:
    wanted: Wanted
    limit: int
    after: int
    bound: str


def _check_read(request: Request) -> None:
    """Raise `Problem` for a parameter of a read that is not known here, or a form that is not kept."""
    _check_form(request, request.query_params.get("_format"))
    wrong = next((name for name in request.query_params if name != "_format"), None)
    if wrong is not None:
        raise _refused(wrong[:60], "is no parameter of a read: _format")


def _check_form(request: Request, said: str | None) -> None:
    accepts = [
        one.partition(";")[0].strip().lower() for one in request.headers.get("accept", "").split(",") if one
    ]
    if said not in (None, *_FORMATS) or (accepts and all(one.endswith("xml") for one in accepts)):
        raise Problem(406, "not_acceptable", "Resources are answered as JSON here, in no other form.")


def _searched(call: Call, request: Request, kind: str, said: Iterable[tuple[str, str]]) -> Response:
    said = _by_id(call, kind, list(said))
    asked = _asked(kind, said)
    _check_form(request, dict(said).get("_format"))
    found = search_resources(call.here, call.person, kind, asked.wanted, after=asked.after, limit=asked.limit)
    call.tells_of(*found.patients)
    return _answer(_bundle(request, found, asked, kind, said))


def _by_id(call: Call, kind: str, said: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a search for the studies of an MRN as one by her id, so that no link names her."""

    def told(name: str, value: str) -> tuple[str, str]:
        if kind == "Patient" or name not in _BY_MRN or not value:
            return name, value
        (mrn, *others) = _values(name, value)
        if others:
            raise _refused(name, "names several women: ask for one after another")
        return name.partition(".")[0], id_of_mrn(call.here, call.person, mrn) or "nobody"

    return [told(name, value) for name, value in said]


def _asked(kind: str, said: Sequence[tuple[str, str]]) -> _Asked:
    of_whom = () if kind == "Patient" else (*_OF_WHOM, *_BY_MRN)
    known = {*_COMMON, *_DATES[kind], *of_whom}
    wrong = [name for name, _ in said if name not in known]
    if wrong:
        raise _refused(wrong[0], f"is no parameter of a search for {kind}: {', '.join(sorted(known))}")
    single = {name: value for name, value in said if name not in _DATES[kind]}
    if len(single) < sum(name not in _DATES[kind] for name, _ in said):
        raise _refused("search", "names a parameter twice")
    for name, value in said:
        if not 0 < len(value) <= _LONGEST:
            raise _refused(name, f"is empty or longer than {_LONGEST} characters")
    days = tuple(_days(name, value) for name, value in said if name in _DATES[kind])
    wanted = Wanted(
        ids=_values("_id", single["_id"]) if "_id" in single else None,
        identifiers=_values("identifier", single["identifier"]) if "identifier" in single else None,
        patient=_key_of(single),
        days=days,
    )
    bound = f"{kind}?{urlencode(sorted((n, v) for n, v in said if n not in ('_cursor', '_count')))}"
    cursor = single.get("_cursor")
    return _Asked(wanted, _count(single.get("_count")), read_cursor(bound, cursor) if cursor else 0, bound)


def _refused(where: str, what: str) -> Problem:
    return Problem(400, "bad_search", f"{where}: {what}.", errors=[{"where": where, "what": what}])


def _count(said: str | None) -> int:
    if said is None:
        return _USUAL
    if not (said.isascii() and said.isdecimal() and len(said) < 9 and int(said) > 0):
        raise _refused("_count", f"“{said[:40]}” is no number from 1 to {_MOST}")
    return min(_MOST, int(said))


def _values(name: str, said: str) -> tuple[str, ...]:
    r"""Return the values of system|value, of which any may be meant, parted by commas; a comma of a value stands after \\.

    Of what system it is, the record knows no more than the MRN.
    """
    values = [one.replace("\\,", ",") for one in re.split(r"(?<!\\),", said)]
    if len(values) > _MOST_VALUES or not all(0 < len(one) <= _LONGEST_VALUE for one in values):
        raise _refused(
            name, f"has more than {_MOST_VALUES} values, or one of no or over {_LONGEST_VALUE} letters"
        )
    return tuple(one.rpartition("|")[2] for one in values)


def _key_of(said: Mapping[str, str]) -> str | None:
    references = {said[name] for name in ("patient", "subject") if name in said}
    if len(references) > 1:
        raise _refused("subject", "names another woman than patient")
    for one in references:
        kind, slash, key = one.rpartition("/")
        if slash and not kind.endswith("Patient"):
            raise _refused("patient", f"“{one[:60]}” is no reference to a Patient")
        return key
    return None


def _days(name: str, said: str) -> Days:
    """Return the days of a search parameter of type date: a prefix, then a year, month or day."""
    told = _DAY.fullmatch(said)
    if told is None or told[5]:
        raise _refused(
            name, f"“{said[:40]}” is no date: YYYY, YYYY-MM or YYYY-MM-DD after eq, ge, gt, le, lt, sa or eb"
        )
    prefix, year, month, day = told[1] or "eq", int(told[2]), told[3], told[4]
    try:
        first = date(year, int(month or 1), int(day or 1))
        end_of_month = calendar.monthrange(year, int(month or 12))[1]
        last = first if day else date(year, int(month or 12), end_of_month)
        return {
            "eq": lambda: Days(first, last),
            "ge": lambda: Days(first, None),
            "le": lambda: Days(None, last),
            "gt": lambda: Days(last + timedelta(days=1), None),
            "lt": lambda: Days(None, first - timedelta(days=1)),
        }[{"sa": "gt", "eb": "lt"}.get(prefix, prefix)]()
    except (ValueError, OverflowError):
        raise _refused(name, f"“{said[:40]}” is no day of the calendar") from None


def _bundle(
    request: Request, found: Found, asked: _Asked, kind: str, said: list[tuple[str, str]]
) -> dict[str, Any]:
    base = f"{str(request.base_url).rstrip('/')}/fhir"
    links = [{"relation": "self", "url": f"{base}/{kind}"}]
    if request.method == "GET" and said:
        links[0]["url"] += f"?{urlencode(said)}"
    if found.after is not None:
        again = [(name, value) for name, value in said if name != "_cursor"]
        again.append(("_cursor", write_cursor(asked.bound, found.after)))
        links.append({"relation": "next", "url": f"{base}/{kind}?{urlencode(again)}"})
    made: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if found.resources:
        made["entry"] = [
            {
                "fullUrl": f"{base}/{one['resourceType']}/{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in found.resources
        ]
    return made


def _answer(resource: dict[str, Any]) -> Response:
    return Response(json.dumps(resource, ensure_ascii=False), media_type=FHIR)
