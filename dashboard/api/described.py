"""What OpenAPI says of all calls alike: the problems that each may end in."""

from __future__ import annotations

from typing import Any

from dashboard.api.shapes import ProblemShape
from dashboard.web.problems import PROBLEM

__all__ = ["EVERY", "also", "key_parameter", "match_parameter"]

Responses = dict[int | str, dict[str, Any]]

_WORDS = {
    400: "The request cannot be read, or a cursor or key is none.",
    401: "No token, or one that opens nothing: `reason` says why.",
    403: "The token's scopes or its person's role do not include this.",
    404: "There is nothing by this name, or it is not told.",
    406: "It is not kept in the form that is asked for.",
    409: "It cannot be done as things stand.",
    412: "It has changed since it was read.",
    413: "The body is too large.",
    415: "This media type is not taken.",
    422: "Something in the request is wrong: `errors` says where.",
    428: "Say with If-Match which state is changed.",
    429: "Too many calls: Retry-After says when to repeat.",
    500: "Our fault.",
    503: "The machine lacks something for a while: Retry-After says when to repeat.",
}


def _problem(status: int) -> dict[str, Any]:
    # Both ways: named so that the schema holds it, and under the media type that it is sent with.
    return {
        "description": _WORDS[status],
        "content": {PROBLEM: {"schema": {"$ref": f"#/components/schemas/{ProblemShape.__name__}"}}},
    }


EVERY: Responses = {status: _problem(status) for status in (400, 401, 403, 404, 413, 415, 422, 429, 503)}
"""What every call may end in."""


def also(*statuses: int) -> Responses:
    """Return problems that a call may end in beside those of all."""
    return {status: _problem(status) for status in statuses}


_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request is done once; with another request it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
}


def key_parameter(**more: Any) -> dict[str, Any]:
    """Return what OpenAPI says of a change beside its shapes: that it takes an idempotency key."""
    return {"parameters": [_KEY, *more.pop("parameters", [])], **more}


def match_parameter(of: str) -> dict[str, Any]:
    """Return what OpenAPI says of a change that names which state of something it changes."""
    return {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": f"ETag of {of} that was seen.",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{32,64}"$'},
    }
