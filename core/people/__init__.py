"""Who may do what: roles, accounts, sign-ins, the demo accounts, and the audit trail of what was done.

Accounts and sign-ins change only through these functions, each with its audit entry in the same transaction.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
