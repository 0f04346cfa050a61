"""A folder that is watched: files that appear in it are taken in once they are whole, each once, over restarts too.

`Watch` says what is new and takes it in; nothing is moved or changed in the folder unless that is asked.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
