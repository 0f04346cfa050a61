"""Whether what is said of why scores moved is true of the model: the parts sum, name what matters, and were learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel
    from models.sequence import History

__all__ = ["SHUFFLES", "faithfulness"]

MOST_WOMEN = 300
SHUFFLES = 3
WOMEN_SHUFFLED = 60


def faithfulness(loaded: LongitudinalModel, women: Sequence[History]) -> dict[str, Any] | None:
    """Hold the parts of `LongitudinalModel.movement` against the model, on the last visit of women with two or more.

    Women whose last visit is after a diagnosis are left out: of them no move is told.

    Returns
    -------
    dict
        ``women``; ``largest_difference`` between the sum of a woman's parts and the change of her log-odds;
        ``rank_agreement``, Spearman's correlation between the size of a part and by how much the score moves when that
        part alone is taken back to the prior, over all parts; ``largest_first``, the share of women in whom taking back
        the largest part moves the score most (one of four by chance); ``shuffled``, the parts beside those of the same
        sequence networks with their weights shuffled: ``rank_correlation`` (mean and ``_most``), Pearson's
        ``correlation``, and ``size``, how large parts are then beside the real ones. None where no woman has two visits.
    """
    from models.longitudinal import without_each
    from models.measures import safe_logit

    usable = [one for one in women if len(one) > 1 and not one.years_to_cancer[-1] < 0]
    if not usable:
        return None
    chosen = _some(usable, MOST_WOMEN)
    moved = [_movement(loaded, woman) for woman in chosen]
    parts = np.array([list(one.parts.values()) for one in moved])
    size = np.abs(parts)
    alone = np.abs(np.array([without_each(one.log_odds) for one in moved]))
    change = safe_logit(np.array([one.now for one in moved])) - safe_logit(
        np.array([one.before for one in moved])
    )
    return {
        "women": len(chosen),
        "largest_difference": float(np.abs(parts.sum(axis=1) - change).max()),
        "rank_agreement": _correlation(_ranks(size), _ranks(alone)),
        "largest_first": float((size.argmax(axis=1) == alone.argmax(axis=1)).mean()),
        "shuffled": _shuffled(loaded, chosen, parts),
    }


def _shuffled(
    loaded: LongitudinalModel, women: Sequence[History], parts: NDArray[np.float64]
) -> dict[str, Any]:
    """Set the parts beside those of networks that have learned nothing (Adebayo et al. 2018, arXiv:1810.03292).

    The encoder stays: where its lesion map has changed, any network is moved, so that the few large parts go together
    (Pearson's correlation); whether the order of all parts was learned is told by the ranks.
    """
    from models.longitudinal import LongitudinalModel, randomised, shuffled

    places = _some(range(len(women)), WOMEN_SHUFFLED)
    real = parts[places].ravel()
    ranks, plain, sizes = [], [], []
    # One network for all draws: it is built once.
    blind = LongitudinalModel(loaded.card, loaded.encoder, randomised(loaded.sequence, 0), loaded.calibration)
    learned = loaded.sequence.get_weights()
    for seed in range(SHUFFLES):
        blind.sequence.set_weights(shuffled(learned, seed))
        others = np.array([list(_movement(blind, women[place]).parts.values()) for place in places]).ravel()
        ranks.append(_correlation(_ranks(real), _ranks(others)))
        plain.append(_correlation(real, others))
        sizes.append(np.abs(others).mean())
    return {
        "women": len(places),
        "shuffles": SHUFFLES,
        "rank_correlation": float(np.mean(ranks)),
        "rank_correlation_most": float(np.max(ranks)),
        "correlation": float(np.mean(plain)),
        "size": float(np.mean(sizes) / np.abs(real).mean()) if real.any() else 0.0,
    }


def _movement(loaded: LongitudinalModel, woman: History) -> Any:
    return loaded.movement_of(woman.days, woman.ages, woman.vectors, woman.present)


def _some(those: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many of them, evenly spread."""
    return [those[place] for place in np.unique(np.linspace(0, len(those) - 1, most).astype(int))]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values.ravel()))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Pearson's correlation; 0 where one of them says the same everywhere, for that agrees with nothing."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
