"""A linear read-out that averages over what it might have been, instead of choosing on a dozen cancers.

Ridge-penalised logistic regressions, six families of what history may add to the last visit by six
penalties, are weighed by how well each foretells women it has not seen (Bayesian model averaging with leave-one-out as evidence:
Geisser and Eddy 1979, 10.1080/01621459.1979.10481632). Their average is one linear formula again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.sequence.small.features import BLOCKS, Prefixes

__all__ = ["FAMILIES", "LAST_ALONE", "Family", "Readout", "fit_readout"]

PENALTIES = tuple(float(value) for value in np.geomspace(0.3, 100, 6))


@dataclass(frozen=True)
class Family:
    """What a read-out may use: how much each of `BLOCKS` is multiplied by, and how likely that is beforehand."""

    blocks: tuple[float, float, float, float]
    prior: float


LAST_ALONE = (Family((1.0, 0.0, 0.0, 0.0), 1.0),)
FAMILIES = (
    Family((1.0, 0.0, 0.0, 0.0), 0.40),
    Family((0.7, 0.7, 0.0, 0.0), 0.15),
    Family((0.0, 0.0, 1.0, 0.0), 0.15),
    Family((1.0, 0.0, 0.0, 3.0), 0.10),
    Family((1.0, 0.0, 0.0, 6.0), 0.10),
    Family((1.0, 0.0, 0.0, 15.0), 0.10),
)
"""The last visit, alone or with the mean, the recent mean in its place, or beside it the slope at three strengths."""


@dataclass(frozen=True)
class Readout:
    """One formula: log-odds are ``rows @ coefficients + intercept``; `shares` is how much each family speaks in it."""

    coefficients: NDArray[np.float64]
    intercept: float
    shares: tuple[float, ...]

    def logit(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (r,) log-odds of rows (r, 4 k)."""
        return np.asarray(rows @ self.coefficients + self.intercept)


def fit_readout(prefixes: Prefixes, families: tuple[Family, ...]) -> Readout:
    """Fit every family with every penalty and average them, each by its prior and the women it foretold."""
    width = prefixes.rows.shape[1] // len(BLOCKS)
    evidence, coefficients, intercepts = [], [], []
    for family in families:
        factor = np.repeat(family.blocks, width)
        used = factor > 0
        design = prefixes.rows[:, used] * factor[used]
        for penalty in PENALTIES:
            line = _fit(design, prefixes, penalty)
            evidence.append(np.log(family.prior) - _loss_of_women_left_out(line, design, prefixes, penalty))
            whole = np.zeros(len(factor))
            whole[used] = line[:-1] * factor[used]
            coefficients.append(whole)
            intercepts.append(line[-1])
    share = np.exp(np.array(evidence) - max(evidence))
    share /= share.sum()
    by_family = share.reshape(len(families), len(PENALTIES)).sum(axis=1)
    return Readout(
        share @ np.array(coefficients), float(share @ np.array(intercepts)), tuple(by_family.tolist())
    )


def _fit(design: NDArray[np.float64], prefixes: Prefixes, penalty: float) -> NDArray[np.float64]:
    """Return (w + 1,) coefficients and a free intercept; `penalty` is on half the squared length of the former."""
    fit = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-8)
    fit.fit(design, prefixes.label, sample_weight=prefixes.weight)
    return np.append(fit.coef_[0], fit.intercept_[0])


def _loss_of_women_left_out(
    line: NDArray[np.float64], design: NDArray[np.float64], prefixes: Prefixes, penalty: float
) -> float:
    """Return the log loss at each woman's last visit, summed, as if she had been left out with all her rows.

    One Newton step from the whole fit towards the fit without her (Rad and Maleki 2020, 10.1111/rssb.12374), for all
    her rows at once by Woodbury's identity.
    """
    rows = np.column_stack([design, np.ones(len(design))])
    said = 1 / (1 + np.exp(-rows @ line))
    curvature = prefixes.weight * said * (1 - said)
    hessian = (rows * curvature[:, None]).T @ rows + np.diag(
        np.append(np.full(design.shape[1], penalty), 1e-9)
    )
    towards = np.linalg.solve(hessian, rows.T).T  # (r, w + 1)
    pull = prefixes.weight * (said - prefixes.label)
    loss = 0.0
    starts = np.flatnonzero(np.diff(prefixes.whose, prepend=-1))
    stops = np.append(starts[1:], len(rows))
    known = prefixes.last[stops - 1]  # of others' last visits nothing is known
    for count in np.unique(stops - starts):  # women with as many rows at once
        place = starts[known & (stops - starts == count), None] + np.arange(count)
        hers, step = rows[place], towards[place]  # (women, rows, w + 1)
        moved = np.einsum("nr,nrw->nw", pull[place], step)
        room = np.eye(count) / np.maximum(curvature[place], 1e-12)[:, None] - hers @ step.swapaxes(1, 2)
        lifted = np.linalg.solve(room, hers @ moved[..., None])
        moved += np.einsum("nr,nrw->nw", lifted[..., 0], step)
        z = np.einsum("nw,nw->n", hers[:, -1], line + moved)
        loss += float((np.logaddexp(0, z) - prefixes.label[place[:, -1]] * z).sum())
    return loss
