"""One view: standardised, encoded, and the encoder trained.

The encoder’s input and output are the contract that stored embeddings rest on: another one needs another name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
