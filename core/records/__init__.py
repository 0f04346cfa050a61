"""A woman over time and groups of women, as pages show and export them; and what readers write into a record.

What is read here changes nothing; assessments, events and findings are written with their audit entry.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
