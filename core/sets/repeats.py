"""Studies that were taken twice on one day: what differs between the two is position and exposure, not the woman."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.sets.encoded import EncodedViews, encode_views
from core.sets.exams import Exams, gather
from core.sets.histories import histories_of
from core.sets.manifest import Manifest, read_manifest
from models.store import OnProgress

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel
    from models.sequence import History

__all__ = ["taken_again"]

REPEAT = "repeat_1.csv"
"""The manifest of the same women with their last study taken again, beside the first (`seed_data simulate --repeats`)."""


def taken_again(
    model: LongitudinalModel,
    manifests: Sequence[Manifest],
    exams: Exams,
    encoded: EncodedViews,
    work: Path,
    report: OnProgress,
) -> list[History]:
    """Return the histories of women whose last study was taken twice on one day, with the second in its place.

    They are told by `REPEAT` beside a manifest; none is where no manifest has that beside it.

    Parameters
    ----------
    model
        By which images are encoded.
    manifests, exams, encoded
        The first takes: their manifests, what `gather` made of them and what the encoder said of them.
    work
        Folder in which standard views and vectors of the second takes are kept.
    report
        Told of progress.
    """
    beside = [one.source.parent / REPEAT for one in manifests]
    if not any(path.is_file() for path in beside):
        return []
    # A set without stands for itself, so that women are numbered as in the first gathering.
    others = gather(
        [read_manifest(path) if path.is_file() else one for path, one in zip(beside, manifests, strict=True)]
    )
    said = {
        exams.images[i].path: vector for i, vector in zip(encoded.rows, encoded.said["vector"], strict=True)
    }
    fresh = [image for image in others.images if image.path not in said]
    taken = encode_views(model, fresh, work, report)
    said |= {fresh[i].path: vector for i, vector in zip(taken.rows, taken.said["vector"], strict=True)}
    rows = [i for i, image in enumerate(others.images) if image.path in said]
    again = sorted({image.woman for image in fresh})
    return histories_of(others, rows, np.stack([said[others.images[i].path] for i in rows]), again)
