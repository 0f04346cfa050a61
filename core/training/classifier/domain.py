"""Which pictures a model of single images knows: fitted when it is trained, or for one that lacks it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder
from core.sets import Cases, ImageCase, prepare_cases
from core.training.runs import TrainingError, check_no_model
from models.store import OnProgress

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.classifier import ImageModel
    from models.measures import Domain
    from models.store import ModelCard

__all__ = ["FITTED_ON", "give_picture_domain", "picture_domain"]

FITTED_ON = "the pictures it was trained on"


def picture_domain(
    vectors: NDArray[np.float32],
    women: Sequence[str],
    distances: NDArray[np.float64] | None = None,
    judged: Sequence[str] | None = None,
) -> tuple[Domain, dict[str, Any]]:
    """Fit the domain of a model of single images; return it with what its card is to say.

    Parameters
    ----------
    vectors
        (n, D) of the pictures that it learned from.
    women
        (n,) whose each is.
    distances
        (m,) how far pictures of the same kind lie out that the network, or the distribution, did not learn from; None:
        those of the n, each out of the distribution of other women.
    judged
        (m,) whose those are; None: the same as `women`.

    Raises
    ------
    ValueError
        If there are too few pictures to set a limit on.
    """
    from models.measures import (
        PICTURES_TURNED_AWAY,
        check_enough,
        cross_fitted,
        spread_of,
        turned_away_by_others,
    )

    check_enough(women)
    if distances is None:
        distances = cross_fitted(vectors, women)
    unseen = list(judged if judged is not None else women)
    domain = spread_of(vectors, women, FITTED_ON).limited(distances, PICTURES_TURNED_AWAY)
    return domain, {
        "fitted_on": domain.fitted_on,
        "women": domain.women,
        "cases": domain.studies,
        "limit": domain.limit,
        "same_kind": {
            "cases": len(distances),
            "cases_beyond": int(turned_away_by_others(distances, unseen).sum()),
        },
    }


def give_picture_domain(
    model: Path,
    cases: Cases,
    out: Path,
    report: OnProgress,
    *,
    against: Mapping[str, Cases],
    like: Mapping[str, Cases] | None = None,
    elsewhere: Mapping[str, Any] | None = None,
) -> ModelCard:
    """Write a model of single images to `out` as it is, with the domain of the pictures that it was trained on.

    Its networks stay the same to the byte. Where it keeps which images it was trained on, pictures that are none of
    these are not fitted to: the card says how many of them are turned away, and of each set of `against`. Within the limit
    shall lie the collections of `like` too, which are of its kind though nothing was learned from them: the card says how many
    of each the limit that the others set turns away. `elsewhere` are the metrics of the model on such pictures, if it was
    evaluated on them: they decide whether it may speak of them.

    Raises
    ------
    TrainingError
        If `out` holds a model, or there are too few pictures.
    """
    from models.classifier import ImageModel

    check_no_model(out)
    loaded = ImageModel.load(model)
    private_folder(out)
    shown, vectors = _vectors(loaded, cases, out / "work" / "own", report)
    seen = _taught(model, shown)
    try:
        loaded.domain, facts = picture_domain(
            vectors[seen], [case.group for case, one in zip(shown, seen, strict=True) if one]
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error
    if like:
        distances = {
            name: _distances(loaded, others, out / "work" / f"like-{place}", report)
            for place, (name, others) in enumerate(like.items())
        }
        loaded.domain, facts["like"] = _widened(loaded.domain, distances)
        facts |= {"limit": loaded.domain.limit, "usual_limit": loaded.domain.usual}
        facts |= {"elsewhere": _in_short(elsewhere)} if elsewhere else {}
    beyond = loaded.domain.distances(vectors) > loaded.domain.limit
    if not seen.all():
        facts["new"] = {"cases": int((~seen).sum()), "cases_beyond": int(beyond[~seen].sum())}
    facts["turned_away"] = {
        name: _turned_away(loaded, others, out / "work" / f"against-{place}", report)
        for place, (name, others) in enumerate(against.items())
    }
    loaded.card = replace(loaded.card, settings=loaded.card.settings | {"domain": facts})
    for name in loaded.card.files:
        shutil.copyfile(model / name, out / name)
    return loaded.save_domain(out)


def _taught(model: Path, cases: Sequence[ImageCase]) -> NDArray[np.bool_]:
    """Tell which cases show images that the model was trained on: all, where it keeps no list of them."""
    from core.evaluation import SEEN, sha256_of_cases

    listed = model / SEEN
    if not listed.is_file():
        return np.ones(len(cases), bool)
    known = set(json.loads(listed.read_text("utf-8")))
    return np.array([image in known for image in sha256_of_cases(cases)], bool)


def _turned_away(model: ImageModel, cases: Cases, work: Path, report: OnProgress) -> dict[str, int]:
    """Count the pictures of a set in which the model finds what it wants to be shown, and those beyond its limit."""
    assert model.domain is not None
    far = _distances(model, cases, work, report)
    return {
        "cases": len(far),
        "cases_beyond": int((far > model.domain.limit).sum()),
        "not_readable": len(cases.cases) - len(far),
    }


def _in_short(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the card says of a model on pictures from elsewhere: of whole films, abnormal against normal."""
    films = metrics.get("films", {}).get("abnormal", {}).get("film")
    told = films or metrics
    return {
        key: (told if key.startswith("auc") else metrics).get(key) for key in ("n", "women", "auc", "auc_ci")
    }


def _widened(
    domain: Domain, distances: Mapping[str, NDArray[np.float64]]
) -> tuple[Domain, dict[str, dict[str, int]]]:
    """Widen a domain to collections like its own; return it, and of each how many lie beyond what the others alone allow."""
    left_out = {}
    for name, far in distances.items():
        others = [one for other, one in distances.items() if other != name]
        limit = domain.widened(others).limit
        left_out[name] = {"cases": len(far), "cases_beyond": int((far > limit).sum())}
    return domain.widened(list(distances.values())), left_out


def _distances(model: ImageModel, cases: Cases, work: Path, report: OnProgress) -> NDArray[np.float64]:
    """Return how far the pictures of a set lie out in which the model finds what it wants to be shown."""
    assert model.domain is not None
    shown, vectors = _vectors(model, cases, work, report)
    return model.domain.distances(vectors) if len(shown) else np.zeros(0)


def _vectors(
    model: ImageModel, cases: Cases, work: Path, report: OnProgress
) -> tuple[list[ImageCase], NDArray[np.float32]]:
    """Return the cases that can be shown to the model, and their vectors."""
    prepared = prepare_cases(cases.cases, model.config.input, work, report)
    rows = np.flatnonzero(prepared.readable)
    around = None if prepared.around is None else prepared.around[rows]
    report("looking", 0.0, {})
    vectors = model.head.vectors(prepared.pixels[rows], around) if len(rows) else np.zeros((0, 0), np.float32)
    report("looking", 1.0, {})
    return [cases.cases[i] for i in rows], vectors
