"""Images that an earlier release read otherwise are read anew while nothing waits, and scored anew where that shows.

What the files say has not changed, only how well it is understood: a palette, padding, a curve (`core.images.READING`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.images import READING, Prepared, Turn, lend_reader, open_rendition, turn_between
from core.incoming import rescoring
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people import audit
from core.refusals import Refusal
from core.rules.vocabulary import OTHER_THAN_STANDARD, QualityFlag
from db.sessions import WITH_PUT_AWAY
from db.tables import Embedding, Image, Measurement

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
        old, new = self._pixels_before(stale), open_rendition(made.rendition)[1]
        other_kind = OTHER_THAN_STANDARD & (set(facts["quality_flags"]) ^ set(stale.flags))
        anew = bool(other_kind) or old is None or not np.array_equal(old, new)
        turn = turn_between(old, new) if anew and old is not None else None
        self._settle(stale.id, {**keys, **facts}, anew=anew, turn=turn)

    def _pixels_before(self, stale: _Stale) -> NDArray[np.uint16] | None:
        """Return what the viewer showed until now; None if that is lost."""
        try:
            return open_rendition(self._here.images.get(stale.rendition_sha256))[1]
        except (FileNotFoundError, ValueError):
            return None

    def _settle(
        self, image_id: int, values: dict[str, Any], *, anew: bool = False, turn: Turn | None = None
    ) -> None:
        """Write what was read, turn with it what was measured on it and, with `anew`, ask for the scores that read it.

        All in one transaction.
        """
        with self._here.database.write() as session:
            if turn is not None:
                _turn_measurements(session, image_id, turn)
            session.execute(update(Image).where(Image.id == image_id).values(reading=READING, **values))
            if not anew:
                return
            session.execute(delete(Embedding).where(Embedding.image_id == image_id))
            session.expire_all()
            image = session.get_one(Image, image_id)
            queued = rescoring.image_added(session, image.study)
        log.info("an image was read anew and shows other than before", image=image_id, studies_queued=queued)


def _turn_measurements(session: Session, image_id: int, turn: Turn) -> None:
    """Move the boxes and axes that were drawn on a picture to where what they mark lies now."""
    image = session.get_one(Image, image_id, execution_options=WITH_PUT_AWAY)
    size = image.rows, image.columns
    drawn = session.scalars(select(Measurement).where(Measurement.image_id == image_id)).all()
    for one in drawn:
        corners = [turn.of_point(*corner, *size) for corner in ((one.x0, one.y0), (one.x1, one.y1))]
        (one.x0, one.x1), (one.y0, one.y1) = (sorted(ends) for ends in zip(*corners, strict=True))
        if one.axes:
            one.axes = {
                name: [*turn.of_point(x0, y0, *size), *turn.of_point(x1, y1, *size)]
                for name, (x0, y0, x1, y1) in one.axes.items()
            }
    if drawn:
        detail = {"turn": turn.value, "measurements": len(drawn)}
        audit.record(session, None, "measurements_turned", f"image:{image.sop_uid}", detail)


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
