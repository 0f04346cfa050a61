"""The dashboard as an ASGI application: ``python -m streamlit run dashboard/app.py``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import streamlit as st
from anyio import create_task_group, to_thread
from starlette.middleware import Middleware

from core import cohorts
from core.files import keep_private
from core.installation import Installation
from core.people import asking
from core.records import worklist_memory
from dashboard import messages, process, remembered
from dashboard.api import door as api
from dashboard.house import here
from dashboard.outages import say_it_failed
from dashboard.web import arriving, dicom_web
from dashboard.web.beginning import TellsWhyItCannotBegin
from dashboard.web.gate import Gate
from dashboard.web.proxies import BehindProxies, believe_only_the_named
from dashboard.web.routes import ROUTES
from dashboard.web.silence import end_silent_connections
from dashboard.web.uploads import UploadsToDisk, spool

# Before uvicorn, which imports this module, takes its first connection.
believe_only_the_named()
end_silent_connections()


def _migrate() -> None:
    """Bring the tables up to date with a command's patience: a worker that starts beside may be doing the same."""
    with asking.asked_by(asking.SYSTEM), closing(Installation.open()) as patient:
        patient.migrate()


def _read_ahead() -> None:
    """Read what the first pages ask for: of very many women it takes seconds."""
    with asking.asked_by(asking.SYSTEM):
        worklist_memory.read_ahead(here())
        cohorts.read_ahead(here())


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Make database and process ready before the first page is served, tidy up uploads, let go of all at the end."""
    keep_private()
    process.send_at_once()
    process.switch_often()
    process.read_options_without_waiting()
    remembered.look_up_one_by_one()
    messages.gather()
    await to_thread.run_sync(_migrate)
    await to_thread.run_sync(process.load_pages)
    async with create_task_group() as beside:
        beside.start_soon(spool().sweep_forever)
        beside.start_soon(arriving.sweep_forever)
        beside.start_soon(partial(to_thread.run_sync, _read_ahead, abandon_on_cancel=True))
        yield
        beside.cancel_scope.cancel()
    here().close()


app = st.App(
    Path(__file__).with_name("main.py"),
    routes=[*ROUTES, *dicom_web.ROUTES, *api.ROUTES],
    middleware=[
        Middleware(TellsWhyItCannotBegin),
        Middleware(BehindProxies, here=here),
        Middleware(Gate, here=here),
        Middleware(UploadsToDisk, spool=spool),
    ],
    lifespan=lifespan,
    on_script_error=say_it_failed,
)
