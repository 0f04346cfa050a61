"""Scoring: the queue, reading ahead, the model over a history, score rows, alerts, and the process that does it.

Scores and alerts are written here only; pages look at `progress`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
