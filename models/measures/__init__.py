"""How good scores are, and of what a model may speak: discrimination, calibration, censoring, domains, with their papers.

Pure functions of arrays.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
