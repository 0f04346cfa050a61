"""The models that are shipped or trained: folders, cards, weights, and the library that runs them.

A model is used only if its files are the ones its card vouches for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
