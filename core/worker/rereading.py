"""Images that an earlier release read otherwise are read anew while nothing waits, and scored anew where that shows.

What the files say has not changed, only how well it is understood: a palette, padding, a curve (`core.images.READING`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import delete, select, update

from core.images import READING, Prepared, lend_reader, open_rendition
from core.incoming import rescoring
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.refusals import Refusal
from core.rules.vocabulary import OTHER_THAN_STANDARD, QualityFlag
from db.tables import Embedding, Image

__all__ = ["Rereading"]

log = log_of(__name__)

_OF_THE_PIXELS = frozenset(
    {
        QualityFlag.WINDOW_APPROXIMATED,
        QualityFlag.WINDOW_UNUSABLE,
        QualityFlag.OVEREXPOSED,
        QualityFlag.LOW_CONTRAST,
        QualityFlag.CUT_OFF,
    }
)
"""Flags that go where the new reading does not give them; all others stay, for a person may have acted on them."""


@dataclass(frozen=True)
class _Stale:
    """What is stored of an image that was read by an earlier reading."""

    id: int
    sha256: str
    name: str
    rendition_sha256: str
    flags: list[str]


class Rereading:
    """Reads one image of an earlier reading at a time; after the last it looks no more.

    >>> rereading = Rereading(here)
    >>> while rereading.one_more():
    ...     pass
    """

    def __init__(self, here: Installation) -> None:
        self._here = here
        self._last = 0
        self._done = False

    def one_more(self) -> bool:
        """Read the next image; False if there is none. Nothing is raised: what fails is logged, and left as it is."""
        if self._done:
            return False
        try:
            stale = self._next()
            if stale is None:
                self._done = True
                return False
            self._last = stale.id
            self._read(stale)
        except Exception as error:  # whatever it is, scoring goes on
            if outage(error) is not None:
                log.warning("an image is not read anew", lacks=outage(error))
                return False
            log.exception("an image is not read anew")
        return True

    def _next(self) -> _Stale | None:
        with self._here.database.read() as session:
            image = session.scalars(
                select(Image)
                .where(Image.reading < READING, Image.id > self._last)
                .order_by(Image.id)
                .limit(1)
            ).first()
            if image is None:
                return None
            flags = [str(flag) for flag in image.quality_flags]
            return _Stale(image.id, image.sha256, image.source_name, image.rendition_sha256, flags)

    def _read(self, stale: _Stale) -> None:
        try:
            with lend_reader(self._here.settings) as reader:
                made = reader.prepare(self._here.images.get_kept(stale.sha256), stale.name)
        except (FileNotFoundError, Refusal) as error:
            # Its pictures stand as they are; what becomes of its study is said when that is scored again.
            log.warning("an image can no longer be read", image=stale.id, why=type(error).__name__)
            self._settle(stale.id, {})
            return
        keys = {
            "rendition_sha256": self._here.images.put(made.rendition),
            "thumbnail_sha256": self._here.images.put(made.thumbnail_png),
        }
        facts = _facts(stale, made)
        self._settle(stale.id, {**keys, **facts}, anew=self._reads_other(stale, made, facts["quality_flags"]))

    def _reads_other(self, stale: _Stale, made: Prepared, flags: list[str]) -> bool:
        """Tell whether the model is shown other pixels than before, or another kind of picture."""
        if OTHER_THAN_STANDARD & (set(flags) ^ set(stale.flags)):
            return True
        try:
            _, old = open_rendition(self._here.images.get(stale.rendition_sha256))
        except (FileNotFoundError, ValueError):
            return True
        return not np.array_equal(old, open_rendition(made.rendition)[1])

    def _settle(self, image_id: int, values: dict[str, Any], *, anew: bool = False) -> None:
        """Write what was read and, with `anew`, ask for the scores that read it; all in one transaction."""
        with self._here.database.write() as session:
            session.execute(update(Image).where(Image.id == image_id).values(reading=READING, **values))
            if not anew:
                return
            session.execute(delete(Embedding).where(Embedding.image_id == image_id))
            session.expire_all()
            image = session.get_one(Image, image_id)
            queued = rescoring.image_added(session, image.study)
        log.info("an image was read anew and shows other than before", image=image_id, studies_queued=queued)


def _facts(stale: _Stale, made: Prepared) -> dict[str, Any]:
    """Return the columns of an image as the new reading has them."""
    image = made.image
    kept = [flag for flag in stale.flags if flag not in _OF_THE_PIXELS or flag in image.quality_flags]
    return {
        "rows": image.rows,
        "columns": image.columns,
        "bits_stored": image.bits_stored,
        "pixel_spacing_mm": image.pixel_spacing_mm,
        "window_center": image.window_center,
        "window_width": image.window_width,
        "quality_flags": [*kept, *(str(flag) for flag in image.quality_flags if flag not in kept)],
    }
