"""How secrets are kept: those that are shown again and again by their sha256, those that are needed in clear sealed.

What is sealed is an age file to the key of this installation, which lies in a file of its own (`Settings.second_factor_key_file`)
and in no backup: a copy of the database alone holds nothing that opens anything.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from pathlib import Path

from core.files import PARTIAL, private_folder, sync_folder, write_whole
from core.installation import Installation

__all__ = ["KEY_FILE", "KeyUnreadable", "key_path", "seal", "sha256_of", "unseal"]

KEY_FILE = "second-factor.key"


class KeyUnreadable(ValueError):
    """The key of this installation is no key, or cannot be read; the message names the file."""


def sha256_of(token: str) -> str:
    """Return what is stored of a token that nobody can guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def key_path(here: Installation) -> Path:
    """Return where the key lies."""
    return here.settings.second_factor_key_file or here.home / KEY_FILE


def seal(here: Installation, text: str) -> str:
    """Return a text as only this installation can read it; its key is made where there is none yet."""
    import pyrage

    path = key_path(here)
    if not path.exists():
        _make(path)
    sealed: bytes = pyrage.encrypt(text.encode(), [_key(path).to_public()])
    return base64.b64encode(sealed).decode()


def unseal(here: Installation, sealed: str) -> str | None:
    """Return the text again; None where it was sealed under another key, as after a restore elsewhere."""
    import pyrage

    path = key_path(here)
    if not path.exists():
        return None
    try:
        return bytes(pyrage.decrypt(base64.b64decode(sealed), [_key(path)])).decode()
    except (pyrage.DecryptError, ValueError) as error:
        if isinstance(error, KeyUnreadable):
            raise
        return None


def _key(path: Path):  # type: ignore[no-untyped-def]
    import pyrage

    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return pyrage.x25519.Identity.from_str(next(one for one in lines if one and not one.startswith("#")))
    except (StopIteration, UnicodeDecodeError, pyrage.IdentityError) as error:
        raise KeyUnreadable(
            f"{path} holds no key for second factors. Bring the file back from where it is kept, or remove it: everybody "
            "then signs in with a recovery code, or has an admin reset the second factor."
        ) from error


def _make(path: Path) -> None:
    """Make the key; of several processes that want it at once one wins, and all go on with its key."""
    import pyrage

    private_folder(path.parent)
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    write_whole(
        made, f"# Longview, second factors. In no backup: keep a copy.\n{pyrage.x25519.Identity.generate()}\n"
    )
    try:
        path.hardlink_to(made)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    sync_folder(path.parent)
