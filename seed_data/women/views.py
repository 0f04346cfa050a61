"""The finished views of a simulated woman, with where her findings lie in the pixels of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from core.rules.vocabulary import SIDES, STANDARD_VIEWS, FindingClass, Side
from seed_data.women import machines
from seed_data.women.appearance import Shown
from seed_data.women.bodies import BreastView
from seed_data.women.life import Life, LifeVisit
from seed_data.women.machines import Film, Machine


@dataclass(frozen=True)
class ViewRecord:
    """One finished view of one visit, with where its findings lie in the film's own pixels."""

    visit: LifeVisit
    side: Side
    view: str
    film: Film
    shown: tuple[Shown, ...]

    def box(self, shown: Shown) -> tuple[int, int, int, int]:
        """Return the box (x0, y0, x1, y1) of a finding in pixels of the film, half open, origin top left."""
        return self.film.box(shown)

    def place(self, shown: Shown) -> tuple[float, float]:
        """Return the centre of a finding in pixels of the film, origin top left."""
        x = self.film.pixels.shape[1] - 1 - shown.x if self.film.mirrored else shown.x
        return x, shown.y

    @property
    def leading(self) -> Shown | None:
        """Return the visible finding that matters most: malignant before benign, then the largest."""
        visible = [shown for shown in self.shown if shown.visible]
        return max(visible, key=lambda s: (s.lesion.malignant, s.diameter_mm), default=None)

    @property
    def finding(self) -> str:
        """Return what this view shows: normal, benign or malignant."""
        if self.leading is None:
            return FindingClass.NORMAL
        return FindingClass.of_lesion(malignant=self.leading.lesion.malignant)


def imaged(
    life: Life,
    spacing_mm: float,
    visits: Iterable[LifeVisit] | None = None,
    *,
    on: Machine | None = None,
) -> Iterator[ViewRecord]:
    """Draw every view of a woman, breast by breast; the result for one visit does not depend on the others.

    Each visit is imaged on the machine that stood there (`machines.machine_of`), or all `on` one machine.
    """
    wanted = life.visits if visits is None else tuple(visits)
    for side in SIDES:
        for view in STANDARD_VIEWS:
            taken = [visit for visit in wanted if (side, view) in visit.views]
            if not taken:
                continue
            breast = BreastView(life, side, view, spacing_mm)
            for visit in taken:
                machine = on or machines.machine_of(life, visit)
                spacing = spacing_mm * machine.spacing
                picture = breast.picture(visit, spacing, machines.film_shape(machine, spacing_mm))
                rng = np.random.default_rng(
                    [*life.key, 7, visit.number, SIDES.index(side), int(view == "MLO"), *visit.again]
                )
                film = machines.expose(picture, machine, spacing, side, view, rng)
                yield ViewRecord(visit, side, view, film, picture.shown)
