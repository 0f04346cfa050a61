"""The same view of the other breast: in a study that is kept here, and among files that a person says are one study."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.desk.answers import Classified
from core.desk.classify import Classifier
from core.desk.open_image import OpenImage
from core.images import lend_reader
from core.installation import Installation
from core.logs import log_of
from core.refusals import Refusal
from core.rules.vocabulary import OTHER_THAN_STANDARD, ViewName
from db.tables import Image
from db.tables.kinds import ImageSide

if TYPE_CHECKING:
    from core.images import ReadImage

__all__ = [
    "OPPOSITE",
    "OtherBreast",
    "ViewNotSaid",
    "classify_study",
    "kept_other_breast",
    "other_breast_of",
]

log = log_of(__name__)

OPPOSITE = {"L": "R", "R": "L"}


class ViewNotSaid(ValueError):
    """Of a file it is not known which view of which breast it is; the message says how to say it."""


@dataclass(frozen=True)
class OtherBreast:
    """The same view of the other breast in a study that is kept: its place on the desk, what it shows, its file's bytes."""

    token: str
    shows: str
    data: bytes = field(repr=False, compare=False)


def other_breast_of(here: Installation, image: Image) -> OtherBreast | None:
    """Return the image of the other breast, ready to be put on the desk; None where its bytes cannot be had."""
    try:
        data = here.images.get_kept(image.sha256)
    except OSError as error:
        log.warning("the view of the other breast cannot be read", kind=type(error).__name__)
        return None
    shows = ViewName(image.laterality.value, image.view).words
    return OtherBreast(secrets.token_urlsafe(18), shows, bytes(data))


def kept_other_breast(session: Session, image: Image) -> Image | None:
    """Return the image of the same view of the other breast in the same study, the last that came; None without one.

    Both are the standard view: one that shows a part, or was magnified, is no mirror of a whole breast.
    """
    other = OPPOSITE.get(image.laterality.value)
    if other is None or not OTHER_THAN_STANDARD.isdisjoint(image.quality_flags):
        return None
    found = session.scalars(
        select(Image)
        .where(
            Image.study_id == image.study_id,
            Image.view == image.view,
            Image.laterality == ImageSide(other),
        )
        .order_by(Image.id.desc())
    )
    return next((one for one in found if OTHER_THAN_STANDARD.isdisjoint(one.quality_flags)), None)


def classify_study(
    classifier: Classifier, paths: Sequence[Path], views: Mapping[str, tuple[str, str]]
) -> Iterator[Classified]:
    """Read files that are one study, each film beside the same view of the other breast where that is among them.

    Parameters
    ----------
    classifier
        Reads them.
    paths
        The files.
    views
        Side and view by a file's name, where a person says them; else they come from the file.

    Raises
    ------
    ViewNotSaid
        Of a mammogram whose view is neither said nor in the file, before anything is answered.
    LookupError, ValueError
        As `Classifier` does.
    """
    refused: dict[Path, Classified] = {}
    opened: dict[Path, OpenImage] = {}
    view_of: dict[Path, tuple[str, str]] = {}
    with lend_reader(classifier.settings) as reader:
        for path in paths:
            try:
                image = reader.read(path.read_bytes(), path.name)
                modality = classifier.admit(image)
            except Refusal as refusal:
                refused[path] = Classified(str(path), refusal.reason, refusal.text)
                continue
            except OSError as error:
                unopened = Refusal("unreadable_path", f"{error.strerror or error}.")
                refused[path] = Classified(str(path), unopened.reason, unopened.text)
                continue
            if modality == "MG" and OTHER_THAN_STANDARD.isdisjoint(image.quality_flags):
                view_of[path] = _view(path, image, views)
            opened[path] = OpenImage(classifier, image.pixels, str(path), modality)
    for path, (side, view) in view_of.items():
        others = [one for one, said in view_of.items() if said == (OPPOSITE.get(side), view)]
        if others:
            opened[path].other = opened[others[-1]]
    for path in paths:
        yield refused[path] if path in refused else opened[path].classified()


def _view(path: Path, image: ReadImage, views: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    said = views.get(str(path)) or views.get(path.name)
    side, view = said or (image.header.laterality, image.header.view)
    if side is None or view is None:
        raise ViewNotSaid(
            f"{path} does not say which view of which breast it is. Say it: --views {path.name}=L-MLO."
        )
    return side, view
