"""What a model's encoder says of a set's images: standardised and encoded once, kept so that a repeat is quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from core.sets.exams import CachedViews, ExamImage, cache_views
from core.sets.stored_rows import late_rows
from models.store import OnProgress, keep_arrays, kept_arrays

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel

__all__ = ["EncodedViews", "encode_views"]


@dataclass(frozen=True)
class EncodedViews:
    """Standard views of images, which of them can be used, and what the encoder says of these.

    Parameters
    ----------
    cached
        The views, one for each image.
    rows
        Places of the images that can be used.
    said
        What `models.view.training.embed` gives, a row for each of `rows`.
    """

    cached: CachedViews
    rows: list[int]
    said: dict[str, NDArray[Any]]


def encode_views(
    model: LongitudinalModel,
    images: Sequence[ExamImage],
    work: Path,
    report: OnProgress,
    *,
    mirrored: bool = False,
) -> EncodedViews:
    """Standardise and encode images, or their mirror images, going on where an earlier run in `work` stopped.

    Raises
    ------
    ValueError
        If none of the images can be used, or what an earlier run kept is damaged.
    """
    from models.view import embed

    cached = cache_views(images, work / "cache", report, shape=model.shape)
    rows = cached.usable()
    kept = work / f"embedded-{model.card.encoder_sha256[:16]}-{cached.stamp}{'-mirrored' * mirrored}.npz"
    before = kept_arrays(kept)
    if before is not None:
        return EncodedViews(cached, rows, before)
    said: dict[str, NDArray[Any]] = embed(
        model.encoder, late_rows(cached.pixels, rows, mirrored=mirrored), report
    )
    keep_arrays(kept, **said)
    return EncodedViews(cached, rows, said)
