"""How well the alarm rule of `core.cohorts.drift` does, as it was measured where the truth is known: in the simulator."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MEASURED", "Measured"]


@dataclass(frozen=True)
class Measured:
    """What ``python -m seed_data detector`` found, and on which day."""

    on: str
    women: int
    changes: int
    median: int
    late: int
    within_200: float
    quiet_years: int
    false_alarms_a_year: float

    @property
    def sentence(self) -> str:
        """Say it in words."""
        return (
            f"Measured in the simulator ({self.on}, {self.women} women imaged on each of four detectors, the maker hidden from the "
            f"rule): of {self.changes} changes of detector half were noticed within {self.median} studies, 95 of 100 within "
            f"{self.late}, {100 * self.within_200:.0f} of 100 within 200; in {self.quiet_years} years without a change there were "
            f"{self.false_alarms_a_year:.2f} false alarms a year."
        )


MEASURED = Measured("2026-11-28", 100, 240, 11, 34, 1.0, 240, 0.3)
"""``python -m seed_data detector --seen FILE --women 100 --times 20``"""
