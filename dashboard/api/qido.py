"""DICOMweb searches: QIDO-RS lists studies, series and instances, of one study or of all, by pages.

What is not matched by here is refused, not passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from core.exchange import (
    Listing,
    Matching,
    TooManyUnlisted,
    instances_found,
    instances_of,
    series_found,
    studies_found,
    study_of,
)
from dashboard.api.described import EVERY
from dashboard.api.dicom_web import READ, UID, Uid, address_of, answer_json, document
from dashboard.api.routing import Call, Caller, Recorded
from dashboard.web.problems import Problem

_MOST, _USUAL = 500, 100
_OF_STUDIES = {
    "PatientID": "00100020",
    "PatientName": "00100010",
    "StudyDate": "00080020",
    "StudyInstanceUID": "0020000D",
    "ModalitiesInStudy": "00080061",
}
_OF_SERIES = {**_OF_STUDIES, "Modality": "00080060", "SeriesInstanceUID": "0020000E"}
_OF_INSTANCES = {**_OF_SERIES, "SOPInstanceUID": "00080018"}
_LONGEST = {"PatientID": 64, "PatientName": 324}
_BESIDE = ("limit", "offset", "includefield", "fuzzymatching")

router = APIRouter(prefix="/dicom-web", tags=["dicomweb"], route_class=Recorded, responses=EVERY)

Find = Callable[..., Listing]


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


# An empty value matches whatever there is.
_ID = {"type": "string", "pattern": r"^[0-9.]{0,64}$"}
_PAGED = [
    _parameter(
        "limit",
        f"Matches at most; of more than {_MOST} as many are answered.",
        {"type": "integer", "minimum": 1},
    ),
    _parameter("offset", "Matches to pass over.", {"type": "integer", "minimum": 0, "maximum": 10**9}),
]
_STUDIES = [
    _parameter(
        "PatientID", "MRN; * and ? as wildcards.", {"type": "string", "maxLength": _LONGEST["PatientID"]}
    ),
    _parameter(
        "StudyDate",
        "YYYYMMDD, or a range of two with -.",
        {"type": "string", "pattern": r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|1\d|2[0-8])$|^$"},
    ),
    *_PAGED,
]
_SERIES = [_parameter("SeriesInstanceUID", "UIDs of series.", _ID)]
_INSTANCES = [_parameter("SOPInstanceUID", "UIDs of instances.", _ID)]


def _search(words: str, parameters: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "dependencies": READ,
        "response_class": Response,
        "responses": document(words),
        "openapi_extra": {"parameters": list(parameters)},
    }


@router.get("/studies", **_search("Studies that match.", _STUDIES))
def search_studies(call: Caller, request: Request) -> Response:
    """List studies that match, the newest first."""
    return _listed(call, request, studies_found, _OF_STUDIES)


@router.get("/series", **_search("Series that match.", [*_STUDIES, *_SERIES]))
def search_all_series(call: Caller, request: Request) -> Response:
    """List series that match, of all studies, those of the newest first."""
    return _listed(call, request, series_found, _OF_SERIES)


@router.get("/instances", **_search("Instances that match.", [*_STUDIES, *_SERIES, *_INSTANCES]))
def search_all_instances(call: Caller, request: Request) -> Response:
    """List instances that match, of all studies, those of the newest first."""
    return _listed(call, request, instances_found, _OF_INSTANCES)


@router.get("/studies/{study}/series", **_search("Its series that match.", [*_SERIES, *_PAGED]))
def search_series(call: Caller, request: Request, study: Uid) -> Response:
    """List the series of a study that match."""
    _tell_of(call, study)
    return _listed(call, request, series_found, _OF_SERIES, StudyInstanceUID=study)


@router.get(
    "/studies/{study}/instances", **_search("Its instances that match.", [*_SERIES, *_INSTANCES, *_PAGED])
)
def search_instances(call: Caller, request: Request, study: Uid) -> Response:
    """List the instances of a study that match."""
    _tell_of(call, study)
    return _listed(call, request, instances_found, _OF_INSTANCES, StudyInstanceUID=study)


@router.get(
    "/studies/{study}/series/{series}/instances",
    **_search("Its instances that match.", [*_INSTANCES, *_PAGED]),
)
def search_instances_of_series(call: Caller, request: Request, study: Uid, series: Uid) -> Response:
    """List the instances of a series that match."""
    found = instances_of(call.here, call.person, study, series=series)
    call.tells_of(*(one.patient.id for one in found))
    within = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    return _listed(call, request, instances_found, _OF_INSTANCES, **within)


def _tell_of(call: Call, study: str) -> None:
    """Note whose study it is; raises `NotHere`."""
    patient_id, _ = study_of(call.here, call.person, study)
    call.tells_of(patient_id)


def _listed(call: Call, request: Request, find: Find, keys: dict[str, str], **within: str) -> Response:
    """Answer a page of what matches; `within` is what the address says already."""
    asked, limit, offset = _asked(request.query_params.multi_items(), keys, within)
    try:
        found = find(call.here, call.person, asked, limit=limit, offset=offset, address=address_of(request))
    except TooManyUnlisted as error:
        raise Problem(400, "bad_search", str(error)) from error
    call.tells_of(*found.patients)
    warnings = []
    if found.more:
        warnings.append('299 Longview "There are additional results that can be requested"')
    if request.query_params.get("fuzzymatching", "false").lower() != "false":
        # As PS3.18 8.3.4.2 wants it said.
        warnings.append(
            '299 Longview "The fuzzymatching parameter is not supported. Only literal matching has been performed."'
        )
    return answer_json(request, found.rows, {"Warning": ", ".join(warnings)} if warnings else None)


def _asked(
    said: Sequence[tuple[str, str]], keys: dict[str, str], within: dict[str, str]
) -> tuple[Matching, int, int]:
    keywords = {tag: name for name, tag in keys.items()}
    told = dict(within)
    for name, value in said:
        keyword = keywords.get(name.upper(), name)
        if keyword not in keys and keyword not in _BESIDE:
            raise _refused(name, f"is not matched by here: {', '.join([*keys, *_BESIDE])}")
        if keyword in within and value != within[keyword]:
            raise _refused(name, "stands in the address already, with another value")
        if not value:
            if keyword in _BESIDE:
                raise _refused(name, "is empty")
            continue  # universal matching (PS3.4 C.2.2.2.3)
        if keyword == "fuzzymatching" and value.lower() not in ("true", "false"):
            raise _refused(name, f"“{value[:40]}” is neither true nor false")
        if len(value) > _LONGEST.get(keyword, len(value)):
            raise _refused(name, f"has more than {_LONGEST[keyword]} letters")
        told[keyword] = f"{told[keyword]},{value}" if keyword in told and keyword not in within else value
    first, last = _days(told.get("StudyDate"))
    modalities = [told[name] for name in ("ModalitiesInStudy", "Modality") if name in told]
    matching = Matching(
        patient_id=told.get("PatientID"),
        name=told.get("PatientName"),
        uids=_uids("StudyInstanceUID", told),
        modalities=tuple(filter(None, re.split(r"[,\\]", ",".join(modalities)))),
        first=first,
        last=last,
        series=_uids("SeriesInstanceUID", told),
        instances=_uids("SOPInstanceUID", told),
    )
    return (
        matching,
        min(_MOST, _number("limit", told.get("limit"), _USUAL, least=1)),
        _number("offset", told.get("offset"), 0),
    )


def _refused(where: str, what: str) -> Problem:
    return Problem(400, "bad_search", f"{where[:60]}: {what}.", errors=[{"where": where[:60], "what": what}])


def _uids(keyword: str, told: dict[str, str]) -> tuple[str, ...]:
    uids = tuple(filter(None, re.split(r"[,\\]", told.get(keyword, ""))))
    for uid in uids:
        if not re.fullmatch(UID, uid):
            raise _refused(keyword, f"“{uid[:64]}” is no UID")
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
    try:
        if not re.fullmatch(r"\d{8}|\d{8}-(\d{8})?|-\d{8}", said, re.ASCII):
            raise ValueError(said)
        first, dash, last = said.partition("-")
        return _day(first), _day(last) if dash else _day(first)
    except ValueError:
        raise _refused("StudyDate", f"“{said[:40]}” is no day: YYYYMMDD, or a range of two with -") from None


def _day(said: str) -> date | None:
    return datetime.strptime(said, "%Y%m%d").date() if said else None
