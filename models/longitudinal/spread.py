"""How far a probability may lie from what a complete study of her, taken on another day, would have said.

The members' spread alone makes an interval narrowest where least is seen: they agree about a woman of whom nothing is
shown. So position and exposure widen it by what they were seen to do in studies taken twice on one day, and views and
visits that are missing by what missing them was seen to do in complete studies (`models.longitudinal.lacks`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["LACKS", "Z_90", "Quantity", "Spread"]

Z_90 = 1.6448536269514722
"""Half width of a two-sided 90 % interval of the normal distribution."""
LACKS = ("one view", "no view", "first visit", "missed visit")
"""What a study may lack: one of a breast's two standard views; all of them; every prior; a prior not too long ago."""
Quantity = Literal["risk", "breast", "progression"]
"""Risk of the woman, of one breast (its first year is malignancy), and progression."""
Reach = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Spread:
    """What widens an interval beside the members' spread, in log-odds.

    Parameters
    ----------
    exposure
        Standard deviation by quantity and horizon of what is said of one study taken again on the same day; empty where
        that was not measured.
    lacks
        By quantity and lack, how far below and above the complete study may lie, by horizon.
    smallest_change
        By quantity, the smallest change in log-odds of the last horizon that is not what position and exposure alone do
        in 95 of 100 women: 1.96 standard deviations of the difference of two takes (Beckerman et al. 2001,
        10.1023/A:1013138911638), for low, middle and high scores.
    levels
        By quantity, the two log-odds that part low, middle and high scores.
    fitted_on, repeated_on
        Whose studies told what missing things do, and what position and exposure do, in words.
    """

    exposure: dict[str, tuple[float, ...]] = field(default_factory=dict)
    lacks: dict[str, dict[str, Reach]] = field(default_factory=dict)
    smallest_change: dict[str, tuple[float, ...]] = field(default_factory=dict)
    levels: dict[str, tuple[float, ...]] = field(default_factory=dict)
    fitted_on: str = "not measured"
    repeated_on: str = "not measured"

    def reach(
        self, quantity: Quantity, members: NDArray[np.float64], lacking: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how far an interval reaches below and above, (…, k) log-odds.

        Parameters
        ----------
        quantity
            Of what.
        members
            (…, k) half width that the members' spread gives.
        lacking
            (…, 4) how often each of `LACKS` is the case; None for a complete study.
        """
        below = above = members**2 + (Z_90 * np.asarray(self.exposure.get(quantity, (0.0,)))) ** 2
        for place, lack in enumerate(LACKS if lacking is not None else ()):
            if lack in (known := self.lacks.get(quantity, {})):
                times = np.asarray(lacking)[..., place, None]
                below = below + times * np.asarray(known[lack][0]) ** 2
                above = above + times * np.asarray(known[lack][1]) ** 2
        return np.sqrt(below), np.sqrt(above)

    def smallest(self, quantity: Quantity, log_odds: float) -> float | None:
        """Return the smallest change in log-odds, from or to a score at this level, that is one; None if not measured."""
        if quantity not in self.smallest_change:
            return None
        return self.smallest_change[quantity][int(np.searchsorted(self.levels[quantity], log_odds))]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Spread:
        """Read what `dataclasses.asdict` gave."""
        several = {
            name: {key: tuple(map(float, each)) for key, each in values[name].items()}
            for name in ("exposure", "smallest_change", "levels")
        }
        lacks = {
            quantity: {
                lack: (tuple(map(float, down)), tuple(map(float, up))) for lack, (down, up) in each.items()
            }
            for quantity, each in values["lacks"].items()
        }
        return cls(
            **several,
            lacks=lacks,
            fitted_on=str(values["fitted_on"]),
            repeated_on=str(values["repeated_on"]),
        )
