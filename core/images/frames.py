"""Frames of an image that has several (MR, tomosynthesis, loops): each read from the stored file when it is looked at.

What was read lies in the folder of copies beside the store, as tiles do, and goes with the oldest when there are many.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy import select

from core.images.reader import lend_reader
from core.images.renditions import READING, facts_of, is_of_this_release, one_at_a_time, rendition
from core.images.tiles import FOLDER, keep_copy
from core.logs import log_of
from core.outages import outage
from core.people.needing import needs
from core.people.roles import Permission
from db.sessions import WITH_PUT_AWAY
from db.tables import Image

if TYPE_CHECKING:
    from pathlib import Path

    from core.installation import Installation

__all__ = ["frame_rendition"]

log = log_of(__name__)


@needs(Permission.SEE_PATIENTS)
def frame_rendition(here: Installation, sop_uid: str, number: int) -> bytes:
    """Return the viewer's pixels of one frame of an image, from 1.

    Raises
    ------
    KeyError
        If there is no such image.
    IndexError
        If it has no such frame.
    """
    stands_for_all = rendition(here, sop_uid)
    facts = facts_of(stands_for_all)
    if not 1 <= number <= facts.get("frames", 1):
        raise IndexError(number)
    if number == facts.get("frame", 1):
        return stands_for_all
    with here.database.read() as session:
        image = session.scalars(
            select(Image).where(Image.sop_uid == sop_uid), execution_options=WITH_PUT_AWAY
        ).one()
    path = here.home / FOLDER / f"{image.sha256}-{READING}-{number}.lvr"
    # One at a time of a file: whoever moves through a stack asks for many, and each reads the whole file.
    with one_at_a_time(f"frames of {sop_uid}"):
        kept = _copy(path)
        if kept is not None:
            return kept
        with lend_reader(here.settings) as reader:
            made = reader.frame(here.images.get_kept(image.sha256), image.source_name, number)
        try:
            keep_copy(path, lambda file: file.write(made))
        except OSError as error:
            log.warning("a frame could not be kept", lacks=outage(error) or str(error))
        return made


def _copy(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
        os.utime(path)  # looked at last, taken away last
    except OSError:
        return None
    return data if is_of_this_release(data) else None
