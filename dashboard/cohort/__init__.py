"""The cohort page: its definition, and its parts, a module each, with ``show(selection)``.

Every figure goes through `dashboard.cohort.figure`, every number through `core.cohorts.disclosure`.
"""
