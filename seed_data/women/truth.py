"""What is true of a simulated woman and no record says: from when her cancer could be seen."""

from __future__ import annotations

import math
from datetime import date, timedelta

from core.cohorts import VISIBLE_MM
from seed_data.women.life import Life

__all__ = ["visible_from"]


def visible_from(life: Life) -> date | None:
    """Return the day on which the cancer that was diagnosed had grown so large that screening sees half of such.

    One that was found smaller could be seen on the day of its diagnosis; None without one, and of a woman who was treated
    within her record.
    """
    if life.cancer_date is None or life.treated:
        return None
    days = [
        lesion.since
        + timedelta(days=max(0, round(3 * lesion.doubling_days * math.log2(VISIBLE_MM / lesion.start_mm))))
        for lesion in life.lesions
        if lesion.malignant and lesion.side == life.cancer_side and math.isfinite(lesion.doubling_days)
    ]
    return min([*days, life.cancer_date])
