"""Files that were not taken in: what waits and why, a look into one, sending it in again, setting it aside.

Nothing in quarantine ends by itself; what is sent in again goes through `core.incoming.take_in` like any other file.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
