"""Who may call: a program with a person's token. The gate asks here first for every address of the API.

A sign-in's cookie is no right here: another site could use it. Only the description and the page to try it are for whoever is
signed in, and the token that this page makes (`dashboard.api.tryout`).
"""

from __future__ import annotations

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from core.installation import Installation
from core.people import Access, Permission, TokenRefused, access_of, asking, audit
from core.people import Scope as TokenScope
from core.people.own_tokens import PREFIX
from core.people.recently import Recently
from dashboard.web.problems import Problem, answer

__all__ = ["CALLS", "FOR_SIGNED_IN", "Elsewhere", "admit"]

CALLS = ("/api/", "/fhir", "/dicom-web")
"""Addresses by their beginning that programs call."""
FOR_SIGNED_IN = ("/api/v1/openapi.json", "/api/v1/docs")
"""Those of them that a browser may open in which somebody is signed in."""
STORE_PATH = "/dicom-web/studies"
REFUSALS_TOGETHER_SECONDS = 60.0

_refused = Recently()


class Elsewhere(Exception):
    """The gate's other doors decide: a cookie, or a program's own token for storing."""


async def admit(here: Installation, scope: Scope, headers: Headers) -> Response | None:
    """Return the refusal of a call, or None and put whose it is into the scope's state.

    Raises `Elsewhere` where it has no personal token and may come by another door.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    bearer = scheme.lower() == "bearer"
    if not (bearer and token.startswith(PREFIX)) and _has_another_door(scope, bearer):
        raise Elsewhere
    try:
        if not bearer:
            raise TokenRefused(
                "no_token", "Send a token: “Authorization: Bearer …”. Make one on your account's page."
            )
        access = await to_thread.run_sync(access_of, here, token)
    except TokenRefused as refused:
        return await _refuse(here, scope, refused)
    if not str(scope["path"]).isprintable():
        return answer(Problem(404, "not_found", "There is nothing at this address."), scope)
    asking.begins(access.person)
    scope.setdefault("state", {})["access"] = access
    if str(scope["path"]).startswith(STORE_PATH) and scope["method"] == "POST":
        return _store_refusal(scope, access)
    return None


def _store_refusal(scope: Scope, access: Access) -> Response | None:
    """Say why a person's program may not store; None where it may."""
    lacks = [one for one in (TokenScope.DICOMWEB, TokenScope.WRITE) if one not in access.scopes]
    if lacks:
        return answer(Problem(403, "scope_missing", f"This token has not the scope “{lacks[0]}”."), scope)
    if not access.person.may(Permission.ADD_STUDY):
        return answer(Problem(403, "not_allowed", "Your role does not include this. Ask your admin."), scope)
    scope["state"]["person"] = access.person
    audit.calling.set(audit.Call(access.label))
    return None


def _has_another_door(scope: Scope, bearer: bool) -> bool:
    path, method = str(scope["path"]), scope["method"]
    if path.startswith("/dicom-web"):
        return bearer or method not in {"GET", "HEAD"}
    return not bearer and path.startswith(FOR_SIGNED_IN)


async def _refuse(here: Installation, scope: Scope, refused: TokenRefused) -> Response:
    address = scope["client"][0] if scope.get("client") else ""
    key = (here.home, address, refused.reason)
    if refused.reason != "no_token" and not _refused.has(key, REFUSALS_TOGETHER_SECONDS):
        detail = {"reason": refused.reason}
        await to_thread.run_sync(
            lambda: audit.note(here, None, "api_called", None, detail, outcome="refused", name="token")
        )
        _refused.add(key)
    said = "" if refused.reason == "no_token" else ' error="invalid_token"'
    problem = Problem(
        401, refused.reason, str(refused), headers={"WWW-Authenticate": f'Bearer realm="Longview"{said}'}
    )
    return answer(problem, scope)


def access_in(scope: Scope) -> Access | None:
    """Return whose call it is, None where it came by another door."""
    found = scope.get("state", {}).get("access")
    return found if isinstance(found, Access) else None
