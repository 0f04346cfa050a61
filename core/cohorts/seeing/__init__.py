"""What is seen of a cohort without judging anybody: risk, its course, slopes, density, attendance, flow, agreement, alerts.

Functions from a `Selection` to tables as they may be told (`core.cohorts.disclosure`).
"""
