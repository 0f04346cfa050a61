"""Sets of images to learn from or to measure on: manifests, their women and cases, pixels cached, parts kept apart by woman.

Reads files and hands out arrays and labels; it writes only its caches.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
