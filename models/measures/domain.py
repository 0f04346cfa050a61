"""What pictures and what women a model has learned from, and how unlike them others are.

A network gives a number for any picture, a confident one too. So the readings of what it learned from are kept as a
distribution, and each new reading is measured against it before what the model says of it may be shown. Distances are Mahalanobis'
(1936) in the encoder's vectors: standardised, turned into principal axes and whitened; what lies outside those axes
counts by its length (probabilistic principal components, Tipping and Bishop 1999, 10.1111/1467-9868.00196).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DOMAIN",
    "FEWEST_STUDIES",
    "PICTURES_TURNED_AWAY",
    "Domain",
    "check_enough",
    "cross_fitted",
    "fit_domain",
    "folds_of",
    "spread_of",
    "turned_away_by_others",
]

DOMAIN = "domain.npz"
VARIANCE_KEPT = 0.99
MOST_AXES = 96
QUIET = 0.05
"""A feature that hardly moves among training women is taken to move by this share of what a feature usually does: a
last bit of difference in it must not look like another world."""
TURNED_AWAY = 0.015
"""The share of unseen studies of the same kind that a limit is set to turn away."""
PICTURES_TURNED_AWAY = 0.01
"""The same of pictures that are judged one by one."""
ELSEWHERE_TURNED_AWAY = 0.05
"""The same of pictures of collections that nothing was learned from, but that are of its kind."""
AGE_MARGIN_YEARS = 3.0
"""So far beyond the youngest and the oldest woman it learned from a model may still speak."""
FEWEST_STUDIES = 60
"""Of fewer, nothing can be said of the rarest fiftieth."""
FEWEST_PICTURES = 33
"""Of fewer, even the farthest out would turn away more than three unseen pictures of a hundred."""
FOLDS = 5
ANY_AGE = (0.0, 120.0)


@dataclass(frozen=True)
class Domain:
    """The readings that a model learned from, as one distribution, and how far out it may still speak.

    Parameters
    ----------
    mean, scale
        (D,) of the encoder's vectors.
    axes
        (D, k) principal axes of the standardised vectors.
    spread
        (k,) standard deviation along each.
    rest
        Standard deviation in every direction beyond.
    limit
        Distance beyond which a reading is unlike what was learned.
    ages
        Youngest and oldest age at a study of which it may speak, in years.
    fitted_on
        Whose readings these are, in words.
    women, studies
        How many of them.
    usual
        The limit that readings of the very kind it learned from set, where readings of collections like it have set a wider
        one (`widened`); None where there is one limit only.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    axes: NDArray[np.float32]
    spread: NDArray[np.float32]
    rest: float
    limit: float
    ages: tuple[float, float]
    fitted_on: str
    women: int
    studies: int
    usual: float | None = None

    def is_from_elsewhere(self, distance: float) -> bool:
        """Tell whether a reading lies within the limit, but further out than the kind that was learned from does."""
        return self.usual is not None and self.usual < distance <= self.limit

    def distances(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (n,) how far each of (n, D) vectors lies out; 1 is usual, and nothing is below 0.

        Raises
        ------
        ValueError
            If the vectors are another encoder's.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.mean):
            raise ValueError(
                f"A reading has {vectors.shape[-1]} numbers, this model's domain knows {len(self.mean)}: it is of "
                "another encoder. Read the images again."
            )
        z = (vectors.astype(np.float64) - self.mean) / self.scale
        # Not by the linear algebra library: its threads wait for more, and slow the networks that run beside them.
        along = np.einsum("nd,dk->nk", z, self.axes)
        inside = ((along / self.spread) ** 2).sum(axis=1)
        beyond = np.maximum((z**2).sum(axis=1) - (along**2).sum(axis=1), 0) / self.rest**2
        return np.sqrt((inside + beyond) / len(self.mean))

    def along(self, vectors: NDArray[np.float32], axes: int) -> NDArray[np.float64]:
        """Return (n, axes) where (n, D) vectors lie on the first axes, in standard deviations of what was learned from.

        0 is the mean; of axes that the domain does not have NaN.
        """
        kept = min(axes, len(self.spread))
        z = (vectors.astype(np.float64) - self.mean) / self.scale
        found = np.full((len(vectors), axes), np.nan)
        found[:, :kept] = np.einsum("nd,dk->nk", z, self.axes[:, :kept]) / self.spread[:kept]
        return found

    def limited(self, distances: NDArray[np.float64], turned_away: float = TURNED_AWAY) -> Domain:
        """Return the domain with the limit that these distances of unseen readings of the same kind set.

        The rank keeps the promise for those yet to come (conformal prediction, Vovk et al. 2005): of them no more than
        the share `turned_away` lies beyond, or one in n + 1 where n distances are too few for that.
        """
        return replace(self, limit=_limit(distances, turned_away))

    def widened(self, collections: Sequence[NDArray[np.float64]]) -> Domain:
        """Return the domain with a limit within which collections like the one it learned from lie too.

        `collections` holds the distances of each. Of each no more than the share `ELSEWHERE_TURNED_AWAY` lies beyond; the limit
        is never narrowed.
        """
        wanted = [_limit(distances, ELSEWHERE_TURNED_AWAY) for distances in collections if len(distances)]
        limit = max([self.limit, *wanted])
        return replace(self, limit=limit, usual=self.limit if limit > self.limit else self.usual)

    def save(self, path: Path) -> None:
        """Write the domain as one file."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                **{name: np.asarray(value) for name, value in vars(self).items() if value is not None},
            )

    @classmethod
    def load(cls, path: Path) -> Domain:
        """Read what `save` wrote; `ValueError` if the file is damaged or lacks something."""
        try:
            with np.load(path, allow_pickle=False) as file:
                kept: dict[str, Any] = {name: file[name] for name in file.files}
            return cls(
                **{name: kept[name].astype(np.float32) for name in ("mean", "scale", "axes", "spread")},
                rest=float(kept["rest"]),
                limit=float(kept["limit"]),
                ages=(float(kept["ages"][0]), float(kept["ages"][1])),
                fitted_on=str(kept["fitted_on"]),
                women=int(kept["women"]),
                studies=int(kept["studies"]),
                usual=float(kept["usual"]) if "usual" in kept else None,
            )
        except (OSError, KeyError, ValueError, IndexError, BadZipFile) as error:
            raise ValueError(f"{path} is no whole domain file: {error}") from error


def spread_of(
    vectors: NDArray[np.float32],
    women: Sequence[str],
    fitted_on: str,
    *,
    studies: int | None = None,
    ages: tuple[float, float] = ANY_AGE,
) -> Domain:
    """Return the distribution of readings, (n, D) of n pictures, as a domain whose limit is not set: nothing lies beyond.

    `women` (n,) says whose each is, `studies` of how many studies or pictures they are (n, if it is not said), `ages` of
    which ages a model may speak, `fitted_on` whose readings these are, in words.
    """
    known = vectors.astype(np.float64)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    usual = float(np.median(deviation[deviation > 0])) if (deviation > 0).any() else 1.0
    scale = np.maximum(deviation, QUIET * usual)
    power, axes = _principal((known - mean) / scale)
    share = np.cumsum(power) / max(float(power.sum()), np.finfo(float).tiny)
    count = min(MOST_AXES, int(np.searchsorted(share, VARIANCE_KEPT)) + 1, len(power))
    floor = QUIET * (float(np.sqrt(power[0])) or 1.0)
    beyond = len(mean) - count
    rest = max(float(np.sqrt(power[count:].sum() / beyond)) if beyond else 0.0, floor)
    return Domain(
        mean.astype(np.float32),
        scale.astype(np.float32),
        axes[:, :count].astype(np.float32),
        np.maximum(np.sqrt(power[:count]), rest).astype(np.float32),
        rest,
        np.inf,
        ages,
        fitted_on,
        len(set(women)),
        len(vectors) if studies is None else studies,
    )


def _principal(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return variances, highest first, and axes (D, k) of (n, D); the axes beyond n have no variance and are left out."""
    if len(z) < z.shape[1]:
        _, spread, axes = np.linalg.svd(z, full_matrices=False)
        return spread**2 / len(z), axes.T
    power, axes = np.linalg.eigh(z.T @ z / len(z))
    return np.maximum(power[::-1], 0), axes[:, ::-1]


def fit_domain(
    vectors: NDArray[np.float32],
    women: Sequence[str],
    studies: Sequence[str],
    ages: Sequence[float],
    fitted_on: str,
    *,
    seed: int = 0,
) -> Domain:
    """Fit the domain of an encoder on training women.

    The distribution is that of two thirds of the women; the limit is taken on the others, on whole studies, for one view
    that is unlike puts its study in doubt: beyond it lie `TURNED_AWAY` of theirs.

    Parameters
    ----------
    vectors
        (n, D) readings.
    women, studies
        (n,) whose each is, and of which of her studies.
    ages
        Ages at the studies, in years, where they are known.
    fitted_on
        Whose readings these are, in words.
    seed
        The same parts the women alike.

    Raises
    ------
    ValueError
        If there are too few studies to set a limit on.
    """
    whose = np.asarray(women, dtype=str)
    names = np.unique(whose)
    shuffled = np.random.default_rng(seed).permutation(names)
    held = np.isin(whose, shuffled[: len(names) // 3])
    keys = np.array([f"{woman}\n{study}" for woman, study in zip(women, studies, strict=True)])
    judged = np.unique(keys[held])
    if len(judged) < FEWEST_STUDIES:
        raise ValueError(
            f"{len(judged)} studies are too few to say what a model knows: {3 * FEWEST_STUDIES} of all women are the least."
        )
    known_ages = np.asarray(ages, float)[np.isfinite(np.asarray(ages, float))]
    span = (
        (float(known_ages.min()) - AGE_MARGIN_YEARS, float(known_ages.max()) + AGE_MARGIN_YEARS)
        if known_ages.size
        else ANY_AGE
    )
    domain = spread_of(vectors[~held], women, fitted_on, studies=len(np.unique(keys)), ages=span)
    far = domain.distances(vectors[held])
    return domain.limited(np.array([far[keys[held] == key].max() for key in judged]))


def folds_of(women: Sequence[str], *, seed: int = 0) -> NDArray[np.int64]:
    """Return (n,) in which of `FOLDS` parts each picture's woman is; the same women are parted alike in any order."""
    whose = np.asarray(women, dtype=str)
    shuffled = np.random.default_rng(seed).permutation(np.unique(whose))
    place = {name: k % FOLDS for k, name in enumerate(shuffled.tolist())}
    return np.array([place[name] for name in whose.tolist()], np.int64)


def cross_fitted(vectors: NDArray[np.float32], women: Sequence[str]) -> NDArray[np.float64]:
    """Return (n,) how far each picture lies out of the distribution of the other folds' women (`folds_of`).

    So few pictures say as much as they can: each is held against women who are not she, none is spent on the limit alone.
    """
    fold = folds_of(women)
    far = np.zeros(len(vectors))
    for k in np.unique(fold):
        far[fold == k] = spread_of(vectors[fold != k], [], "").distances(vectors[fold == k])
    return far


def check_enough(women: Sequence[str]) -> None:
    """Raise ValueError where pictures, each with its woman, are too few to set a limit on."""
    if len(women) < FEWEST_PICTURES or len(set(women)) < FOLDS:
        raise ValueError(
            f"{len(women)} pictures of {len(set(women))} women or groups are too few to say which pictures a model knows: "
            f"{FEWEST_PICTURES} of {FOLDS} are the least."
        )


def turned_away_by_others(distances: NDArray[np.float64], women: Sequence[str]) -> NDArray[np.bool_]:
    """Return (n,) which pictures lie beyond the limit that the other folds' women set: what may be promised of new ones."""
    fold = folds_of(women)
    beyond = np.zeros(len(distances), bool)
    for k in np.unique(fold):
        limit = _limit(distances[fold != k], PICTURES_TURNED_AWAY)
        beyond[fold == k] = distances[fold == k] > limit
    return beyond


def _limit(distances: NDArray[np.float64], turned_away: float) -> float:
    rank = min(len(distances), math.ceil((len(distances) + 1) * (1 - turned_away)))
    return float(np.sort(distances)[rank - 1])
