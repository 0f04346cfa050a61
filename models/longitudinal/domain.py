"""What pictures and what women a model has learned from, and how unlike them others are.

A network gives a number for any picture, a confident one too. So the readings of training women are kept as a
distribution, and each new reading is measured against it before its score may be shown. Distances are Mahalanobis'
(1936) in the encoder's vectors: standardised, turned into principal axes and whitened; what lies outside those axes
counts by its length (probabilistic principal components, Tipping and Bishop 1999, 10.1111/1467-9868.00196).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

__all__ = ["DOMAIN", "FEWEST_STUDIES", "Domain", "fit_domain"]

DOMAIN = "domain.npz"
VARIANCE_KEPT = 0.99
MOST_AXES = 96
QUIET = 0.05
"""A feature that hardly moves among training women is taken to move by this share of what a feature usually does: a
last bit of difference in it must not look like another world."""
TURNED_AWAY = 0.015
"""The share of unseen studies of the same kind that the limit is set to turn away."""
AGE_MARGIN_YEARS = 3.0
"""So far beyond the youngest and the oldest woman it learned from a model may still speak."""
FEWEST_STUDIES = 60
"""Of fewer, nothing can be said of the rarest fiftieth."""


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
        along = z @ self.axes
        inside = ((along / self.spread) ** 2).sum(axis=1)
        beyond = np.maximum((z**2).sum(axis=1) - (along**2).sum(axis=1), 0) / self.rest**2
        return np.sqrt((inside + beyond) / len(self.mean))

    def save(self, path: Path) -> None:
        """Write the domain as one file."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                **{name: np.asarray(value) for name, value in vars(self).items()},
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
            )
        except (OSError, KeyError, ValueError, IndexError, BadZipFile) as error:
            raise ValueError(f"{path} is no whole domain file: {error}") from error


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
    names = np.unique(np.asarray(women, dtype=str))
    shuffled = np.random.default_rng(seed).permutation(names)
    held = np.isin(np.asarray(women, dtype=str), shuffled[: len(names) // 3])
    keys = np.array([f"{woman}\n{study}" for woman, study in zip(women, studies, strict=True)])
    judged = np.unique(keys[held])
    if len(judged) < FEWEST_STUDIES:
        raise ValueError(
            f"{len(judged)} studies are too few to say what a model knows: {3 * FEWEST_STUDIES} of all women are the least."
        )
    known = vectors[~held].astype(np.float64)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    usual = float(np.median(deviation[deviation > 0])) if (deviation > 0).any() else 1.0
    scale = np.maximum(deviation, QUIET * usual)
    z = (known - mean) / scale
    power, axes = np.linalg.eigh(z.T @ z / len(z))
    power, axes = power[::-1], axes[:, ::-1]
    share = np.cumsum(power) / power.sum()
    count = min(MOST_AXES, int(np.searchsorted(share, VARIANCE_KEPT)) + 1, len(power))
    floor = QUIET * float(np.sqrt(power[0]))
    rest = max(float(np.sqrt(max(power[count:].mean(), 0))) if count < len(power) else 0.0, floor)
    known_ages = np.asarray(ages, float)[np.isfinite(np.asarray(ages, float))]
    span = (
        (float(known_ages.min()) - AGE_MARGIN_YEARS, float(known_ages.max()) + AGE_MARGIN_YEARS)
        if known_ages.size
        else (0.0, 120.0)
    )
    domain = Domain(
        mean.astype(np.float32),
        scale.astype(np.float32),
        axes[:, :count].astype(np.float32),
        np.maximum(np.sqrt(np.maximum(power[:count], 0)), rest).astype(np.float32),
        rest,
        np.inf,
        span,
        fitted_on,
        len(names),
        len(np.unique(keys)),
    )
    far = domain.distances(vectors[held])
    worst = np.array([far[keys[held] == key].max() for key in judged])
    # The rank that keeps the promise for studies yet to come (conformal prediction, Vovk et al. 2005).
    rank = min(len(worst), int(np.ceil((len(worst) + 1) * (1 - TURNED_AWAY))))
    limit = float(np.sort(worst)[rank - 1])
    return Domain(**(vars(domain) | {"limit": limit}))
