"""The longitudinal model whole: encoder and sequence together, calibrated, explained, compared with its controls.

`LongitudinalModel` is what the worker holds.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
