"""Addresses that lead to a woman. They name her by her key, never by MRN or name: histories, logs and proxies keep them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import streamlit as st

from core.records import key_of, mrn_of
from dashboard import keys
from dashboard.house import here

OLD = "mrn"
"""What named her in the addresses of earlier releases."""


def query_of(mrn: str, **more: str) -> Mapping[str, str]:
    """Return what in an address names a woman, and beside her what else is given (`keys.VISIT`, …)."""
    return {keys.PATIENT: key_of(here(), mrn), **more}


def link_to(mrn: str, **more: str) -> str:
    """Return the address of a woman's page."""
    return f"/patient?{urlencode(query_of(mrn, **more), quote_via=quote)}"


def whose() -> str:
    """Return the MRN of whom the address names, or of who was open last where it names nobody; empty where it leads to no one.

    An MRN in an address is not followed: where an old link still holds one, it is to be looked up anew.
    """
    key = str(st.query_params.get(keys.PATIENT, ""))
    if key:
        return mrn_of(here(), key) or ""
    return "" if is_old() else str(st.session_state.get(keys.LAST_PATIENT, ""))


def is_old() -> bool:
    """Say whether this address is an earlier release's, with an MRN in it."""
    return OLD in st.query_params


def say_who(mrn: str) -> None:
    """Let the address name a woman, and leave the rest of it as it is."""
    st.query_params[keys.PATIENT] = key_of(here(), mrn)
