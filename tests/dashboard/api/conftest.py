"""The API in this process, on made-up women: asked as a program asks it, through the gate."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from core.installation import Installation
from core.people import Role, Scope, accounts, own_tokens
from core.settings import Settings
from dashboard import house
from dashboard.api import door
from dashboard.web import dicom_web, routes
from dashboard.web.gate import Gate
from tests import factories

PASSWORD = "a long password 17"


@dataclass
class Client:
    """A program's client: one call after another, each answered whole."""

    app: Starlette
    headers: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", headers=self.headers
            ) as client:
                return await client.request(method, path, **more)

        return asyncio.run(asked())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> httpx.Response:
        return self.request("PUT", path, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)


@dataclass
class Api:
    """The application, its installation, and clients that act for people."""

    here: Installation
    app: Starlette

    def token(self, role: Role, *scopes: Scope) -> str:
        """Make a token of the person in a role; she has no other one then."""
        username = f"api-{role.value}"
        if own_tokens.has_account(self.here, username):
            own_tokens.end_own_tokens(self.here, username)
        else:
            accounts.create_user(self.here, username, PASSWORD, role)
        return own_tokens.make_own_token(self.here, username, scopes or list(Scope)).token

    def by(self, role: Role = Role.ONCOLOGIST, *scopes: Scope) -> Client:
        return self.with_token(self.token(role, *scopes))

    def with_token(self, token: str) -> Client:
        return Client(self.app, {"Authorization": f"Bearer {token}"})

    def stranger(self) -> Client:
        return Client(self.app)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Api]:
    """Three simulated women, shared by a module's tests: those that change something change what is their own."""
    home = tmp_path_factory.mktemp("api") / "var"
    home.mkdir()
    shutil.copyfile(migrated_database, home / "longview.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGVIEW_HOME", str(home))
        house.here.cache_clear()
        house.desk.cache_clear()
        here = Installation.open(Settings(_env_file=None))
        factories.cohort(here, 3)
        app = Starlette(
            routes=[*routes.ROUTES, *dicom_web.ROUTES, *door.ROUTES],
            middleware=[Middleware(Gate, here=house.here)],
        )
        yield Api(here, app)
        house.here().close()
        house.here.cache_clear()
        house.desk.cache_clear()
        here.close()


@pytest.fixture
def settings(api: Api) -> Iterator[Callable[..., None]]:
    """Set something of the installation that is served, until the end of the test."""
    served = house.here().settings
    before: dict[str, object] = {}

    def change(**values: object) -> None:
        for name, value in values.items():
            before.setdefault(name, getattr(served, name))
            setattr(served, name, value)

    yield change
    for name, value in before.items():
        setattr(served, name, value)
