"""Reports of a woman's study, taken out of the house: one content, rendered as PDF, HTML, FHIR R4 and DICOM SR.

What is withheld or covered is a number in none of them: all is read through `core.records`. Every report is audited.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
