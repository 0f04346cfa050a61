"""The dashboard as an ASGI application: ``python -m streamlit run dashboard/app.py``."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard.gate import Gate
from dashboard.house import here
from dashboard.routes import ROUTES

app = st.App(
    Path(__file__).with_name("main.py"),
    routes=ROUTES,
    middleware=[Middleware(Gate, here=here)],
)
