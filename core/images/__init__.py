"""From bytes to pixels: the guarded reader, decoding, what kind of picture it is, renditions, how a view is hung and where the prior shows the same.

Decoders run in a child process only; everybody else asks `GuardedReader`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
