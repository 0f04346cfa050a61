"""Which pictures and women a longitudinal model knows: fitted when it is trained or calibrated, or for one that lacks it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder
from core.sets import Exams, Manifest, encode_views, gather
from core.training.runs import TrainingError, check_no_model
from models.store import OnProgress

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel
    from models.measures import Domain
    from models.store import ModelCard

__all__ = ["domain_of", "give_domain", "turned_away_of"]


def domain_of(exams: Exams, images: Sequence[int], vectors: NDArray[np.float32], whose: str) -> Domain:
    """Fit the domain of an encoder on images of a set.

    Parameters
    ----------
    exams
        The set.
    images
        Places of the images that were encoded.
    vectors
        (len(images), D) what the encoder says of them.
    whose
        Who the women are, in words.

    Raises
    ------
    ValueError
        If there are too few studies to set a limit on.
    """
    from models.measures import fit_domain

    shown = [exams.images[place] for place in images]
    women = [exams.women[image.woman] for image in shown]
    ages = [
        age
        for woman in {image.woman for image in shown}
        for age in exams.women[woman].ages
        if age is not None
    ]
    return fit_domain(
        vectors,
        [woman.patient_id for woman in women],
        [str(image.visit) for image in shown],
        ages or [np.nan],
        whose,
    )


def give_domain(
    model: Path,
    manifests: Sequence[Manifest],
    out: Path,
    report: OnProgress,
    *,
    against: Sequence[Manifest] = (),
) -> ModelCard:
    """Write a model to `out` as it is, with the domain of women of the kind that it learned from.

    The networks and the calibration stay the same to the byte. The card says what the limit turns away of each set of
    `against`, none of which it was fitted on.

    Raises
    ------
    TrainingError
        If `out` holds a model, or there are too few studies.
    """
    from models.longitudinal import LongitudinalModel

    check_no_model(out)
    loaded = LongitudinalModel.load(model)
    exams = gather(manifests)
    private_folder(out)
    encoded = encode_views(loaded, exams.images, out / "work", report)
    try:
        loaded.domain = domain_of(
            exams, encoded.rows, encoded.said["vector"], "women of the kind it learned from"
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error
    known = loaded.domain
    facts = {
        "fitted_on": known.fitted_on,
        "women": known.women,
        "studies": known.studies,
        "limit": known.limit,
    }
    turned_away = {
        one.source.parent.name: turned_away_of(loaded, one, out / "work" / f"against-{place}", report)
        for place, one in enumerate(against)
    }
    loaded.card = replace(
        loaded.card, settings=loaded.card.settings | {"domain": facts | {"turned_away": turned_away}}
    )
    for name in loaded.card.files:
        if (model / name).is_file():
            shutil.copyfile(model / name, out / name)
    return loaded.save_domain(out)


def turned_away_of(
    model: LongitudinalModel, manifest: Manifest, work: Path, report: OnProgress
) -> dict[str, int]:
    """Return how many views and studies a set has, and how many of them lie beyond the model's limit."""
    exams = gather([manifest])
    encoded = encode_views(model, exams.images, work, report)
    assert model.domain is not None
    far = model.domain.distances(encoded.said["vector"]) > model.domain.limit
    images = [exams.images[place] for place in encoded.rows]
    studies = {(image.woman, image.visit) for image in images}
    beyond = {(image.woman, image.visit) for image, out in zip(images, far, strict=True) if out}
    return {
        "views": len(images),
        "views_beyond": int(far.sum()),
        "studies": len(studies),
        "studies_beyond": len(beyond),
    }
