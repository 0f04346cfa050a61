"""Reading the audit trail: who did what about whom, in words, page by page; handing it out; holding it to a head kept elsewhere.

It is written by `core.people.audit` alone. Whatever reads it here writes down that it was read.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
