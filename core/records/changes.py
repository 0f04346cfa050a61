"""Where a breast has grown more, or less, suspicious to the model since the prior: two crops to set beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sqlalchemy import select

from core.images import NotAligned, aligned, hanging
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.rules import ViewName
from core.rules.vocabulary import FOUR_VIEWS
from db.tables import Embedding, Image

if TYPE_CHECKING:
    from core.records.patient_record import ViewImage

__all__ = ["CROP_MM", "ChangedPlace", "Crop", "are_being_aligned", "changed_places"]

CROP_MM = 45.0
CROP_NETWORK_PX = 120.0
"""How large a crop is where the pixel size of one of the two pictures is not known."""
LEAST_CHANGE = 0.01
"""A squared heat map (0..1) that moved by less anywhere has not changed to speak of."""


@dataclass(frozen=True)
class Crop:
    """A square of one picture, in its own pixels: left, top, right, bottom; mirrored on screen if `flipped`."""

    sop_uid: str
    box: tuple[int, int, int, int]
    flipped: bool


@dataclass(frozen=True)
class ChangedPlace:
    """The place of a breast where the heat map has risen, or fallen, most since the prior, in the view that shows it most.

    `change` is that of the squared heat map there, positive where it has risen. `registered`: the prior's crop shows the
    same place by registration; else the place is the same as the model lays the two pictures out. `being_aligned`: the
    registration is being made, and a moment later there may be one. `sized`: both crops are `CROP_MM` wide.
    """

    view: ViewName
    prior: Crop
    now: Crop
    change: float
    sized: bool
    registered: bool
    being_aligned: bool = False


@needs(Permission.SEE_PATIENTS)
def changed_places(
    here: Installation, prior: Sequence[ViewImage], now: Sequence[ViewImage], rose: Mapping[str, bool]
) -> dict[str, ChangedPlace]:
    """Return by laterality the place whose heat changed most from one visit's images to another's.

    `rose` says by laterality, of the breasts that are asked for, whether what rose is looked for or what fell. A breast of
    which the two visits have no view in common, or whose heat maps have hardly changed, has none.
    """
    pairs = {
        view: (before, after)
        for view in FOUR_VIEWS
        if view.laterality in rose
        and (before := _hung(prior, view)) is not None
        and (after := _hung(now, view)) is not None
    }
    seen = _seen(here, [image.sop_uid for pair in pairs.values() for image in pair])
    found: dict[str, ChangedPlace] = {}
    for view, (before, after) in pairs.items():
        both = _by_one_encoder(seen.get(before.sop_uid, {}), seen.get(after.sop_uid, {}))
        place = _place(view, before, after, *both, rose=rose[view.laterality]) if both is not None else None
        best = found.get(view.laterality)
        if place is not None and (best is None or abs(place.change) > abs(best.change)):
            found[view.laterality] = place
    return {laterality: _registered(here, place, *pairs[place.view]) for laterality, place in found.items()}


def _registered(here: Installation, place: ChangedPlace, before: ViewImage, after: ViewImage) -> ChangedPlace:
    """Return the place with the prior's crop moved to where registration finds what the newer one shows.

    It stays where it is if the two cannot be registered well enough, or the prior's pixels are away for now, and as long
    as the registration is being made: nobody waits for it.
    """
    try:
        found = aligned(here, before.sop_uid, after.sop_uid)
    except (LookupError, NotAligned):
        return place
    if found is None:
        return replace(place, being_aligned=True)
    left, top, right, bottom = place.now.box
    middle = np.array([[(left + right) / 2, (top + bottom) / 2]])
    ((across, down),) = found.to_prior(middle)
    if not found.is_usable or not (0 <= across <= before.columns and 0 <= down <= before.rows):
        return place
    side = place.prior.box[2] - place.prior.box[0]
    if not place.sized:
        # What is as large in the one is so in the other: by how much the map spreads a step to each side.
        corners = found.to_prior(middle + np.array([[-1, -1], [1, 1]]) * (right - left) / 4)
        side = round(2 * float(np.abs(corners[1] - corners[0]).mean()))
    # Not moved back into the image: its middle is what shows the same.
    left, top = round(across - side / 2), round(down - side / 2)
    return replace(
        place, prior=replace(place.prior, box=(left, top, left + side, top + side)), registered=True
    )


@needs(Permission.SEE_PATIENTS)
def are_being_aligned(here: Installation, pairs: Sequence[tuple[str, str]]) -> bool:
    """Say whether any (prior, current) SOP UIDs are still being registered; what cannot be is not."""
    return any(_is_being_aligned(here, *pair) for pair in pairs)


def _is_being_aligned(here: Installation, before: str, after: str) -> bool:
    try:
        return aligned(here, before, after) is None
    except (LookupError, NotAligned):
        return False


def _hung(images: Sequence[ViewImage], view: ViewName) -> ViewImage | None:
    return hanging.to_hang(image for image in images if image.view_name == view)


@dataclass(frozen=True)
class _Seen:
    heat: NDArray[np.float32]
    transform: Mapping[str, Any]


def _seen(here: Installation, sop_uids: Sequence[str]) -> dict[str, dict[str, _Seen]]:
    """Return by image and encoder the heat map and how the picture was laid out for it."""
    found: dict[str, dict[str, _Seen]] = {}
    with here.database.read() as session:
        rows = session.execute(
            select(Image.sop_uid, Embedding)
            .join(Embedding, Embedding.image_id == Image.id)
            .where(Image.sop_uid.in_(sop_uids))
            .order_by(Embedding.id)
        )
        for sop_uid, row in rows:
            heat = np.frombuffer(row.heat_map, "<f2").reshape(row.heat_map_shape).astype(np.float32)
            found.setdefault(sop_uid, {})[row.encoder_sha256] = _Seen(heat, row.transform)
    return found


def _by_one_encoder(before: Mapping[str, _Seen], after: Mapping[str, _Seen]) -> tuple[_Seen, _Seen] | None:
    """Return what the newest encoder that has seen both saw in them."""
    both = [encoder for encoder in after if encoder in before]
    return (before[both[-1]], after[both[-1]]) if both else None


def _place(
    view: ViewName, before: ViewImage, after: ViewImage, seen_before: _Seen, seen_after: _Seen, *, rose: bool
) -> ChangedPlace | None:
    from models.view import STRIDE

    if seen_before.heat.shape != seen_after.heat.shape:
        return None
    change = _weighed(seen_after.heat) - _weighed(seen_before.heat)
    change = change if rose else -change
    row, column = np.unravel_index(int(change.argmax()), change.shape)
    most = float(change[row, column])
    if most < LEAST_CHANGE:
        return None
    x = (float(column) + 0.5) * STRIDE
    y = (float(row) + 0.5) * STRIDE
    sized = before.spacing_mm is not None and after.spacing_mm is not None
    return ChangedPlace(
        view=view,
        prior=_crop(before, seen_before, x, y, sized=sized),
        now=_crop(after, seen_after, x, y, sized=sized),
        change=most if rose else -most,
        sized=sized,
        registered=False,
    )


def _crop(image: ViewImage, seen: _Seen, x: float, y: float, *, sized: bool) -> Crop:
    """Return the square around a point of the network's picture, moved so that it lies in the image."""
    from models.view import ViewTransform

    transform = ViewTransform.from_json(dict(seen.transform))
    across, down = transform.to_original(x, y)
    side = (
        CROP_MM / image.spacing_mm
        if sized and image.spacing_mm is not None
        else CROP_NETWORK_PX / transform.scale
    )
    whole = round(min(side, image.rows, image.columns))
    left = round(min(max(across - whole / 2, 0), image.columns - whole))
    top = round(min(max(down - whole / 2, 0), image.rows - whole))
    return Crop(image.sop_uid, (left, top, left + whole, top + whole), image.flipped)


def _weighed(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the heat squared, so that suspicious places count more than faint ones, each cell averaged with its neighbours.

    One cell that flickers is no place, and a breast never lies twice alike.
    """
    around = sliding_window_view(np.pad(heat**2, 1, mode="edge"), (3, 3))
    return np.asarray(around.mean(axis=(2, 3)))
