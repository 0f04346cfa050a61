"""The dashboard as an ASGI application: ``python -m streamlit run dashboard/app.py``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import streamlit as st
from anyio import create_task_group, to_thread
from starlette.middleware import Middleware

from core.files import keep_private
from core.logs import log_of
from dashboard.house import here
from dashboard.web.gate import Gate
from dashboard.web.routes import ROUTES
from dashboard.web.uploads import UploadsToDisk, spool

log = log_of(__name__)


def say_it_failed(error: Exception) -> bool:
    """Tell the person in a sentence that a page failed; Streamlit has put the traceback into the log already."""
    at = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
    log.error("a page failed", at=at, kind=type(error).__name__)
    st.error(f"This page could not be shown. Reload it; if it fails again, tell your admin the time: {at}.")
    return True


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Bring the database up to date before the first page is served, tidy up uploads, let go of all at the end."""
    keep_private()
    await to_thread.run_sync(here().migrate)
    async with create_task_group() as beside:
        beside.start_soon(spool().sweep_forever)
        yield
        beside.cancel_scope.cancel()
    here().close()


app = st.App(
    Path(__file__).with_name("main.py"),
    routes=ROUTES,
    middleware=[Middleware(Gate, here=here), Middleware(UploadsToDisk, spool=spool)],
    lifespan=lifespan,
    on_script_error=say_it_failed,
)
