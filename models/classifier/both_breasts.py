"""What is said of one view beside the same view of the other breast: a lesion makes breasts unlike, density makes them alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.classifier.scaling import Scaling, fit_scaling

__all__ = ["BothBreasts", "fit_both_breasts"]

LEAST = 1e-6
"""No probability is taken for less, so that its logarithm stays within bounds."""


@dataclass(frozen=True)
class BothBreasts:
    """How what is said of both is put together: ``scaling(own * log p + other * log q)``, or ``own * p + other * q``.

    Parameters
    ----------
    own, other
        How much counts what is said of the view itself, and of the same view of the other breast.
    scaling
        What makes probabilities of logarithms.
    mean
        Whether the probabilities themselves are added; `own` and `other` are then shares of 1.
    """

    own: float
    other: float
    scaling: Scaling = field(default_factory=Scaling)
    mean: bool = False

    def logits(self, shares: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
        """Return logits (…, classes), before scaling, of probabilities (…, classes) of views and of the other breast's."""
        own, other = (np.log(np.clip(np.asarray(one, np.float64), LEAST, 1)) for one in (shares, others))
        return np.asarray(self.own * own + self.other * other)

    def __call__(self, shares: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities (…, classes)."""
        if self.mean:
            return np.asarray(self.own * np.asarray(shares, np.float64) + self.other * np.asarray(others))
        return self.scaling(self.logits(shares, others))

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        scaling = values["scaling"]
        return cls(
            float(values["own"]),
            float(values["other"]),
            Scaling(float(scaling["slope"]), tuple(float(one) for one in scaling["bias"])),
            bool(values.get("mean", False)),
        )


def fit_both_breasts(
    shares: NDArray[Any], others: NDArray[Any], truth: NDArray[np.bool_], unscaled: BothBreasts
) -> BothBreasts:
    """Fit the scaling of views beside the other breast's; a mean of probabilities has none.

    Parameters
    ----------
    shares, others
        (n, classes) probabilities that were said of views, and of the same views of the other breasts, by models that had
        not met these women.
    truth
        (n, classes) which classes each view may be.
    unscaled
        How they are put together.
    """
    if unscaled.mean:
        return unscaled
    fitted = fit_scaling(unscaled.logits(shares, others), truth)
    return BothBreasts(unscaled.own, unscaled.other, fitted)
