"""Names of what pages remember, in one place. Those of the worklist also stand in its address."""

SEARCH = "q"
GROUP = "show"
AGE = "age"
DENSITY = "density"
BAND = "risk"
ORDER = "order"
ROWS_SHOWN = "rows_shown"
CHANGED_SHOWN = "changed_shown"
LAST_PATIENT = "last_patient"

MRN = "mrn"
VISIT = "visit"
PRIOR = "prior"
"""Address of the patient page: whose record, which visit, and which one it is compared with."""

IMAGE = "image"
"""Address of the page "Read an image": the SOP UID of a stored image."""
