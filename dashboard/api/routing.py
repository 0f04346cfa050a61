"""How every call is answered: allowed or not, counted, done once, said in words where it fails, and written to the trail.

A route declares its scope and permission by `door`; one without is no route.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.responses import Response

from core.exchange import begin_once, finish_once, give_up_once
from core.exchange.once import LONGEST_KEY
from core.installation import Installation
from core.people import Access, Permission, Person, Scope, audit, not_included
from dashboard.api import limits
from dashboard.api.etags import with_etag
from dashboard.house import here
from dashboard.web.admission import access_in
from dashboard.web.problems import Problem, answer, problem_of

__all__ = ["Call", "Caller", "Door", "Recorded", "door"]

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_OF_WHAT_IS_THERE = frozenset({"PUT", "PATCH", "DELETE"})
"""Methods that change something that a program has read before."""
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_JSON = ("application/json",)
_rates = limits.Rates()


@dataclass
class Call:
    """One call that is being answered: who asks, and whom it turned out to be about."""

    here: Installation
    access: Access
    about: list[int] = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)
    """What the entry in the trail says beside the call itself."""

    @property
    def person(self) -> Person:
        """Return for whom the program acts."""
        return self.access.person

    def tells_of(self, *patients: int) -> None:
        """Note whom the answer tells of, for the trail."""
        self.about += patients


def _call(request: Request) -> Call:
    found = request.state.call
    assert isinstance(found, Call)
    return found


Caller = Annotated[Call, Depends(_call)]


class Door:
    """What a call needs: a scope of its token, and a permission of its person; `None` where every role has it."""

    def __init__(self, scope: Scope, permission: Permission | None) -> None:
        self.scope, self.permission = scope, permission

    def __call__(self) -> None:
        """Be a dependency that asks for nothing: `Recorded` has looked before."""

    def check(self, access: Access) -> None:
        """Raise `Problem` where the token or its person may not."""
        if self.scope not in access.scopes:
            raise Problem(
                403, "scope_missing", f"This token has not the scope “{self.scope}”. Make one that has it."
            )
        if self.permission is not None and not access.person.may(self.permission):
            raise Problem(403, "not_allowed", not_included(self.permission))


def door(scope: Scope, permission: Permission | None = Permission.SEE_PATIENTS) -> Any:
    """Declare what a route needs: ``dependencies=[door(Scope.READ)]``."""
    return Depends(Door(scope, permission))


class Recorded(APIRoute):
    """A route of the API; each call of it is one entry in the trail, that of what it changed or one of its own.

    What is there is changed against the state that was seen (If-Match), as `check_unchanged` holds it.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        doors = [
            one.dependency for one in options.get("dependencies") or [] if isinstance(one.dependency, Door)
        ]
        if len(doors) != 1:
            raise TypeError(f"{path} declares no scope and permission: dependencies=[door(…)].")
        said = [one["name"] for one in (options.get("openapi_extra") or {}).get("parameters", ())]
        if _OF_WHAT_IS_THERE.intersection(options.get("methods") or ()) and "If-Match" not in said:
            raise TypeError(f"{path} changes what is there: declare against which state, match_parameter(…).")
        self.door = doors[0]
        super().__init__(path, endpoint, **options)
        self._asked = sorted(
            one.alias for one in get_flat_params(self.dependant) if isinstance(one.field_info, params.Query)
        )

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        inner = super().get_route_handler()

        async def answered(request: Request) -> Response:
            access = access_in(request.scope)
            if access is None:
                problem = Problem(401, "no_token", "Send a token.", headers={"WWW-Authenticate": "Bearer"})
                return answer(problem, request.scope)
            call = request.state.call = Call(here(), access)
            entries = audit.Call(access.label)
            before = audit.calling.set(entries)
            try:
                response = await self._response(inner, request, call)
                if not entries.entries and response.status_code != 429:
                    await to_thread.run_sync(self._note, request, call, response.status_code)
            except Exception as error:  # noqa: BLE001 - said in words; where the trail cannot be written nothing is told
                return answer(problem_of(error), request.scope)
            finally:
                audit.calling.reset(before)
            return response

        return answered

    async def _response(
        self, inner: Callable[[Request], Awaitable[Response]], request: Request, call: Call
    ) -> Response:
        try:
            wait = _rates.take(call.access.token_id, call.here.settings.api_calls_a_minute)
            if wait is not None:
                said = f"Too many calls: at most {call.here.settings.api_calls_a_minute} a minute."
                raise Problem(429, "too_many_calls", said, headers={"Retry-After": str(wait)})
            self.door.check(call.access)
            self._check_asked(request)
            self._check_sent(request)
            key = request.headers.get("idempotency-key")
            if key is not None and request.method in _UNSAFE:
                return await _once(inner, request, call, key)
            response = await inner(request)
            return with_etag(request, response) if request.method in {"GET", "HEAD"} else response
        except Exception as error:  # noqa: BLE001 - each call is answered, and in words
            late = limits.is_too_large(request.scope)
            problem = limits.too_large(request.scope) if late else problem_of(error)
            return answer(problem, request.scope)

    def _check_asked(self, request: Request) -> None:
        """Raise `Problem` for what is asked for and not known here: passed over, it would answer another question.

        The searches of FHIR and DICOMweb, which have parameters by the hundred, do so themselves.
        """
        if not self.path.startswith("/api/v1"):
            return
        said = [name for name, _ in request.query_params.multi_items()]
        wrong = sorted(set(said) - set(self._asked))
        if wrong:
            what = f"is no parameter of this call: {', '.join(self._asked) or 'it has none'}"
            errors = [{"where": f"query.{one[:60]}", "what": what} for one in wrong[:20]]
            raise Problem(422, "unknown_parameter", f"{wrong[0][:60]} {what}.", errors=errors)
        if len(said) > len(set(said)):
            raise Problem(422, "repeated_parameter", "A parameter of the address is said twice.")

    def _check_sent(self, request: Request) -> None:
        """Raise `Problem` where something is sent that is not read here, by its media type."""
        said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        sends = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
        if self.body_field is None or not (said or sends):
            return
        taken = _FORMS if isinstance(self.body_field.field_info, params.Form) else _JSON
        if said not in taken:
            sent = f"“{said[:60]}”" if said else "no media type"
            raise Problem(415, "media_type_not_taken", f"This was sent as {sent}. Send {taken[0]}.")

    def _note(self, request: Request, call: Call, status: int) -> None:
        """Write down what was asked; `about` whom follows from what was told."""
        refused = "refused" if status < 500 else "failed"
        what = {"act": self.name, "call": f"{request.method} {self.path}"}
        detail = {**what, "status": status, **call.beside}
        audit.note(
            call.here,
            call.person,
            "api_called",
            None,
            detail,
            outcome="done" if status < 400 else refused,
            patients=list(dict.fromkeys(call.about)),
        )


async def _once(
    inner: Callable[[Request], Awaitable[Response]], request: Request, call: Call, key: str
) -> Response:
    if not (key.isascii() and key.isprintable() and " " not in key and 0 < len(key) <= LONGEST_KEY):
        raise Problem(
            400, "bad_idempotency_key", f"An Idempotency-Key has 1 to {LONGEST_KEY} ASCII characters."
        )
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(request.headers.get("if-match", "").encode() + b"\n")
    digest.update(await _what_is_sent(request))
    kept = await to_thread.run_sync(begin_once, call.here, call.person, key, digest.hexdigest())
    if kept is not None:
        headers = {**kept.answer["headers"], "Idempotency-Replayed": "true"}
        return Response(kept.answer["body"], kept.status, headers=headers)
    try:
        response = await inner(request)
    except Exception:
        await to_thread.run_sync(give_up_once, call.here, call.person, key)
        raise
    answered = {"headers": _kept_headers(response), "body": bytes(response.body).decode()}
    await to_thread.run_sync(finish_once, call.here, call.person, key, response.status_code, answered)
    return response


async def _what_is_sent(request: Request) -> bytes:
    """Return what tells a body from another: a form's border is another at each try."""
    body = await request.body()
    kind = request.headers.get("content-type", "")
    _, _, border = kind.partition("boundary=")
    return body.replace(border.strip('"').encode(), b"") if border else body


def _kept_headers(response: Response) -> dict[str, str]:
    kept: Sequence[str] = ("content-type", "location", "etag", "undo-location")
    return {name: response.headers[name] for name in kept if name in response.headers}
