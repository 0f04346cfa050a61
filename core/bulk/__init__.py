"""Many files of many women at once: kept as they arrive, looked at, grouped by woman and day, then taken in by groups.

`Arrivals` keeps uploads over breaks and restarts; a person's `Batch` looks at them and takes in what she chose.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
