"""From and to other machines of the hospital: studies received over DICOM and DICOMweb, priors fetched from the PACS.

Whatever arrives goes through `core.incoming.take_in`, one object at a time, and is answered when it is durable.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
