"""Help: the handbook, a chapter at a time."""

import streamlit as st

from dashboard import look
from dashboard.handbook import CHAPTERS, chapter

look.title("Help")
with st.container(key="handbook", width=860):
    chosen = st.segmented_control(
        "Chapter",
        list(CHAPTERS),
        default=next(iter(CHAPTERS)),
        key="chapter",
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    st.markdown(chapter(chosen or next(iter(CHAPTERS))))
