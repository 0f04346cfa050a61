"""Images of a labelled set, decoded once into a memory map, each with a fingerprint that finds near duplicates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from core.files import private_folder
from core.refusals import Refusal
from core.sets.cases import ImageCase
from core.sets.exams import file_version, read_pixels
from core.sets.record_lines import RecordLines
from core.sets.stored_rows import mapped_rows
from models.classifier import AROUND, ImageInput, PreparedImage, prepare, tissue_box
from models.store import OnProgress
from models.view import ViewTransform

__all__ = ["PreparedCases", "fingerprint", "near_duplicates", "prepare_cases", "tissue_sides"]

CHUNK = 32
LAYOUT = "2 "
"""Changes when what is kept of an image does, so that what was kept before is not read."""
DEFAULT_SIDE = 100
"""Side in pixels of a box of normal tissue in a set that draws no boxes."""
SKETCH = 32
NEAR_BITS = 8
"""Fingerprints (64 bits) that differ in more bits are of different pictures."""
NEAR_CORRELATION = 0.985
"""Of near fingerprints, sketches whose detail correlates more are of one picture; see tests for what was measured."""


@dataclass(frozen=True)
class PreparedCases:
    """Prepared images: ``pixels`` (n, rows, columns) uint8, ``readable`` (n,), ``sketches`` (n, 32, 32) float32, ``sizes``, what is left out by place, ``transforms`` from the originals; ``around``, where it is wanted."""

    pixels: NDArray[np.uint8]
    readable: NDArray[np.bool_]
    sketches: NDArray[np.float32]
    sizes: list[tuple[int, int] | None]
    left_out: dict[int, str]
    transforms: list[ViewTransform | None]
    around: NDArray[np.uint8] | None = None


def prepare_cases(
    cases: Sequence[ImageCase], wanted: ImageInput, folder: Path, report: OnProgress
) -> PreparedCases:
    """Decode and prepare images into `folder`, going on where a killed run stopped.

    What cannot be read, has no breast where one is wanted, or whose box lies outside is left out, with the reason.
    """
    private_folder(folder)
    sides = tissue_sides(cases)
    listing = "\n".join(
        f"{file_version(case.path)} {side if case.anywhere else case.box}"
        for case, side in zip(cases, sides, strict=True)
    )
    stamp = hashlib.sha256(f"{LAYOUT}{listing}\n{json.dumps(asdict(wanted))}".encode()).hexdigest()[:16]
    pixels_path, facts_path = folder / f"images-{stamp}.u8", folder / f"images-{stamp}.jsonl"
    kept = RecordLines(facts_path, len(cases))
    pixels = mapped_rows(pixels_path, (len(cases), *wanted.shape), kept)
    around_path = folder / f"around-{stamp}.u8"
    around = mapped_rows(around_path, (len(cases), *AROUND, 2), kept) if wanted.around else None
    while len(kept.records) < len(cases):
        begun = len(kept.records)
        chunk: list[Any] = []
        for place in range(begun, min(begun + CHUNK, len(cases))):
            try:
                shown, fact = _prepared(cases[place], sides[place], wanted)
            except Exception as error:  # noqa: BLE001 - decoders raise anything; the image is left out and named
                chunk.append(error.text if isinstance(error, Refusal) else str(error) or type(error).__name__)
                continue
            pixels[place] = np.round(shown.pixels * 255).astype(np.uint8)
            if around is not None and shown.around is not None:
                around[place] = shown.around
            chunk.append(fact)
        pixels.flush()
        if around is not None:
            around.flush()
        kept.append(chunk)
        report("reading images", len(kept.records) / len(cases), {})
    return _as_prepared(kept, pixels_path, around_path, wanted)


def _prepared(case: ImageCase, side: int, wanted: ImageInput) -> tuple[PreparedImage, dict[str, Any]]:
    """Return an image made ready and what is kept of it; decoders raise anything."""
    read = read_pixels(case.path)
    box = tissue_box(read, side, _seed(case)) if case.anywhere else case.box
    shown = prepare(read, wanted, box)
    fact = {"size": list(read.shape), "sketch": _sketch(shown.pixels).ravel().tolist()}
    return shown, fact | {"transform": shown.transform.to_json()}


def _as_prepared(
    kept: RecordLines, pixels_path: Path, around_path: Path, wanted: ImageInput
) -> PreparedCases:
    facts = kept.records
    ok = [not isinstance(fact, str) for fact in facts]
    blank = [0] * SKETCH**2
    return PreparedCases(
        pixels=np.memmap(pixels_path, np.uint8, "r", shape=(len(facts), *wanted.shape)),
        readable=np.array(ok, bool),
        sketches=np.array(
            [fact["sketch"] if good else blank for fact, good in zip(facts, ok, strict=True)], np.float32
        ).reshape(-1, SKETCH, SKETCH),
        sizes=[tuple(fact["size"]) if good else None for fact, good in zip(facts, ok, strict=True)],
        left_out={place: fact for place, fact in enumerate(facts) if isinstance(fact, str)},
        transforms=[
            ViewTransform.from_json(fact["transform"]) if good else None
            for fact, good in zip(facts, ok, strict=True)
        ],
        around=np.memmap(around_path, np.uint8, "r", shape=(len(facts), *AROUND, 2))
        if wanted.around
        else None,
    )


def tissue_sides(cases: Sequence[ImageCase]) -> list[int]:
    """Return for each case the side in pixels of a box of its normal tissue: as large as one of the lesions' boxes.

    So how large a box is tells nothing of what is in it.
    """
    known = sorted(
        round(max(case.box[2] - case.box[0], case.box[3] - case.box[1])) for case in cases if case.box
    )
    drawn = known or [DEFAULT_SIDE]
    return [max(8, drawn[_seed(case) // 7 % len(drawn)]) for case in cases]


def _seed(case: ImageCase) -> int:
    return int.from_bytes(hashlib.sha256(case.path.name.encode()).digest()[:4])


def _sketch(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    small = cv2.resize(image, (SKETCH, SKETCH), interpolation=cv2.INTER_AREA)
    return np.round(small * 255).astype(np.uint8)


def fingerprint(sketches: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return perceptual hashes (n,) of sketches (n, 32, 32).

    pHash (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions): the 64 lowest
    coefficients of the cosine transform but the mean, each above or below their median.
    """
    low = dctn(np.asarray(sketches, np.float64), axes=(1, 2))[:, :9, :9].reshape(len(sketches), 81)[:, 1:65]
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def near_duplicates(sketches: NDArray[np.float32], usable: NDArray[np.bool_]) -> list[tuple[int, int, float]]:
    """Return pairs of places whose images are one picture, mirrored or not, with the correlation of their detail.

    Candidates by fingerprint; then sketches with their broad shades taken away must correlate, because outlines of
    breasts are much alike and what is inside is not.
    """
    rows = np.flatnonzero(usable)
    if len(rows) < 2:
        return []
    shown = np.asarray(sketches[rows], np.float32)
    mirrored = np.ascontiguousarray(shown[:, :, ::-1])
    ours, theirs = fingerprint(shown), fingerprint(mirrored)
    detail = _detail(shown)
    detail_mirrored = _detail(mirrored)
    found = []
    for i in range(len(rows) - 1):
        for other, features in ((ours, detail), (theirs, detail_mirrored)):
            near = np.flatnonzero(np.bitwise_count(other[i + 1 :] ^ ours[i]) <= NEAR_BITS) + i + 1
            alike = features[near] @ detail[i]
            found += [
                (int(rows[i]), int(rows[j]), float(value))
                for j, value in zip(near, alike, strict=True)
                if value >= NEAR_CORRELATION
            ]
    return sorted({(i, j): (i, j, value) for i, j, value in sorted(found, key=lambda one: one[2])}.values())


def _detail(sketches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sketches without their broad shades, each of mean 0 and length 1, as rows."""
    broad = np.stack([cv2.GaussianBlur(one, (0, 0), 4.0) for one in sketches])
    flat = (sketches - broad).reshape(len(sketches), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)
