"""The parts of the worklist: its groups, what it is narrowed by, and what each row says.

Each is drawn by `screens/worklist.py`.
"""
