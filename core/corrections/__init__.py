"""Putting right what went in wrong: what is asked, what follows of it, doing it, and undoing it exactly.

`preview`, `correct` and `undo` are the only ways; each runs in one transaction with its scores, alerts and audit entry.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
