"""The cohort: which women, who they are, how risk runs, how well it is told."""

from dashboard.cohort.page import show_page

show_page()
