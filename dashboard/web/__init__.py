"""What stands before the pages: the gate that every request passes, routes beside them, uploads to disk.

No page imports these; `dashboard/app.py` puts them together.
"""
