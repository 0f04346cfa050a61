"""How far a probability may lie from what a model trained anew would say of a complete study taken anew.

The members' spread alone makes an interval narrowest where least is seen: they agree about a woman of whom nothing is
shown, and they all read the same positioning. So it is the scale only. How many times it an interval reaches is measured,
of complete studies and of such that lack something (`models.longitudinal.lacks`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["COMPLETE", "LACKS", "Quantity", "Spread"]

Z_90 = 1.6448536269514722
"""Half width of a two-sided 90 % interval of the normal distribution: what stands where nothing was measured."""
LACKS = ("one view", "no view", "first visit", "missed visit")
"""What a study may lack: one of a breast's two standard views; all of them; every prior; a prior not too long ago."""
COMPLETE = "complete"
Quantity = Literal["risk", "breast", "progression"]
"""Risk of the woman, of one breast (its first year is malignancy), and progression."""
Reach = tuple[tuple[float, ...], tuple[float, ...]]
LEAST_SCALE = 0.05
"""Log-odds; members that agree wholly do not make a probability certain."""


@dataclass(frozen=True)
class Spread:
    """How far 90 % intervals reach on the scale of log-odds, and which change is one.

    Parameters
    ----------
    usual
        By quantity, the members' usual standard deviation by horizon. A score's own is drawn halfway towards it.
    reaches
        By quantity, then `COMPLETE` or one of `LACKS`: how many standard deviations an interval reaches below and
        above, by horizon; those of a lack are added in squares.
    smallest_change
        By quantity, the smallest change in log-odds of the last horizon that is not what position and exposure alone do
        in 95 of 100 women: 1.96 standard deviations of the difference of two takes (Beckerman et al. 2001,
        10.1023/A:1013138911638), for low, middle and high scores in breasts of density A or B, then in such of C or D.
    levels
        By quantity, the two log-odds that part low, middle and high scores.
    fitted_on, repeated_on
        Whose studies told how far intervals reach, and whose were taken twice, in words.
    """

    usual: dict[str, tuple[float, ...]] = field(default_factory=dict)
    reaches: dict[str, dict[str, Reach]] = field(default_factory=dict)
    smallest_change: dict[str, tuple[float, ...]] = field(default_factory=dict)
    levels: dict[str, tuple[float, ...]] = field(default_factory=dict)
    fitted_on: str = "not measured"
    repeated_on: str = "not measured"

    def scale(self, quantity: Quantity, members: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation (…, k) by which reaches are counted, from the members' own (…, k)."""
        usual = np.asarray(self.usual.get(quantity, members))
        return np.maximum(np.sqrt((members**2 + usual**2) / 2), LEAST_SCALE)

    def reach(
        self, quantity: Quantity, members: NDArray[np.float64], lacking: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how far an interval reaches below and above, (…, k) log-odds.

        Parameters
        ----------
        quantity
            Of what.
        members
            (…, k) the members' standard deviation.
        lacking
            (…, 4) how often each of `LACKS` is the case; None for a complete study.
        """
        known = self.reaches.get(quantity, {})
        below, above = (np.asarray(side) ** 2 for side in known.get(COMPLETE, ((Z_90,), (Z_90,))))
        for place, lack in enumerate(LACKS if lacking is not None else ()):
            if lack in known:
                times = np.asarray(lacking)[..., place, None]
                below = below + times * np.asarray(known[lack][0]) ** 2
                above = above + times * np.asarray(known[lack][1]) ** 2
        scale = self.scale(quantity, members)
        return scale * np.sqrt(below), scale * np.sqrt(above)

    def smallest(self, quantity: Quantity, log_odds: float, *, dense: bool) -> float | None:
        """Return the smallest change in log-odds, to a score at this level, that is one; None if not measured."""
        if quantity not in self.smallest_change:
            return None
        level = int(np.searchsorted(self.levels[quantity], log_odds))
        return self.smallest_change[quantity][level + dense * (len(self.levels[quantity]) + 1)]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Spread:
        """Read what `dataclasses.asdict` gave."""
        several = {
            name: {key: tuple(map(float, each)) for key, each in values[name].items()}
            for name in ("usual", "smallest_change", "levels")
        }
        reaches = {
            quantity: {
                lack: (tuple(map(float, down)), tuple(map(float, up))) for lack, (down, up) in each.items()
            }
            for quantity, each in values["reaches"].items()
        }
        return cls(
            **several,
            reaches=reaches,
            fitted_on=str(values["fitted_on"]),
            repeated_on=str(values["repeated_on"]),
        )
