"""Classifiers of single images: prepared picture, a class for each head, lesion map, training and tuning.

A folder of `models/weights` with an `image.json` is one of these.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
