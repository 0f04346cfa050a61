"""De-identification on the way in, where the installation is set to it: nothing of a file is stored before.

A person may state the number that she knows or the pseudonym that the installation gave; days are the true ones. The
installation has to be set so from its first study: women who were taken in by name get a second record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from core.deidentification import Identity
from core.incoming.claims import said_view
from core.incoming.files import named_view
from core.incoming.items import IncomingFile, Statement
from core.installation import Installation
from core.logs import log_of
from core.refusals import Refusal

if TYPE_CHECKING:
    from core.deidentification import Deidentifier

__all__ = ["without_her"]

log = log_of(__name__)
_NOT_KEPT = "Nothing of it is kept: files are de-identified here on the way in."


@contextmanager
def without_her(
    here: Installation, files: Iterable[IncomingFile], statement: Statement | None
) -> Iterator[tuple[Iterable[IncomingFile], Statement | None]]:
    """Yield the files and what is said of them as they may be stored: as they come, or de-identified if so configured.

    A file that cannot be de-identified comes as a refusal without its bytes. Each is called by its side and view, or a
    hash; `IncomingFile.called` is its old name, for the answer and for nothing that is stored.
    """
    if not here.settings.deidentify_incoming:
        yield files, statement
        return
    # It loads pydicom, which the process that takes files in does without otherwise.
    from core.deidentification import Deidentifier

    with Deidentifier(here) as deidentifier:
        told = _of_pseudonym(deidentifier.key, statement) if statement else None
        yield (_cleaned(deidentifier, file, file.said or statement) for file in files), told


def _of_pseudonym(key: bytes, statement: Statement) -> Statement:
    if not statement.mrn.strip():
        return statement  # refused as what it is
    hers = Identity.of(key, statement.mrn)
    born = statement.birth_date
    return replace(
        statement,
        mrn=hers.pseudonym,
        study_date=hers.day(statement.study_date),
        name=None,
        birth_date=hers.day(born) if born else None,
        views={},
    )


def _cleaned(deidentifier: Deidentifier, file: IncomingFile, said: Statement | None) -> IncomingFile:
    view = named_view(PurePosixPath(file.name).name)
    try:
        if file.refusal is not None:
            raise file.refusal
        clean = deidentifier.clean(file.data, said.mrn if said else None, insist=False)
    except Refusal as refusal:
        log.info("not de-identified", reason=refusal.reason)
        why = Refusal(refusal.reason, f"{refusal.detail} {_NOT_KEPT}".strip())
        name = hashlib.sha256(file.data).hexdigest()[:16] if file.data else "a file"
        return IncomingFile(name, b"", why, called=file.name)
    mark = hashlib.sha256(clean.data).hexdigest()[:16]
    name = f"{mark}/{'-'.join(view)}{clean.suffix}" if view else f"{mark}{clean.suffix}"
    log.info("de-identified", attributes=len(clean.removed))
    told = None
    if said is not None:
        views = said_view(said, file.name)
        told = replace(_of_pseudonym(deidentifier.key, said), views={name: views} if views else {})
    return IncomingFile(name, clean.data, said=told, called=file.name)
