"""Groups of women for an analyst: what is stored of all of them as two tables in memory, and what is asked of these.

No name, MRN or day of birth leaves it, and of few women nothing does.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
