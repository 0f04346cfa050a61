"""What goes wrong in a call, as RFC 9457 says it: a status, a reason code that programs compare, a sentence for people.

FHIR wants an OperationOutcome in its place, unless a client asks for the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from core.desk import BoxRefused, DeskClosed
from core.exchange import KeyMisused, NotHere, TooManyJobs
from core.logs import log_of
from core.outages import outage
from core.people.roles import AccessDenied
from core.refusals import Refusal
from dashboard.web.plain import RETRY_SECONDS

__all__ = ["FHIR", "PROBLEM", "Problem", "answer", "problem_of"]

log = log_of(__name__)

PROBLEM, FHIR = "application/problem+json", "application/fhir+json"
FHIR_PATHS = "/fhir"

_REASONS = {
    400: "bad_request",
    401: "not_signed_in",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "media_type_not_taken",
    422: "invalid",
}
_DETAILS = {
    404: "There is nothing at this address. What there is: /api/v1/openapi.json, /fhir/metadata.",
    405: "This method is not answered here. Allow says which are.",
}
"""What is said where a framework says no more than the status."""
_ISSUES = {401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 429: "throttled"}
"""FHIR's codes of what is wrong, by status; `invalid` for other mistakes of the caller, `transient` or `exception` for ours."""


class Problem(Exception):
    """A call that is not answered as asked."""

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.reason, self.detail = status, reason, detail
        self.errors, self.headers = list(errors), dict(headers or {})
        super().__init__(detail)

    def document(self) -> dict[str, Any]:
        """Return what is sent."""
        return {
            "type": f"urn:longview:problem:{self.reason}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
            **({"errors": self.errors} if self.errors else {}),
        }

    def outcome(self) -> dict[str, Any]:
        """Return it as FHIR says it."""
        ours = "transient" if self.status == 503 else "exception"
        code = _ISSUES.get(self.status, "invalid" if self.status < 500 else ours)
        said = [f"{one['where']}: {one['what']}" for one in self.errors] or [self.detail]
        return {
            "resourceType": "OperationOutcome",
            "issue": [
                {
                    "severity": "error",
                    "code": code,
                    "details": {"coding": [{"system": "urn:longview:reason", "code": self.reason}]},
                    "diagnostics": one,
                }
                for one in said
            ],
        }


def answer(problem: Problem, scope: Scope) -> Response:
    """Return the answer to a call that went wrong."""
    accepts = Headers(scope=scope).get("accept", "")
    of_fhir = str(scope["path"]).startswith(FHIR_PATHS) and PROBLEM not in accepts
    document, media_type = (problem.outcome(), FHIR) if of_fhir else (problem.document(), PROBLEM)
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(
        json.dumps(document, ensure_ascii=False), problem.status, headers=headers, media_type=media_type
    )


def problem_of(error: Exception) -> Problem:
    """Say what an error means to the caller; one that nobody foresaw is ours, and is logged."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        reason = _REASONS.get(error.status_code, "bad_request")
        said = _DETAILS.get(error.status_code, str(error.detail))
        return Problem(error.status_code, reason, said, headers=error.headers)
    if isinstance(error, ClientDisconnect):
        return Problem(400, "broken_off", "The request broke off.")
    return _of_core(error) or _ours(error)


def _of_core(error: Exception) -> Problem | None:
    if isinstance(error, AccessDenied):
        return Problem(403, "not_allowed", str(error))
    if isinstance(error, NotHere):
        return Problem(404, "not_found", str(error.args[0]))
    if isinstance(error, KeyMisused):
        reused = error.reason == "idempotency_key_reused"
        return Problem(422 if reused else 409, error.reason, str(error))
    if isinstance(error, TooManyJobs):
        return Problem(429, "too_many_jobs", str(error), headers={"Retry-After": "30"})
    if isinstance(error, BoxRefused):
        return Problem(422, "bad_box", str(error))
    if isinstance(error, Refusal):
        return Problem(422, error.reason, error.text)
    if isinstance(error, DeskClosed):
        return Problem(503, "desk_closed", str(error), headers={"Retry-After": str(RETRY_SECONDS)})
    return None


def _ours(error: Exception) -> Problem:
    said = outage(error)
    if said is not None:
        log.warning("the machine failed a call", kind=type(error).__name__)
        return Problem(503, "machine_failed", said, headers={"Retry-After": str(RETRY_SECONDS)})
    log.exception("a call failed", kind=type(error).__name__)
    return Problem(500, "failed", "This could not be answered. Tell your admin the time.")


def _invalid(error: RequestValidationError) -> Problem:
    wrong = [_wrong(one) for one in error.errors()]
    if any(one["loc"][:1] == ("path",) for one in error.errors()):
        return Problem(404, "not_found", "There is nothing at this address.", errors=wrong)
    first = wrong[0] if wrong else {"where": "request", "what": "cannot be read"}
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return Problem(422, "invalid", f"{first['where']}: {first['what']}{more}.", errors=wrong)


def _wrong(one: Mapping[str, Any]) -> dict[str, str]:
    if one["type"] == "json_invalid":  # its place is a number of letters, not a name
        return {"where": "body", "what": f"is no JSON from its letter {one['loc'][-1]} on"}
    return {"where": ".".join(map(str, one["loc"])), "what": one["msg"].removeprefix("Value error, ")}
