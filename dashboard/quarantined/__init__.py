"""The parts of the page of files that were not taken in: the list, a look into one, and what can be done about it.

Each is drawn by `screens/quarantine.py`.
"""
