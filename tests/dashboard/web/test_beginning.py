"""A dashboard that cannot begin says why in a sentence, and not in a traceback."""

from contextlib import asynccontextmanager

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from core.installation import Installation
from core.settings import Settings
from dashboard.web.beginning import TellsWhyItCannotBegin


def told(lifespan) -> str:
    """Begin an application as its server does, and return what the server is told."""
    said = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        said.append(message)

    app = Starlette(lifespan=lifespan, middleware=[Middleware(TellsWhyItCannotBegin)])
    with pytest.raises(Exception):  # noqa: B017 - the server is told, and the error goes on
        anyio.run(app, {"type": "lifespan", "state": {}}, receive, send)
    assert said[0]["type"] == "lifespan.startup.failed"
    return said[0]["message"]


def test_a_home_into_which_a_backup_is_being_restored_is_said(tmp_path):
    home = tmp_path / "home"
    (home / "images").mkdir(parents=True)
    (home / ".-restore-1").mkdir()
    (home / ".-restore-1" / "longview.db").touch()

    @asynccontextmanager
    async def lifespan(_app):
        Installation.open(Settings(home=home))
        yield

    message = told(lifespan)
    assert "A backup is being restored into" in message
    assert "Traceback" not in message


def test_an_error_of_our_own_keeps_its_traceback():
    @asynccontextmanager
    async def lifespan(_app):
        raise ZeroDivisionError
        yield

    assert "ZeroDivisionError" in told(lifespan)
