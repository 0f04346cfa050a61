"""What a search of FHIR asks for (https://hl7.org/fhir/R4/search.html): read from its parameters, refused by name where unknown here.

When a resource was last changed is not kept, so that nothing is searched by `_lastUpdated`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from core.exchange import Days, Order, Wanted
from dashboard.api.paging import read_cursor
from dashboard.web.problems import FHIR, Problem

__all__ = [
    "DATES",
    "FORMATS",
    "MOST",
    "OF_WHOM",
    "Search",
    "Summary",
    "by_ids",
    "included_by",
    "read_search",
    "refused",
    "sorted_by",
    "told_of",
]

MOST, _USUAL = 100, 20
LONGEST = 1_024
_LONGEST_VALUE = 128
_MOST_VALUES = 50
_DAY = re.compile(r"(eq|ge|gt|le|lt|sa|eb)?(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(T.*)?", re.ASCII)
_ELEMENT = re.compile(r"[a-z][A-Za-z]{0,40}", re.ASCII)
DATES = {
    "Patient": "birthdate",
    "ImagingStudy": "started",
    "Observation": "date",
    "RiskAssessment": "date",
    "DiagnosticReport": "date",
}
"""Kind -> its parameter of type date."""
OF_WHOM = ("patient", "subject")
_BY_MRN = ("patient.identifier", "subject.identifier")
_WHO = ("_id", "identifier")
NOBODY = "nobody"
"""An id that no resource has."""
_COMMON = ("_id", "identifier", "_count", "_cursor", "_format", "_sort", "_summary", "_total", "_elements")
_REPEATED = ("_include",)
FORMATS = ("json", FHIR, "application/json", "application/fhir json")
_CHOICES = ("value", "effective", "occurrence", "deceased", "multipleBirth")
"""Elements of several types: value is valueQuantity, valueString and so on."""

Said = Sequence[tuple[str, str]]


class Summary(StrEnum):
    """How much of each resource is told."""

    NOT = "false"
    COUNT = "count"
    DATA = "data"
    """All but the narrative."""


@dataclass(frozen=True)
class Search:
    """What is asked for, of how many on a page, after which row, and what of each is told; `bound` is what a cursor belongs to."""

    wanted: Wanted
    limit: int
    after: int
    bound: str
    summary: Summary
    counted: bool
    """Whether the number of all matches is told."""
    elements: tuple[str, ...] | None


def sorted_by(kind: str) -> dict[str, Order]:
    """Return by what resources of a kind are told in order."""
    return {DATES[kind]: Order.DAY, "identifier": Order.IDENTIFIER}


def included_by(kind: str) -> tuple[str, ...]:
    """Return what is told beside resources of a kind where it is asked for."""
    if kind == "Patient":
        return ()
    results = ("DiagnosticReport:result",) if kind == "DiagnosticReport" else ()
    return (*(f"{kind}:{name}" for name in OF_WHOM), *results)


def refused(where: str, what: str) -> Problem:
    """Return what is said of a search that is not understood: which parameter, and what is wrong with it."""
    return Problem(400, "bad_search", f"{where}: {what}.", errors=[{"where": where, "what": what}])


def by_ids(kind: str, said: Iterable[tuple[str, str]], id_of: Callable[[str], str | None]) -> Said:
    """Return a search by MRN as one by ids, so that no link of its answer names her."""

    def told(name: str, value: str) -> tuple[str, str]:
        if kind == "Patient" and name == "identifier" and value:
            found = (id_of(mrn) for mrn in _values(name, value))
            return "_id", ",".join(dict.fromkeys(one for one in found if one)) or NOBODY
        if kind == "Patient" or name not in _BY_MRN or not value:
            return name, value
        (mrn, *others) = _values(name, value)
        if others:
            raise refused(name, "names several women: ask for one after another")
        return name.partition(".")[0], id_of(mrn) or NOBODY

    said = list(said)
    now = [told(name, value) for name, value in said]
    if kind != "Patient" or sorted(name for name, _ in said if name in _WHO) != list(_WHO):
        return now
    # Both are asked for: who is named by both.
    first, second = (value.split(",") for name, value in now if name == "_id")
    both = ",".join(one for one in first if one in second) or NOBODY
    return [*((name, value) for name, value in now if name != "_id"), ("_id", both)]


def read_search(kind: str, said: Said) -> Search:
    """Return what is asked for; raises `Problem` with the name of what is wrong."""
    single = _once_each(kind, said)
    elements = single.get("_elements")
    summary = _summary(single)
    asked_count = _count(single.get("_count"))
    if asked_count == 0:
        summary = Summary.COUNT
    counted = summary is Summary.COUNT or _total(single) == "accurate"
    if counted and kind == "Observation":
        where = "_total" if "_total" in single else "_summary"
        raise refused(where, "observations are not counted: how many a study has is known when they are told")
    wanted = Wanted(
        ids=_values("_id", single["_id"]) if "_id" in single else None,
        identifiers=_values("identifier", single["identifier"]) if "identifier" in single else None,
        patient=_key_of(single),
        days=tuple(_days(name, value) for name, value in said if name == DATES[kind]),
        **_order(kind, single.get("_sort")),
        **_included(kind, [value for name, value in said if name == "_include"]),
    )
    bound = f"{kind}?{urlencode(sorted((n, v) for n, v in said if n not in ('_cursor', '_count')))}"
    cursor = single.get("_cursor")
    return Search(
        wanted=wanted,
        limit=asked_count,
        after=read_cursor(bound, cursor) if cursor else 0,
        bound=bound,
        summary=summary,
        counted=counted,
        elements=_elements(kind, elements) if elements is not None else None,
    )


def _once_each(kind: str, said: Said) -> dict[str, str]:
    of_whom = () if kind == "Patient" else (*OF_WHOM, *_BY_MRN, *_REPEATED)
    known = {*_COMMON, DATES[kind], *of_whom}
    wrong = [name for name, _ in said if name not in known]
    if wrong:
        raise refused(wrong[0], f"is no parameter of a search for {kind}: {', '.join(sorted(known))}")
    for name, value in said:
        if not 0 < len(value) <= LONGEST:
            raise refused(name, f"is empty or longer than {LONGEST} characters")
    once = [(name, value) for name, value in said if name not in (DATES[kind], *_REPEATED)]
    if len(dict(once)) < len(once):
        raise refused("search", "names a parameter twice")
    return dict(once)


def _count(said: str | None) -> int:
    if said is None:
        return _USUAL
    if not (said.isascii() and said.isdecimal() and len(said) < 9):
        raise refused("_count", f"“{said[:40]}” is no number from 0 to {MOST}")
    return min(MOST, int(said))


def _one_of(name: str, said: str, known: Iterable[str]) -> str:
    if said not in known:
        raise refused(name, f"“{said[:60]}” is not done here: {', '.join(known)}")
    return said


def _summary(single: Mapping[str, str]) -> Summary:
    return Summary(_one_of("_summary", single.get("_summary", Summary.NOT), [one.value for one in Summary]))


def _total(single: Mapping[str, str]) -> str:
    return _one_of("_total", single.get("_total", "none"), ("none", "estimate", "accurate"))


def _order(kind: str, said: str | None) -> dict[str, Any]:
    if said is None:
        return {}
    known = sorted_by(kind)
    name = _one_of("_sort", said.removeprefix("-"), list(known))
    return {"order": known[name], "descending": said.startswith("-")}


def _included(kind: str, said: Sequence[str]) -> dict[str, Any]:
    known = included_by(kind)
    # The type that a reference leads to may stand behind it: ImagingStudy:subject:Patient.
    names = {_one_of("_include", re.sub(r":(Patient|Observation)$", "", one), known) for one in said}
    return {
        "also_women": any(not one.endswith(":result") for one in names),
        "also_results": "DiagnosticReport:result" in names,
    }


def _elements(kind: str, said: str) -> tuple[str, ...]:
    from fhir.resources.R4B import get_fhir_model_class

    known = {*get_fhir_model_class(kind).elements_sequence(), *_CHOICES}
    names = said.split(",")
    wrong = next((one for one in names if not _ELEMENT.fullmatch(one) or one not in known), None)
    if wrong is not None:
        raise refused("_elements", f"“{wrong[:60]}” is no element of {kind}")
    return tuple(dict.fromkeys(names))


def told_of(resource: dict[str, Any], search: Search) -> dict[str, Any]:
    """Return what a search wants to be told of a resource; one of which less is told says so."""
    kind = resource["resourceType"]
    if search.elements is not None:
        kept = {"resourceType", "id", "meta", *_MANDATORY.get(kind, ()), *search.elements}
        choices = tuple(one for one in search.elements if one in _CHOICES)
        less = {
            name: value
            for name, value in resource.items()
            if name in kept or (choices and name.startswith(choices))
        }
    elif search.summary is Summary.DATA:
        less = {name: value for name, value in resource.items() if name != "text"}
    else:
        return resource
    meta = less.get("meta", {})
    return less | {"meta": meta | {"tag": [*meta.get("tag", ()), _SUBSETTED]}}


_MANDATORY = {
    "ImagingStudy": ("status", "subject"),
    "Observation": ("status", "code"),
    "RiskAssessment": ("status", "subject"),
    "DiagnosticReport": ("status", "code"),
}
_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


def _values(name: str, said: str) -> tuple[str, ...]:
    r"""Return the values of system|value, of which any may be meant, parted by commas; a comma of a value stands after \\.

    Of what system it is, the record knows no more than the MRN.
    """
    values = [one.replace("\\,", ",") for one in re.split(r"(?<!\\),", said)]
    if len(values) > _MOST_VALUES or not all(0 < len(one) <= _LONGEST_VALUE for one in values):
        raise refused(
            name, f"has more than {_MOST_VALUES} values, or one of no or over {_LONGEST_VALUE} letters"
        )
    return tuple(one.rpartition("|")[2] for one in values)


def _key_of(said: Mapping[str, str]) -> str | None:
    references = {said[name] for name in OF_WHOM if name in said}
    if len(references) > 1:
        raise refused("subject", "names another woman than patient")
    for one in references:
        kind, slash, key = one.rpartition("/")
        if slash and not kind.endswith("Patient"):
            raise refused("patient", f"“{one[:60]}” is no reference to a Patient")
        return key
    return None


def _days(name: str, said: str) -> Days:
    """Return the days of a search parameter of type date: a prefix, then a year, month or day."""
    told = _DAY.fullmatch(said)
    if told is None or told[5]:
        raise refused(
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
        raise refused(name, f"“{said[:40]}” is no day of the calendar") from None
