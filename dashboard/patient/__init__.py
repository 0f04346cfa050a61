"""Parts of the page Patient, by what stands on it: header, ribbon, pictures, score, assessment, events.

Each function lays out what `core` gives it; `dashboard/screens/patient.py` tells them in order.
"""
