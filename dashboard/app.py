"""The dashboard as an ASGI application: ``python -m streamlit run dashboard/app.py``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from anyio import to_thread
from starlette.middleware import Middleware

from dashboard.gate import Gate
from dashboard.house import here
from dashboard.routes import ROUTES


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Bring the database up to date before the first page is served, and let go of it at the end."""
    await to_thread.run_sync(here().migrate)
    yield
    here().close()


app = st.App(
    Path(__file__).with_name("main.py"),
    routes=ROUTES,
    middleware=[Middleware(Gate, here=here)],
    lifespan=lifespan,
)
