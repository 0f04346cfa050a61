"""The installation's key to its pseudonyms: made once, kept in its database, in no export and no log."""

from __future__ import annotations

import secrets

from sqlalchemy.exc import IntegrityError

from core.installation import Installation
from core.people.needing import SYSTEM_ONLY, needs
from db.tables import DeidentificationKey

__all__ = ["key_of"]

_ONLY = 1


@needs(SYSTEM_ONLY)
def key_of(here: Installation) -> bytes:
    """Return the key, made at random when it is first asked for; every process of the installation gets the same."""
    with here.database.read() as session:
        row = session.get(DeidentificationKey, _ONLY)
        if row is not None:
            return bytes.fromhex(row.key)
    try:
        with here.database.write() as session:
            row = session.get(DeidentificationKey, _ONLY)
            if row is None:
                row = DeidentificationKey(id=_ONLY, key=secrets.token_hex(32))
                session.add(row)
                session.flush()
            return bytes.fromhex(row.key)
    except IntegrityError:  # another process was first
        return key_of(here)
