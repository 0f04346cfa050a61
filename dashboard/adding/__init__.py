"""The parts of the page "Add study": one study in steps, many at once, and records from a table.

The page itself stands in `dashboard/screens/add_study.py`; each part here draws itself and remembers its own.
"""
