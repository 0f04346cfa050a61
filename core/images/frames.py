"""Frames of an image that has several (MR, tomosynthesis, loops): each read from the stored file when it is looked at.

A picture that an earlier release stored does not tell that it is one of several: it is made anew when it is looked at.

What was read lies in the folder of copies beside the store, as tiles do, and goes with the oldest when there are many.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy import select

from core.images.drawing import facts_of, is_of_this_release
from core.images.reader import lend_reader
from core.images.renditions import READING, made_anew, one_at_a_time, rendition
from core.images.tiles import FOLDER, keep_copy
from core.logs import log_of
from core.outages import outage
from core.people.needing import needs
from core.people.roles import Permission
from core.refusals import Refusal
from core.rules.vocabulary import OTHER_KIND_WORDS, QualityFlag
from db.sessions import WITH_PUT_AWAY
from db.tables import Image

if TYPE_CHECKING:
    from pathlib import Path

    from core.installation import Installation

__all__ = ["frame_rendition", "view_rendition"]

log = log_of(__name__)

_counted: dict[str, int] = {}
"""Frames by the sha256 of an image's file, of which this process counted them: a file never changes."""


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
    stands_for_all = view_rendition(here, sop_uid)
    facts = facts_of(stands_for_all)
    if not 1 <= number <= facts.get("frames", 1):
        raise IndexError(number)
    if number == facts.get("frame", 1):
        return stands_for_all
    image = _image(here, sop_uid)
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


@needs(Permission.SEE_PATIENTS)
def view_rendition(here: Installation, sop_uid: str) -> bytes:
    """Return the viewer's pixels of one image, which tell how many frames it has; raises `KeyError` if there is none."""
    stored = rendition(here, sop_uid)
    if "frames" in facts_of(stored):
        return stored
    image = _image(here, sop_uid)
    if not _may_have_several(image) or _frames_of(here, image) == 1:
        return stored
    try:
        with one_at_a_time(sop_uid):
            return made_anew(here, sop_uid, "rendition_sha256")
    except Refusal as refusal:
        log.warning("a picture could not be made anew", image=image.id, why=refusal.reason)
        return stored


def _image(here: Installation, sop_uid: str) -> Image:
    with here.database.read() as session:
        return session.scalars(
            select(Image).where(Image.sop_uid == sop_uid), execution_options=WITH_PUT_AWAY
        ).one()


def _may_have_several(image: Image) -> bool:
    """Tell whether it is of a kind that may have several frames; one that is yet to be read anew will tell by itself."""
    several = image.view in OTHER_KIND_WORDS or QualityFlag.MULTI_FRAME in image.quality_flags
    return several and image.media_type == "application/dicom" and image.reading == READING


def _frames_of(here: Installation, image: Image) -> int:
    """Count the frames in the file of an image, once; where that fails today it is one, and is asked again."""
    if image.sha256 not in _counted:
        try:
            with lend_reader(here.settings) as reader:
                count = reader.count_frames(here.images.get_kept(image.sha256), image.source_name)
        except (OSError, Refusal) as error:
            log.warning("frames could not be counted", lacks=outage(error) or type(error).__name__)
            return 1
        _counted[image.sha256] = count
    return _counted[image.sha256]


def _copy(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
        os.utime(path)  # looked at last, taken away last
    except OSError:
        return None
    return data if is_of_this_release(data) else None
