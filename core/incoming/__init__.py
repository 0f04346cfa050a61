"""Taking files in: what a person states, what the file says, the claim that comes of both, and keeping it.

Everything goes through `take_in`; the rows and objects of a study are written nowhere else.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
