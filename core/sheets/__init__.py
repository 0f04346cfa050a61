"""Records from a table: patients, risk factors, events and readings from a CSV file, its columns matched to fields.

A sheet is read in one pass to be checked, and in another to be kept, in one transaction: all of it, or its good rows.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
