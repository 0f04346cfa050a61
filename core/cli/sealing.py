"""What verbs share that seal files or open sealed ones, and the verb ``decrypt``: keys come from a file or are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.terminal import log, wrong_use

if TYPE_CHECKING:
    from core.sealing import Key

Encrypt = Annotated[
    bool,
    typer.Option(
        "--encrypt",
        help="Seal it (age): with a passphrase that is asked for, or by one of the next two options.",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        help="File with a key of age, as age-keygen writes it; to seal, the public one (age1…) is enough."
    ),
]
PassphraseFile = Annotated[Path | None, typer.Option(help="File whose first line is the passphrase.")]


def key_to_seal_with(encrypt: bool, key_file: Path | None, passphrase_file: Path | None) -> Key | None:
    """Return what something is to be sealed with; None where it is not to be. A key alone says that it is."""
    from core.sealing import Key

    if not encrypt and key_file is None and passphrase_file is None:
        return None
    found = _given(key_file, passphrase_file)
    if found is not None:
        return found
    said = str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
    log.print("Without this passphrase nobody can open it, you neither: keep it.", highlight=False)
    return Key(passphrase=said)


def key_to_open(file: Path, key_file: Path | None, passphrase_file: Path | None) -> Key | None:
    """Return what opens a file, asking for it where nothing was given; None for one that is not sealed."""
    from core.sealing import Key, kind_of

    found, kind = _given(key_file, passphrase_file), kind_of(file)
    if kind is None or found is not None:
        return found
    if kind == "key":
        wrong_use(f"{file} is sealed to a key: give the file with its secret part by --key-file.")
    return Key(passphrase=str(typer.prompt("Passphrase", hide_input=True, err=True)))


def _given(key_file: Path | None, passphrase_file: Path | None) -> Key | None:
    from core.sealing import Key, SealError, key_of_file, passphrase_of_file

    if key_file is not None and passphrase_file is not None:
        wrong_use("Say --key-file or --passphrase-file, not both.")
    try:
        if key_file is not None:
            return key_of_file(key_file)
        if passphrase_file is not None:
            return Key(passphrase=passphrase_of_file(passphrase_file))
    except SealError as error:
        wrong_use(str(error))
    return None


def decrypt(
    file: Annotated[Path, typer.Argument(help="A file that backup or export sealed.")],
    out: Annotated[Path, typer.Argument(help="Where it is to lie in clear; must not be there yet.")],
    key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Open a sealed file; restore opens a sealed backup by itself.

    Exit code 0: done; 2: it is not sealed, the key does not open it, it is damaged, or the place is taken.
    """
    import shutil

    from core.files import whole_file
    from core.outages import outage
    from core.sealing import SealError, kind_of, unsealed

    if kind_of(file) is None:
        wrong_use(f"There is no sealed file {file}.")
    if out.is_symlink() or out.exists():
        wrong_use(f"{out} exists. Choose another name.")
    key = key_to_open(file, key_file, passphrase_file)
    assert key is not None
    try:
        with (
            file.open("rb") as sealed,
            whole_file(out) as clear,
            unsealed(sealed, str(file), key) as opened,
        ):
            shutil.copyfileobj(opened, clear, 1 << 20)
    except SealError as error:
        wrong_use(str(error))
    except OSError as error:
        if outage(error) is not None:
            raise
        wrong_use(f"{out} cannot be written: {error.strerror or error}.")
    log.print(f"{out} lies in clear now.", highlight=False, markup=False)
