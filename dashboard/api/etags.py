"""Tags by which a program says which state of a thing it has seen (RFC 9110, 8.8.3 and 13)."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from fastapi.encoders import jsonable_encoder
from starlette.requests import Request
from starlette.responses import Response

from dashboard.web.problems import Problem

__all__ = ["check_unchanged", "etag_of", "with_etag", "with_tag"]

_TAG = re.compile(r'(?:W/)?"[^"]*"')
_TAGS = re.compile(r'\*|(?:W/)?"[^"]*"(?:\s*,\s*(?:W/)?"[^"]*")*')


def etag_of(shape: Any) -> str:
    """Return the tag of what a call answers."""
    document = json.dumps(jsonable_encoder(shape), sort_keys=True, ensure_ascii=False)
    return f'"{hashlib.sha256(document.encode()).hexdigest()[:32]}"'


def with_etag(request: Request, response: Response) -> Response:
    """Return an answer with its tag, or that nothing has changed where the program has it already."""
    if response.status_code != 200:
        return response
    try:
        tag = response.headers.get("etag") or _of_bytes(response)
    except AttributeError:  # what is sent as it comes has none
        return response
    response.headers["ETag"] = tag
    response.headers.setdefault("Cache-Control", "private, no-cache")
    known = _TAG.findall(request.headers.get("if-none-match", ""))
    if tag in [one.removeprefix("W/") for one in known]:
        return Response(
            status_code=304, headers={"ETag": tag, "Cache-Control": response.headers["Cache-Control"]}
        )
    return response


def _of_bytes(response: Response) -> str:
    if response.media_type == "application/json" or "json" in (response.headers.get("content-type") or ""):
        return etag_of(json.loads(bytes(response.body)))
    return f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'


def check_unchanged(request: Request, now: Any) -> None:
    """Let a change go on only if what the program has seen (If-Match) is what stands; raises `Problem` 428, 400 or 412."""
    tags = _said(request)
    if tags is not None and etag_of(now) not in tags:
        raise Problem(412, "changed_meanwhile", "It has changed since you read it. Read it again.")


def with_tag(request: Request) -> str | None:
    """Return the one tag, without its quotes, that a change is sent with; None for any (*). Raises `Problem` 428 or 400."""
    tags = _said(request)
    if tags is None:
        return None
    if len(tags) != 1:
        raise Problem(400, "bad_if_match", "Send one ETag: that of what you have looked at.")
    return tags[0].strip('"')


def _said(request: Request) -> list[str] | None:
    said = request.headers.get("if-match")
    if said is None:
        raise Problem(428, "if_match_needed", "Say with If-Match which state you change: its ETag.")
    if not _TAGS.fullmatch(said.strip()):
        raise Problem(400, "bad_if_match", "If-Match is one ETag or several by commas, each in quotes, or *.")
    return None if said.strip() == "*" else _TAG.findall(said)
