"""The films of one study, read each beside the same view of the other breast: those that are kept, and those that were sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from core.desk.answers import Classified
from core.desk.desk import Desk, OpenedImage
from core.desk.other_breast import OPPOSITE, ViewNotSaid
from core.incoming import named_view
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from core.refusals import Refusal
from core.rules.vocabulary import OTHER_THAN_STANDARD
from db.tables import Image, Study

__all__ = ["FilmOfStudy", "films_kept", "read_together"]


@dataclass(frozen=True)
class FilmOfStudy:
    """A film by its name, how its bytes are had, and which side and view it is; None: its file says that, or else its name.

    `is_standard` says whether it may stand beside the other breast's; None: that follows from its file.
    """

    name: str
    read: Callable[[], bytes] = field(repr=False)
    view: tuple[str, str] | None = None
    is_standard: bool | None = None


@needs(Permission.SEE_PATIENTS)
def films_kept(here: Installation, person: Person, study_uid: str) -> list[FilmOfStudy]:
    """Return the films of a study that is kept, by their UIDs, in the order in which they came; side and view are the record's."""
    with here.database.read() as session:
        images = session.scalars(
            select(Image)
            .join(Study, Study.id == Image.study_id)
            .where(Study.uid == study_uid)
            .order_by(Image.id)
        ).all()
    return [
        FilmOfStudy(
            one.sop_uid,
            _bytes_of(here, one.sha256),
            (one.laterality.value, one.view),
            OTHER_THAN_STANDARD.isdisjoint(one.quality_flags),
        )
        for one in images
    ]


def _bytes_of(here: Installation, sha256: str) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return bytes(here.images.get_kept(sha256))
        except FileNotFoundError:
            raise Refusal("image_unreadable") from None

    return read


def read_together(
    desk: Desk, person: Person, films: Sequence[FilmOfStudy], model: str | None = None
) -> list[dict[str, Any]]:
    """Return what is said of each film (`core.desk.classify.Classified.to_json`), beside the other breast where that is there.

    Of several films of one view the last stands for it. A film that cannot be read is answered with its reason.

    Raises
    ------
    AccessDenied
        If the person may not see patients' images.
    ViewNotSaid
        Of a mammogram whose view is neither said nor in the file, before anything is answered.
    DeskClosed
        If the process does not answer.
    """
    opened: dict[int, OpenedImage] = {}
    said: dict[int, dict[str, Any]] = {}
    try:
        for place, film in enumerate(films):
            try:
                opened[place] = desk.show(person, film.read(), film.name)
            except Refusal as refusal:
                said[place] = _refused(film, refusal)
        views = {
            place: _view(films[place], one) for place, one in opened.items() if _pairs(films[place], one)
        }
        for place, one in opened.items():
            try:
                said[place] = dict(desk.together(one, _other(place, views, opened), model).answer)
            except Refusal as refusal:
                said[place] = _refused(films[place], refusal)
    finally:
        for one in opened.values():
            one.close()
    return [said[place] for place in range(len(films))]


def _refused(film: FilmOfStudy, refusal: Refusal) -> dict[str, Any]:
    return Classified(film.name, refusal.reason, refusal.text).to_json()


def _pairs(film: FilmOfStudy, opened: OpenedImage) -> bool:
    standard = film.is_standard
    if standard is None:
        standard = OTHER_THAN_STANDARD.isdisjoint(opened.image.quality_flags)
    return opened.modality == "MG" and standard


def _view(film: FilmOfStudy, opened: OpenedImage) -> tuple[str, str]:
    side, view = film.view or (opened.image.header.laterality, opened.image.header.view)
    if side is not None and view is not None:
        return side, view
    named = named_view(film.name)
    if named is None:
        raise ViewNotSaid(
            f"{film.name} does not say which view of which breast it is. Say it, for example {film.name}=L-MLO."
        )
    return named


def _other(
    place: int, views: dict[int, tuple[str, str]], opened: dict[int, OpenedImage]
) -> OpenedImage | None:
    """Return the last film of the same view of the other breast."""
    if place not in views:
        return None
    side, view = views[place]
    others = [other for other, said in views.items() if said == (OPPOSITE.get(side), view)]
    return opened[others[-1]] if others else None
