"""What programs of others ask for and are told: pages of rows, scores with their trust, FHIR resources, DICOMweb, jobs.

In the shapes of the command line's JSON. Who asks is a person, through a token of hers: what is covered or withheld on pages is so here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
