"""Looking after an installation: launching it, looking it over, verifying, backing up, restoring, measuring.

Commands call these; nothing in a page does.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
