"""Tests of a longitudinal model's explanations: where heat maps point, and what each visit brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.movement import faithfulness
from core.rules.vocabulary import FindingClass
from core.sets import CachedViews, EncodedViews, Exams, Manifest

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel
    from models.sequence import History

__all__ = ["explanations"]

MOST_MAPS = 48
SHUFFLES = 3
WOMEN_ADDED_UP = 40
POINTED_MM = 10.0
"""The pointing game is played on findings of this diameter or more."""


def explanations(
    loaded: LongitudinalModel,
    exams: Exams,
    encoded: EncodedViews,
    manifests: Sequence[Manifest],
    women: Sequence[History],
) -> dict[str, Any]:
    """Test what explains a model's scores on women whose views are `encoded`.

    Returns
    -------
    dict
        ``pointing``: how often a heat map's peak lies in a box; ``randomisation``: how alike the maps of a network with
        shuffled weights are; ``contributions``: whether what each visit brought adds up; ``moved``
        (`core.evaluation.movement`): whether what is said to have moved a score did.
    """
    views = _boxed(exams, encoded.cached, encoded.rows, manifests)
    lesion = encoded.said["lesion"]
    return {
        "pointing": _pointing(views, lesion),
        "randomisation": _randomisation(loaded.encoder, encoded.cached.pixels, views, lesion),
        "contributions": _added_up(loaded, women),
        "moved": faithfulness(loaded, women),
    }


@dataclass(frozen=True)
class _BoxedView:
    """A view with a box of a finding of 10 mm or more: its place among the encoded, and what the game needs."""

    place: int
    row: int
    patient: int
    boxes: tuple[tuple[float, float, float, float, bool], ...]
    transform: Any


def _boxed(
    exams: Exams, cached: CachedViews, rows: Sequence[int], manifests: Sequence[Manifest]
) -> list[_BoxedView]:
    large: dict[Path, list[tuple[float, float, float, float, bool]]] = {}
    for manifest in manifests:
        for row in manifest.rows:
            if row.roi and (row.lesion_mm or 0) >= POINTED_MM:
                large.setdefault(row.path, []).append((*row.roi, row.finding == FindingClass.MALIGNANT))
    return [
        _BoxedView(place, i, exams.images[i].woman, tuple(large[exams.images[i].path]), cached.transforms[i])
        for place, i in enumerate(rows)
        if exams.images[i].path in large
    ]


def _hit(view: _BoxedView, heat: NDArray[Any]) -> bool:
    from models.longitudinal import heat_peak
    from models.view import STRIDE

    x, y = view.transform.to_original(*heat_peak(heat, (STRIDE * heat.shape[0], STRIDE * heat.shape[1])))
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1, _ in view.boxes)


def _pointing(views: Sequence[_BoxedView], lesion: NDArray[Any]) -> dict[str, Any]:
    """Play the pointing game (Zhang et al. 2018, 10.1007/s11263-017-1059-x) on boxes of findings of 10 mm or more."""
    from models.longitudinal import heat_map
    from models.measures import bootstrap

    said: dict[str, Any] = {}
    hit = np.array([_hit(view, heat_map(lesion[view.place].astype(np.float32))) for view in views], float)
    malignant = np.array([any(box[4] for box in view.boxes) for view in views], bool)
    woman = np.array([view.patient for view in views])
    for name, here in (("", np.ones(len(views), bool)), ("benign", ~malignant), ("malignant", malignant)):
        one: dict[str, Any] = {"n": int(here.sum()), "hits": None}
        if here.any():
            value, low, high = bootstrap(lambda h: float(h.mean()), hit[here], cluster=woman[here], times=500)
            one |= {"hits": value, "hits_ci": [low, high]}
        said |= {name: one} if name else one
    return said


def _randomisation(
    encoder: Any, pixels: NDArray[np.uint8], views: Sequence[_BoxedView], lesion: NDArray[Any]
) -> dict[str, Any] | None:
    """Compare heat maps with those of the same network with its weights shuffled (Adebayo et al. 2018)."""
    from models.longitudinal import heat_map, map_agreement, randomised, shuffled

    chosen = (
        [views[i] for i in np.unique(np.linspace(0, len(views) - 1, MOST_MAPS).astype(int))] if views else []
    )
    if not chosen:
        return None
    batch = np.stack([pixels[view.row] for view in chosen]).astype(np.float32)[..., None] / 255
    correlations, hits = [], []
    # One network for all draws: it is built once.
    blinded, learned = randomised(encoder, 0), encoder.get_weights()
    for seed in range(SHUFFLES):
        blinded.set_weights(shuffled(learned, seed))
        said = np.asarray(blinded.predict(batch, batch_size=8, verbose=0)["lesion"])
        for view, image, other in zip(chosen, batch, said, strict=True):
            heat, blind = heat_map(lesion[view.place].astype(np.float32)), heat_map(other)
            cells = image[..., 0].reshape(
                heat.shape[0], image.shape[0] // heat.shape[0], heat.shape[1], image.shape[1] // heat.shape[1]
            )
            hits.append(_hit(view, blind))
            try:
                correlations.append(map_agreement(heat, blind, cells.mean(axis=(1, 3)) > 0))
            except ValueError:
                correlations.append(0.0)  # a map that says the same everywhere agrees with nothing
    return {
        "views": len(chosen),
        "shuffles": SHUFFLES,
        "correlation": float(np.mean(correlations)),
        "correlation_most": float(np.max(correlations)),
        "hits": float(np.mean(hits)),
    }


def _added_up(loaded: LongitudinalModel, women: Sequence[History]) -> dict[str, Any] | None:
    """Check on some women that what each visit brought adds up to the change from the baseline to the score."""
    from models.measures import safe_logit

    chosen = [woman for woman in women if len(woman) > 1 and woman.present[-1].any()][:WOMEN_ADDED_UP]
    if not chosen:
        return None
    off = []
    for woman in chosen:
        said = loaded.score(_visits(woman))
        change = float(safe_logit(said.risk[4]) - safe_logit(said.baseline))
        off.append(abs(float(said.contributions.sum()) - change))
    return {"women": len(chosen), "largest_difference": max(off)}


def _visits(woman: History) -> list[Any]:
    """Return a woman's visits as a scorer gives them to the model; of a reading only the vector matters there."""
    from datetime import date

    from models.sequence import SIDES, SLOTS, SeenView, ViewReading, VisitInput

    empty = (np.zeros(4, np.float32), np.zeros(3, np.float32), np.zeros((1, 1), np.float16))
    return [
        VisitInput(
            date.fromordinal(int(day)),
            None if np.isnan(age) else float(age),
            tuple(
                SeenView(side, slot, ViewReading(vectors[i, j], *empty))
                for i, side in enumerate(SIDES)
                for j, slot in enumerate(SLOTS)
                if present[i, j]
            ),
        )
        for day, age, vectors, present in zip(
            woman.days, woman.ages, woman.vectors, woman.present, strict=True
        )
    ]
