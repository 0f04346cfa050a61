"""Runs that make models from sets: longitudinal, classifiers, calibration anew, on anyone’s embeddings.

A run keeps its state in its own folder and goes on where it was cut off.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
