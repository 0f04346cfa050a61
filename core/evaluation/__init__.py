"""How good models are: longitudinal ones against the truth, classifiers, encoders, a file of scores.

Reads models and sets, writes reports; it never changes what it measures.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
