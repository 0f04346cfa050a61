"""The sequence of studies: how views make a study, studies a history, and what is learned from it.

Causal throughout: a visit never sees a later one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
