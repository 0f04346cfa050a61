"""Whole films: maps of frozen networks, heads on lesions that learn from boxes and from lesions put in, peaks, pairs of breasts.

It sees standard films and boxes and gives maps, scores and boxes; what a classifier makes of them is `models.classifier`'s.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
