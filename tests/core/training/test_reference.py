"""Reference women: whoever stands among them is told her own place."""

import numpy as np
import pytest

from core.rules import rank_among_reference
from core.training.reference import reference_women

RISKS = np.random.default_rng(1).lognormal(-4, 0.8, 2000)


@pytest.mark.parametrize("share", [0.02, 0.35, 0.5, 0.83, 0.99])
def test_a_rank_is_the_share_of_women_with_a_lower_risk(share):
    settings = {"reference": reference_women(RISKS, "simulated women")}
    rank = rank_among_reference(settings, float(np.quantile(RISKS, share)))
    assert rank is not None
    assert abs(rank.higher_than - 100 * share) <= 1
    assert rank.women == "2,000 simulated women"


def test_too_few_women_are_no_reference():
    assert reference_women(RISKS[:99], "women") is None
