"""Sequence models of any encoder's vectors, for few women and for many, with nothing chosen that can be averaged.

A hundred women with a dozen cancers cannot pay for an LSTM's freedom, nor for choosing among designs: on ten cancers the
choice is a toss, and history that was chosen so hurts. So what history may add is averaged over (`readout`), stands in
the scale of the level (`features`), and an LSTM speaks beside it with the share that women left out allow (`member`).
Where there are hundreds of cancers that LSTM is a larger one, and the last visit alone is read by one like it: what history
adds must not be what a freer network adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from models.measures import FEWEST, Logistic, fit_logistic, metrics
from models.sequence.embedded import EmbeddedWoman
from models.sequence.small.features import Prefixes, Projection, SmallMode, prefixes_of, project
from models.sequence.small.readout import FAMILIES, LAST_ALONE, Readout, fit_readout
from models.store import OnProgress

if TYPE_CHECKING:  # Keras is loaded where an LSTM is trained or asked: a read-out needs none.
    from models.sequence.small.member import Member

__all__ = ["SMALL_MODES", "SmallModel", "cross_validate", "fit_small", "gain_of"]

SMALL_MODES: tuple[SmallMode, ...] = ("history", "last", "dates")
INNER_FOLDS = 5
MANY_CANCERS = 300
"""So many pay for the larger LSTM: taught by 242 (1,000 simulated women) it told others' with AUC 0.77, the read-out with 0.78."""
LSTM_SHARES = {0.0: 0.4, 0.25: 0.2, 0.5: 0.2, 0.75: 0.2}
"""How much the LSTM may speak beside the read-out, and how likely that is beforehand."""


@dataclass(frozen=True)
class SmallModel:
    """A fitted model: what it says of a woman is the read-out and the LSTM together.

    Parameters
    ----------
    projection
        How a woman's vectors are seen.
    readout
        The linear formula.
    member
        The LSTM beside it, None where there is none.
    share
        How much the LSTM speaks, 0..1.
    line
        From the sum of both to log-odds that come true: fitted on women who were left out.
    """

    projection: Projection
    readout: Readout
    member: Member | None
    share: float
    line: Logistic

    def logit(self, women: Sequence[EmbeddedWoman]) -> NDArray[np.float64]:
        """Return (n,) log-odds of cancer within five years of each woman's last visit."""
        said = self.readout.logit(np.stack([self.projection.of(woman) for woman in women]))
        if self.member is not None and self.share > 0:
            said = (1 - self.share) * said + self.share * self.member.logit(women, self.projection)
        return self.line.of_logit(said)

    def probability(self, women: Sequence[EmbeddedWoman]) -> NDArray[np.float64]:
        """Return (n,) the probability of cancer within five years of each woman's last visit."""
        return np.asarray(expit(self.logit(women)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that the model is, as arrays that can be kept."""
        kept: dict[str, NDArray[Any]] = {
            "mean": self.projection.mean,
            "axes": self.projection.axes,
            "coefficients": self.readout.coefficients,
            "intercept": np.array(self.readout.intercept),
            "share": np.array(self.share),
            "line": np.array([self.line.intercept, self.line.slope]),
        }
        if self.member is not None and self.share > 0:
            kept |= {f"lstm_{name}": part for name, part in self.member.parts.items()}
        return kept


# Matrices this small are slower on several threads, much slower on a busy machine.
@threadpool_limits.wrap(limits=1)
def fit_small(
    women: Sequence[EmbeddedWoman], mode: SmallMode, *, seed: int = 0, lstm: bool | None = None
) -> SmallModel:
    """Fit a model on women whose outcome is known.

    Parameters
    ----------
    women
        Women with a label; their order does not matter.
    mode
        ``history`` sees all visits, ``last`` the last one alone, ``dates`` only when she came.
    seed
        The same gives the same folds and the same beginnings.
    lstm
        Whether an LSTM may speak; if None, in `history`, where there are cancers enough for inner folds, and in `last`
        where there are `MANY_CANCERS`.

    Raises
    ------
    ValueError
        If there are fewer than three cancers or three women without.
    """
    positive = sum(woman.label == 1 for woman in women)
    negative = sum(woman.label == 0 for woman in women)
    if min(positive, negative) < 3:
        raise ValueError(
            f"{positive} women with cancer and {negative} without are too few: three of each are the least."
        )
    families = FAMILIES if mode == "history" else LAST_ALONE
    projection = project(women, mode)
    prefixes = prefixes_of(women, projection)
    readout = fit_readout(prefixes, families)
    if min(positive, negative) < INNER_FOLDS:
        return SmallModel(projection, readout, None, 0.0, Logistic())
    folds = folds_of(women, INNER_FOLDS, seed)
    outside = np.full(len(women), np.nan)
    for held in folds:
        inside = np.setdiff1d(np.arange(len(women)), held)
        one = fit_readout(_only(prefixes, inside), families)
        outside[held] = one.logit(np.stack([projection.of(women[i]) for i in held]))
    label = np.array([woman.label for woman in women])
    many = min(positive, negative) >= MANY_CANCERS
    if not ((mode == "history" or (mode == "last" and many)) if lstm is None else lstm):
        return SmallModel(projection, readout, None, 0.0, _line(outside, label))
    from models.sequence.small.member import FEW, MANY, train_members

    everybody = np.arange(len(women))
    taught = [np.isin(everybody, held, invert=True) for held in folds]
    *inner, member = train_members(
        women,
        projection,
        prefixes,
        [*taught, np.ones(len(women), bool)],
        size=MANY if many else FEW,
        seed=seed,
    )
    by_lstm = np.full(len(women), np.nan)
    for held, one_member in zip(folds, inner, strict=True):
        by_lstm[held] = one_member.logit([women[i] for i in held], projection)
    share = _share(outside, by_lstm, label)
    return SmallModel(
        projection, readout, member, share, _line((1 - share) * outside + share * by_lstm, label)
    )


def _only(prefixes: Prefixes, women: NDArray[np.intp]) -> Prefixes:
    """Return the rows of some of the women."""
    mine = np.isin(prefixes.whose, women)
    return Prefixes(*(part[mine] for part in vars(prefixes).values()))


def _line(said: NDArray[np.float64], label: NDArray[np.float64]) -> Logistic:
    """Return the line from log-odds of women left out to what came of them; none where they are too few to tell."""
    known = np.isfinite(label)
    if min((label == 1).sum(), (label == 0).sum()) < FEWEST:
        return Logistic()
    return fit_logistic(said[known], label[known])


def _share(readout: NDArray[np.float64], lstm: NDArray[np.float64], label: NDArray[np.float64]) -> float:
    """Return how much the LSTM speaks: the average of `LSTM_SHARES`, each by its prior and by women left out."""
    evidence = []
    for share, prior in LSTM_SHARES.items():
        said = (1 - share) * readout + share * lstm
        z = _line(said, label).of_logit(said)
        evidence.append(np.log(prior) - float((np.logaddexp(0, z) - label * z).sum()))
    weight = np.exp(np.array(evidence) - max(evidence))
    return float(weight @ np.array(list(LSTM_SHARES)) / weight.sum())


def cross_validate(
    women: Sequence[EmbeddedWoman],
    mode: SmallMode,
    *,
    folds: int = 5,
    repeats: int = 5,
    seed: int = 0,
    report: OnProgress | None = None,
) -> dict[str, Any]:
    """Score every woman by models that never saw her.

    Returns
    -------
    dict
        ``auc`` and ``ci`` (95 %, DeLong) of the out-of-fold log-odds averaged over repeats; ``auc_by_repeat``;
        ``n``, ``events``; ``scores`` by woman; ``lstm_share``: how much the LSTM spoke, on average over the folds.
    """
    usable = [woman for woman in women if np.isfinite(woman.label)]
    label = np.array([woman.label for woman in usable])
    scores = np.full((repeats, len(usable)), np.nan)
    total = repeats * folds
    shares = []
    for repeat in range(repeats):
        for number, held in enumerate(folds_of(usable, folds, seed + repeat)):
            left_out = set(held.tolist())
            inside = [woman for i, woman in enumerate(usable) if i not in left_out]
            model = fit_small(inside, mode, seed=seed)
            # Centred on its own women, so that folds can be laid side by side.
            scores[repeat, held] = model.logit([usable[i] for i in held]) - model.logit(inside).mean()
            shares.append(model.share)
            if report is not None:
                report(mode, (repeat * folds + number + 1) / total, {})
    average = scores.mean(axis=0)
    value, low, high = metrics.auc_delong(label, average)
    return {
        "auc": value,
        "ci": [low, high],
        "auc_by_repeat": [metrics.auc(label, row) for row in scores],
        "n": len(usable),
        "events": int(label.sum()),
        "lstm_share": float(np.mean(shares)),
        "scores": {woman.patient_id: float(score) for woman, score in zip(usable, average, strict=True)},
    }


def gain_of(history: dict[str, float], last: dict[str, float], ill: dict[str, bool]) -> dict[str, Any]:
    """Return what history adds to the last visit alone: the paired difference of AUC over the same women.

    Parameters
    ----------
    history, last
        Out-of-fold scores by woman, as `cross_validate` gives them.
    ill
        By woman, whether cancer came within five years of her last visit.

    Returns
    -------
    dict
        ``value``, ``ci`` (95 %, DeLong's paired difference) and ``said``: in words, whether it can be told.
    """
    names = list(ill)
    value, low, high = metrics.delong_difference(
        [ill[name] for name in names], [history[name] for name in names], [last[name] for name in names]
    )[:3]
    if low <= 0 <= high:
        said = "cannot be told: the interval holds 0"
    else:
        said = (
            "history tells more than the last visit"
            if value > 0
            else "history tells less than the last visit"
        )
    return {"value": float(value), "ci": [float(low), float(high)], "said": said}


def folds_of(women: Sequence[EmbeddedWoman], count: int, seed: int) -> list[NDArray[np.intp]]:
    """Part women into folds with the cancers spread evenly; return the places of each fold's women."""
    random = np.random.default_rng(seed)
    place = np.zeros(len(women), np.int64)
    for outcome in (0.0, 1.0, np.nan):
        group = [
            i
            for i, woman in enumerate(women)
            if woman.label == outcome or (np.isnan(woman.label) and np.isnan(outcome))
        ]
        place[random.permutation(group).astype(np.int64)] = (
            np.arange(len(group)) + random.integers(count)
        ) % count
    return [np.flatnonzero(place == number) for number in range(count)]
