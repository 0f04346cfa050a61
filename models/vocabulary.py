"""The words of the arrays: in which order sides, views, findings and densities stand, and how long a year is.

The networks see arrays only; `core` hands them words in this order (a test holds both against each other).
"""

from typing import Literal

Laterality = Literal["L", "R"]

SIDES: tuple[Laterality, Laterality] = ("L", "R")
SLOTS = ("CC", "MLO", "other")
"""Views have a place each; what is neither CC nor MLO (ML, LM, XCCL, spot, …) shares the third."""
FINDINGS = ("normal", "benign", "malignant")
DENSITIES = ("A", "B", "C", "D")
DAYS_PER_YEAR = 365.25
