"""Registrations made ready: once a study is scored, its views are registered with its prior's, while nothing waits.

So whoever looks at the two first does not wait for it (about half a second a view). What an installation had before this
release is caught up with in the same way, the newest studies first. What fails here fails nothing else: a registration
that is not there is made when it is asked for.
"""

from __future__ import annotations

from collections import deque
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.images import hanging, registration_of
from core.installation import Installation
from core.logs import log_of
from core.rules.vocabulary import FOUR_VIEWS, ViewName
from db.tables import Image, Study

__all__ = ["MOST_STUDIES", "Registering"]

log = log_of(__name__)

MOST_STUDIES = 32
"""Studies that are remembered: of a bulk, those that were scored last. The others are registered when they are looked at."""
MOST_WOMEN_BEFORE = 500
"""Women whose newest study is registered with its prior without being scored: those who were here last."""


class Registering:
    """Remembers the studies that were scored, and registers one pair of views at a time.

    >>> registering = Registering(here)
    >>> registering.remember(study_uid)
    >>> while registering.one_more():
    ...     pass
    """

    def __init__(self, here: Installation) -> None:
        self._here = here
        self._studies: deque[str] = deque(maxlen=MOST_STUDIES)
        self._before: deque[str] = deque()
        self._pairs: deque[tuple[str, str]] = deque()

    def remember(self, study_uid: str) -> None:
        """Note a study whose views are to be registered with its prior's."""
        if study_uid not in self._studies:
            self._studies.append(study_uid)

    def catch_up(self) -> None:
        """Take up the newest studies of before, for when nothing that was scored is left to do."""
        newest = select(func.max(Study.study_date)).where(Study.modality == "MG").group_by(Study.patient_id)
        last = newest.add_columns(Study.patient_id).subquery()
        query = (
            select(Study.uid)
            .join(last, Study.patient_id == last.c.patient_id)
            .where(Study.study_date == last.c[0], Study.modality == "MG")
            .order_by(Study.study_date.desc(), Study.id.desc())
            .limit(MOST_WOMEN_BEFORE)
        )
        with self._here.database.read() as session:
            self._before.extend(session.scalars(query))

    def one_more(self) -> bool:
        """Register the next pair of views; False if there is none. Nothing is raised: what fails is logged."""
        try:
            while not self._pairs and (self._studies or self._before):
                # The study that was scored last is the one that is looked at next.
                study_uid = self._studies.pop() if self._studies else self._before.popleft()
                self._pairs.extend(_pairs(self._here, study_uid))
            if not self._pairs:
                return False
            registration_of(self._here, *self._pairs.popleft())
        except Exception:  # whatever it is, scoring goes on
            log.exception("two views are not registered ahead")
        return True


def _pairs(here: Installation, study_uid: str) -> list[tuple[str, str]]:
    """Return (prior, current) SOP UIDs of each view that a woman's newest study and the one before it both have.

    None if the study is not her newest with pictures: between older ones nobody waits for it.
    """
    with here.database.read() as session:
        study = session.scalar(select(Study).where(Study.uid == study_uid))
        if study is None:
            return []
        days = session.scalars(
            select(Study.study_date)
            .where(Study.patient_id == study.patient_id, Study.modality == study.modality, Study.images.any())
            .distinct()
            .order_by(Study.study_date.desc())
            .limit(2)
        ).all()
        if len(days) < 2 or days[0] != study.study_date:
            return []
        now, then = (_hung(session, study, day) for day in days)
    return [(then[view], now[view]) for view in now if view in then]


def _hung(session: Session, study: Study, day: date) -> dict[ViewName, str]:
    """Return by view the SOP UID of the image that is hung of a day's studies of one woman and kind."""
    images = session.scalars(
        select(Image)
        .join(Study, Study.id == Image.study_id)
        .where(
            Study.patient_id == study.patient_id,
            Study.modality == study.modality,
            Study.study_date == day,
        )
        .order_by(Image.id)
    ).all()
    hung = {}
    for view in FOUR_VIEWS:
        of_it = [one for one in images if ViewName(one.laterality.value, one.view) == view]
        if (image := hanging.to_hang(of_it)) is not None:
            hung[view] = image.sop_uid
    return hung
