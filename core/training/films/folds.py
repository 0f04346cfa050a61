"""Who judges whom: heads and sequences of each fold, taught by other women, and what they say out of fold.

Films that teach never judge. Women whose pictures are in fold k are read by heads that learned from the other folds; those who
teach a sequence that judges fold k are read by heads that know neither k nor their own fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.sets import histories_of
from core.training.films.plan import FilmPlan
from core.training.films.views import FilmViews
from models.store import OnProgress, keep_arrays, kept_arrays

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    import keras

    from models.film import DetectorRecipe, FilmHeads
    from models.sequence import History, Mode

__all__ = ["FoldReader", "Judges", "recipes_of", "train_judges"]

JUDGED: tuple[Literal["history", "last"], ...] = ("history", "last")
"""All visits; the last one alone."""
BATCH = 32
LEAST_EPOCHS, PATIENCE = 3, 3


def recipes_of(plan: FilmPlan) -> dict[str, Any]:
    """Return how detector and sequence learn: what one release began another must not go on with by other recipes."""
    from models.sequence import SequenceConfig

    sequence = SequenceConfig(vector_size=0).to_json()
    del sequence["vector_size"]
    return {"detector": asdict(_detector(plan)), "sequence": sequence}


def _detector(plan: FilmPlan) -> DetectorRecipe:
    from models.film import DetectorRecipe, HeadRecipe

    return DetectorRecipe(head=HeadRecipe(seed=plan.seed))


@dataclass
class FoldReader:
    """Reads views by heads that know none of the folds they are read for.

    Parameters
    ----------
    views
        All views.
    fold, read
        (women,) of each woman or life, and whether she is to be read: who is not only teaches what a lesion is.
    plan, work
        Seed and folds; where vectors are kept.
    tail
        As `models.film.build_tail` gives it.
    report
        Told of progress.
    """

    views: FilmViews
    fold: NDArray[np.int64]
    read: NDArray[np.bool_]
    plan: FilmPlan
    work: Path
    tail: keras.Model
    report: OnProgress
    _heads: dict[frozenset[int], FilmHeads] = field(default_factory=dict)

    def heads(self, without: frozenset[int]) -> FilmHeads:
        """Return heads that learned from all folds but some."""
        from models.film import fit_film_heads

        if without not in self._heads:
            mine = ~np.isin(self.fold[self.views.woman], list(without))
            self._heads[without] = fit_film_heads(
                self.views.cells, self.views.lessons, mine, _detector(self.plan), self.report
            )
        return self._heads[without]

    def vectors(self, held: int | None) -> NDArray[np.float32]:
        """Return (n, D) what is read of views for a sequence that judges fold `held`, or none; 0 where none is read."""
        path = self.work / f"vectors-{self.plan.seed}-{self.plan.folds}-{held}-{self.views.cached.stamp}.npz"
        kept = kept_arrays(path)
        if kept is not None:
            return kept["vectors"]
        size = int(self.tail.output["vector"].shape[-1])
        vectors = np.zeros((len(self.views.rows), size), np.float32)
        fold = np.where(self.read, self.fold, -1)[self.views.woman]
        for one in range(self.plan.folds):
            chosen = np.flatnonzero(fold == one)
            heads = self.heads(frozenset({one} if held is None else {one, held}))
            vectors[chosen] = self.views.vectors(self.tail, heads, chosen)
            self.report(f"reading for fold {held}", (one + 1) / self.plan.folds, {})
        keep_arrays(path, vectors=vectors)
        return vectors

    @property
    def map_grid(self) -> tuple[int, int]:
        """Rows and columns of the coarse lesion map at a vector's end."""
        from models.view import coarse_grid

        return coarse_grid(self.views.cached.pixels.shape[1:])

    def histories(self, vectors: NDArray[np.float32], women: NDArray[np.bool_]) -> list[History]:
        """Return the histories of some women or lives, (women,) bool."""
        return histories_of(
            self.views.exams, self.views.rows.tolist(), vectors, np.flatnonzero(women).tolist()
        )


@dataclass(frozen=True)
class Judges:
    """Ensembles by what they are shown, how their log-odds lie among validation women, and the curve of their training.

    Parameters
    ----------
    ensembles
        By mode.
    middle
        By mode (5,), the mean raw log-odds of risk at the validation women's last visits; and of progression.
    """

    ensembles: dict[Mode, keras.Model]
    middle: dict[Mode, NDArray[np.float64]]
    middle_growth: float
    curve: list[dict[str, Any]]

    def risk(self, mode: Mode, women: list[History]) -> NDArray[np.float64]:
        """Return (n, 5) log-odds of risk at the last visit, above the validation women's mean."""
        return _raw(self.ensembles[mode], mode, women) - self.middle[mode]

    def growth(self, women: list[History]) -> list[NDArray[np.float64]]:
        """Return by woman (visits, 2) log-odds of progression, above the validation women's mean."""
        from models.sequence import predict_histories

        said = predict_histories(self.ensembles["history"], women)
        return [one["progression"].mean(axis=0) - self.middle_growth for one in said]


def train_judges(
    training: list[History],
    validation: list[History],
    plan: FilmPlan,
    report: OnProgress,
    members: int,
    modes: Sequence[Literal["history", "last"]] = JUDGED,
    *,
    map_grid: tuple[int, int],
) -> Judges:
    """Train an ensemble for each mode; validation women stop it early and say where its middle lies.

    `map_grid`: rows and columns of the coarse lesion map at a vector's end.
    """
    from models.sequence import (
        SequenceConfig,
        SequenceRecipe,
        as_mode,
        build_ensemble,
        fit_sequence,
        predict_histories,
    )

    ensembles: dict[Mode, keras.Model] = {}
    middle: dict[Mode, NDArray[np.float64]] = {}
    curve: list[dict[str, Any]] = []
    for mode in modes:
        shown, held = (
            [one for history in some for one in as_mode(history, mode)] for some in (training, validation)
        )
        width = shown[0].vectors.shape[-1]
        config = SequenceConfig(width, map_grid=map_grid)
        epochs = max(LEAST_EPOCHS, -(-plan.steps // max(1, len(shown) // BATCH)))
        recipe = SequenceRecipe(
            members=members,
            epochs=epochs,
            patience=max(PATIENCE, epochs // 5),
            batch=BATCH,
            seed=plan.seed,
        )
        heads, records = fit_sequence(config, shown, held, recipe, report, name=mode)
        curve += records
        ensembles[mode] = build_ensemble(heads, width)
        middle[mode] = _raw(ensembles[mode], mode, validation).mean(axis=0)
    growth = predict_histories(ensembles["history"], validation)
    later = np.concatenate([one["progression"].mean(axis=0)[1:] for one in growth])
    return Judges(ensembles, middle, float(later.mean()) if len(later) else 0.0, curve)


def _raw(ensemble: keras.Model, mode: Mode, women: list[History]) -> NDArray[np.float64]:
    """Return (n, 5) raw log-odds of risk at each woman's last visit."""
    from models.measures import safe_logit
    from models.sequence import as_mode, predict_histories, risk_from_hazards

    shown = [as_mode(woman, mode)[-1] for woman in women]
    said = predict_histories(ensemble, shown)
    return safe_logit(np.stack([risk_from_hazards(one["hazard"][:, -1]).mean(axis=0) for one in said]))
