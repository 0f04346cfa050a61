"""Exams from manifests, ready for training: images standardised once into a cache, and what is known, by woman."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder
from core.rules.vocabulary import FINDINGS, FindingClass
from core.sets.manifest import MOVED, Manifest, ManifestRow, by_patient
from core.sets.record_lines import RecordLines
from core.sets.stored_rows import mapped_rows
from models.store import OnProgress
from models.view import NETWORK_SHAPE, ViewTransform, standardise

__all__ = ["ExamImage", "Exams", "Woman", "cache_views", "file_version", "gather", "read_pixels"]

MOST_PIXELS = 60_000_000
CHUNK = 32
ALONE_SECONDS = 3.0
"""How long images are read in this process before others are started: starting them would take longer than reading a small set."""


@dataclass(frozen=True)
class ExamImage:
    """One image of the set: where it belongs and the boxes drawn in it (x0, y0, x1, y1, malignant), original pixels."""

    path: Path
    woman: int
    visit: int
    laterality: str
    view: str
    boxes: tuple[tuple[float, float, float, float, bool], ...]
    finding: str | None
    density: str | None


@dataclass(frozen=True)
class Woman:
    """One woman: her studies' dates (None: undated), ages, what is known of each breast at each, and her outcome."""

    patient_id: str
    dates: tuple[date | None, ...]
    ages: tuple[float | None, ...]
    finding: tuple[dict[str, str], ...]
    density: tuple[dict[str, str], ...]
    progression: tuple[dict[str, bool], ...]
    cancer_date: date | None
    cancer_laterality: str | None
    last_followup: date | None
    split: str | None


@dataclass
class Exams:
    """Women and their images; `boxed` says that the set draws boxes around what is visible."""

    women: list[Woman] = field(default_factory=list)
    images: list[ExamImage] = field(default_factory=list)
    boxed: bool = False


def gather(manifests: Sequence[Manifest], encoder_only: Sequence[Manifest] = ()) -> Exams:
    """Bring the rows of manifests together by woman, study and image.

    Several rows of one image (a finding each) make one image with several boxes. Women of different manifests
    are different women, even where they bear the same id. Women of `encoder_only` get that as their split.

    Raises
    ------
    ValueError
        If some studies of a woman have a date and others none: how far apart they lie cannot be known. If a lesion was moved
        there from another woman.
    """
    exams = Exams()
    for number, manifest in enumerate((*manifests, *encoder_only)):
        rows = [row for row in manifest.rows if row.modality == "MG"]
        moved = next((row for row in rows if row.lesion_of), None)
        if moved is not None:
            raise ValueError(f"{manifest.source}, line {moved.line}: {MOVED}")
        exams.boxed |= any(row.roi for row in rows)
        for patient, hers in by_patient(rows):
            name = patient if number == 0 else f"{number + 1}:{patient}"
            undated = [row for row in hers if row.study_date is None]
            if undated and len(undated) < len(hers):
                raise ValueError(
                    f"{manifest.source}, line {undated[0].line}: this image of {patient} has no study_date, her others have "
                    "one. Give it, or leave the row out."
                )
            woman = _woman(name, hers)
            exams.women.append(replace(woman, split="encoder-only") if number >= len(manifests) else woman)
            exams.images += _images(len(exams.women) - 1, hers)
    return exams


def _woman(name: str, rows: list[ManifestRow]) -> Woman:
    studies = sorted({row.study_date for row in rows}, key=lambda on: on or date.min)
    finding: list[dict[str, str]] = [{} for _ in studies]
    density: list[dict[str, str]] = [{} for _ in studies]
    progression: list[dict[str, bool]] = [{} for _ in studies]
    ages: list[float | None] = [None for _ in studies]
    for row in rows:
        k, side = studies.index(row.study_date), row.laterality or ""
        if row.finding:
            worse = max(finding[k].get(side, FindingClass.NORMAL), row.finding, key=FINDINGS.index)
            finding[k][side] = worse
        if row.density:
            density[k][side] = row.density
        if row.progression is not None:
            progression[k][side] = progression[k].get(side, False) or row.progression
        if row.age_years is not None:
            ages[k] = row.age_years

    def last(values: list[Any]) -> Any:
        known = [value for value in values if value is not None]
        return known[-1] if known else None

    return Woman(
        patient_id=name,
        dates=tuple(studies),
        ages=tuple(ages),
        finding=tuple(finding),
        density=tuple(density),
        progression=tuple(progression),
        cancer_date=last([row.cancer_date for row in rows]),
        cancer_laterality=last([row.cancer_laterality for row in rows]),
        last_followup=last([row.last_followup_date for row in rows]) or studies[-1],
        split=last([row.split for row in rows]),
    )


def _images(woman: int, rows: list[ManifestRow]) -> list[ExamImage]:
    studies = sorted({row.study_date for row in rows}, key=lambda on: on or date.min)
    grouped: dict[Path, list[ManifestRow]] = {}
    for row in rows:
        grouped.setdefault(row.path, []).append(row)
    images = []
    for path, several in grouped.items():
        first = several[0]
        said = [row.finding for row in several if row.finding]
        images.append(
            ExamImage(
                path=path,
                woman=woman,
                visit=studies.index(first.study_date),
                laterality=first.laterality or "",
                view=first.view or "",
                boxes=tuple((*row.roi, row.finding == FindingClass.MALIGNANT) for row in several if row.roi),
                finding=max(said, key=FINDINGS.index) if said else None,
                density=first.density,
            )
        )
    return images


def read_pixels(path: Path) -> NDArray[np.uint16]:
    """Decode one image of a training set; larger is brighter. Raises `core.refusals.Refusal` or OSError."""
    from core.images import decode

    return decode(path.read_bytes(), max_pixels=MOST_PIXELS).pixels


def _standardised(
    path: Path, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8] | None, dict[str, Any] | str]:
    """Read and standardise one image; the second item is the transform, or why there is none."""
    try:
        view = standardise(read_pixels(path), shape)
    except Exception as error:  # noqa: BLE001 - decoders raise anything; the image is left out and named
        return None, f"{type(error).__name__}: {error}"
    return np.round(view.pixels[..., 0] * 255).astype(np.uint8), view.transform.to_json()


@dataclass(frozen=True)
class CachedViews:
    """Standard views of a set: pixels (n, rows, columns) uint8, and for each its transform, or None if it is left out.

    `left_out` says why, by path; `stamp` is the same for the same files.
    """

    pixels: NDArray[np.uint8]
    transforms: list[ViewTransform | None]
    left_out: dict[str, str]
    stamp: str

    def usable(self) -> list[int]:
        """Return the places of the images that can be used; ValueError with a reason if there is none."""
        places = [i for i, transform in enumerate(self.transforms) if transform is not None]
        if not places:
            reason = next(iter(self.left_out.values()), "there is none.")
            raise ValueError(f"None of the images can be read: {reason}")
        return places


def file_version(path: Path) -> str:
    """Return what tells a file from others and from itself once it is changed; its size may stay the same."""
    facts = path.stat()
    return f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}"


def _each_standardised(
    paths: Sequence[Path], shape: tuple[int, int], processes: int
) -> Iterator[tuple[NDArray[np.uint8] | None, dict[str, Any] | str]]:
    """Yield what `_standardised` says of each file, in their order."""
    standardised = partial(_standardised, shape=shape)
    here_until, read = time.monotonic() + ALONE_SECONDS, 0
    while read < len(paths) and time.monotonic() < here_until:
        yield standardised(paths[read])
        read += 1
    if read < len(paths):
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            yield from pool.map(standardised, paths[read:], chunksize=8)


def cache_views(
    images: Sequence[ExamImage],
    folder: Path,
    report: OnProgress,
    processes: int = 2,
    *,
    shape: tuple[int, int] = NETWORK_SHAPE,
) -> CachedViews:
    """Standardise images to `shape` into a memory map in `folder`, going on where a killed run stopped.

    Images that cannot be read, or in which no breast is found, are left out; `left_out` says which and why. Those that
    are not read within `ALONE_SECONDS` are read by `processes` of their own.
    """
    private_folder(folder)
    listing = "\n".join(file_version(image.path) for image in images)
    if shape != NETWORK_SHAPE:
        listing = f"{shape}\n{listing}"
    stamp = hashlib.sha256(listing.encode()).hexdigest()[:16]
    pixels_path, facts_path = folder / f"views-{stamp}.u8", folder / f"views-{stamp}.jsonl"
    every = (len(images), *shape)
    if not images:
        return CachedViews(np.zeros(every, np.uint8), [], {}, stamp)
    kept = RecordLines(facts_path, len(images))
    pixels = mapped_rows(pixels_path, every, kept)
    begun = len(kept.records)
    if begun < len(images):
        chunk: list[Any] = []
        todo = [image.path for image in images[begun:]]
        for place, (one, fact) in enumerate(_each_standardised(todo, shape, processes), start=begun):
            if one is not None:
                pixels[place] = one
            chunk.append(fact)
            if len(chunk) == CHUNK or place == len(images) - 1:
                pixels.flush()
                kept.append(chunk)
                chunk = []
                report("reading images", len(kept.records) / len(images), {})
    facts = kept.records
    left_out = {
        str(image.path): fact for image, fact in zip(images, facts, strict=True) if isinstance(fact, str)
    }
    transforms = [None if isinstance(fact, str) else ViewTransform.from_json(fact) for fact in facts]
    return CachedViews(np.memmap(pixels_path, np.uint8, "r", shape=every), transforms, left_out, stamp)
