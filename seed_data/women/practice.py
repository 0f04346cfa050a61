"""Practice: findings strewn over breasts anew at every visit, for an encoder to learn what findings look like.

Visible cancers are rare even in an enriched set, and each shows at a visit or two. Here every visit has its own, of
every kind and size, in the same renderings and machines. Such a set has no course and no outcome.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np

from core.rules.vocabulary import SIDES
from seed_data.women.findings import draw_position, pick
from seed_data.women.life import Life, LifeLesion
from seed_data.women.rates import BENIGN_KINDS, MALIGNANT_KINDS

MALIGNANT_SHARE: Final = 0.45
# Median 8 mm and log-SD 0.5: from the smallest that show to the largest that screening leaves unfound. Assumption.
PRACTICE_MM: Final = 8.0
PRACTICE_LOG_SD: Final = 0.5
SMALLEST_MM, LARGEST_MM = 3.0, 40.0


def strewn(life: Life, per_breast: float) -> Life:
    """Return the woman with other findings: `per_breast` on average in each breast at each visit, gone by the next.

    Raises
    ------
    ValueError
        If `per_breast` is not above 0.
    """
    if per_breast <= 0:
        raise ValueError("Findings per breast must be above 0.")
    rng = np.random.default_rng([*life.key, 11])
    lesions = []
    for visit in life.visits:
        for side in SIDES:
            for index in range(int(rng.poisson(per_breast))):
                malignant = bool(rng.random() < MALIGNANT_SHARE)
                size = float(rng.lognormal(math.log(PRACTICE_MM), PRACTICE_LOG_SD))
                lesions.append(
                    LifeLesion(
                        f"P{visit.number + 1}{side}{index + 1}",
                        side,
                        pick(rng, MALIGNANT_KINDS if malignant else BENIGN_KINDS),
                        malignant,
                        draw_position(rng, life.breast_mm),
                        visit.on,
                        float(np.clip(size, SMALLEST_MM, LARGEST_MM)),
                        conspicuity=float(np.exp(rng.normal(0, 0.18))),
                        shape_seed=int(rng.integers(2**31)),
                        gone_on=visit.on + timedelta(days=1),
                    )
                )
    return replace(
        life,
        lesions=tuple(lesions),
        events=(),
        cancer_date=None,
        cancer_side=None,
        found_by=None,
        last_followup=life.visits[-1].on,
        treated=False,
        true_cancer_date=None,
        doubling_days=None,
    )
