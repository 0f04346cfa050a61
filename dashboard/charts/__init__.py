"""Figures as plain dictionaries in one template: a woman’s course, a cohort’s pictures.

Functions from values to figures: no query, no Streamlit.
"""
