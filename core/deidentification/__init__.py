"""De-identification by the Basic Profile of PS3.15 with its options: files, rows and days without the woman they are of.

`Deidentifier` opens files in a child process; `Identity` says who stands in a woman's place, the same in every run.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
