"""How a view as a whole is turned, sized and moved against another: searched through all that happens in a clinic."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from core.images.registration.layout import Floats, Layout, Picture

__all__ = ["Affine", "find_pose"]

Affine = NDArray[np.float64]
"""(2, 3): from points of the current layout (512 by 416) to points of the prior's."""

_SHRUNK = 4
_TURNS = np.deg2rad((-10.0, -5.0, 0.0, 5.0, 10.0))
_SIZES = (0.67, 0.77, 0.88, 1.0, 1.14, 1.3, 1.5)
_MIRRORED = 0.1
"""By how much more it must look alike to be taken for mirrored."""
_LEAST_SHARED = 0.45
"""Share of the smaller breast that must lie on the other."""


def find_pose(prior: Layout, current: Layout) -> Affine:
    """Return the similarity under which the prior looks most like the current view.

    Where a film's border hides on which side its chest wall is, the prior may lie mirrored in its layout.
    """
    now, then = current.pictures[_SHRUNK], prior.pictures[_SHRUNK]
    rows, columns = now.inside.shape
    # Room for every shift of one over the other, so that nothing comes round at the other side.
    room = fft.next_fast_len(2 * rows, real=True), fft.next_fast_len(2 * columns, real=True)
    spectra = [fft.rfft2(one, room) for one in _parts(now.features[:, :, 0], now.coarse, now.inside)]
    best, most = np.eye(2, 3), -np.inf
    for turn, size, mirrored in itertools.product(_TURNS, _SIZES, (False, True)):
        affine = _about(turn, size, rows / 2)
        if mirrored:
            affine[0] = -affine[0]
            affine[0, 2] += columns
        likeness = _likeness(spectra, _moved(then, affine), room)
        place = np.unravel_index(int(likeness.argmax()), likeness.shape)
        found = float(likeness[place]) - _MIRRORED * mirrored
        if found > most:
            most = found
            down, across = (at - full if at > full // 2 else at for at, full in zip(place, room, strict=True))
            # The moved prior is to be shifted on by so much, which is back for a point of the current view.
            best = affine.copy()
            best[:, 2] -= affine[:, :2] @ (float(across), float(down))
    best[:, 2] *= _SHRUNK
    return best


def _parts(fine: Floats, coarse: Floats, inside: Floats) -> list[Floats]:
    """Return what a likeness is made of: two pictures within the breast, their squares summed, and where it lies."""
    fine, coarse = fine * inside, coarse * inside
    return [fine, coarse, fine * fine + coarse * coarse, inside]


def _about(turn: float, size: float, middle: float) -> Affine:
    """Return a turn and a size about the middle of the chest wall."""
    cosine, sine = size * np.cos(turn), size * np.sin(turn)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    fixed = np.array([0.0, middle])
    return np.concatenate([linear, (fixed - linear @ fixed)[:, None]], axis=1)


def _moved(picture: Picture, affine: Affine) -> list[Floats]:
    rows, columns = picture.inside.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    parts = (picture.features[:, :, 0], picture.coarse, picture.inside)
    return _parts(*(np.asarray(cv2.warpAffine(part, affine, (columns, rows), flags=flags)) for part in parts))


def _likeness(spectra: list[NDArray[np.complex64]], moved: list[Floats], room: tuple[int, int]) -> Floats:
    """Return for every shift of the moved prior the correlation with the current view where both show breast.

    It is weighed by how much of the breasts lies on each other (Dice), so that a few pixels that agree are no match.
    """
    others = [np.conj(fft.rfft2(one, room)) for one in moved]
    shared = fft.irfft2(spectra[-1] * others[-1], room)
    product = fft.irfft2(spectra[0] * others[0] + spectra[1] * others[1], room)
    energy_now = fft.irfft2(spectra[2] * others[-1], room)
    energy_then = fft.irfft2(spectra[-1] * others[2], room)
    sizes = float(spectra[-1][0, 0].real), float(others[-1][0, 0].real)
    dice = 2 * np.maximum(shared, 0) / sum(sizes)
    correlation = product / np.sqrt(np.maximum(energy_now, 1.0) * np.maximum(energy_then, 1.0))
    return np.asarray(np.where(shared > _LEAST_SHARED * min(sizes), correlation + dice, -np.inf), np.float32)
