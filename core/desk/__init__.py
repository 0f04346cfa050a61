"""Read an image: one picture, its boxes, and the process that holds the networks for it.

The web process talks to `Desk` only; networks live in the child.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
