"""What the field agrees on, as data and plain functions: thresholds, alert rules, hanging, trends, words.

Values in, values out: nothing here opens a file of a patient or a database. `rescoring` writes, in its callers' session.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
