"""What leaves the cohort page as files: tables, figures that stand alone, a report made again by a command, rows a woman.

A table or a figure holds what the page tells and no more; what tells of single women needs a permission, and is recorded.
"""
