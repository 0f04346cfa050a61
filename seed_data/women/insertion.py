"""Lesion insertion: findings drawn as in simulated women, at random places of real mammograms without a finding.

A detector has few boxes to learn from, and these give it more. What is drawn stands out of the tissue around it (so a reader
could see it); sizes, places and shares are wider than any case mix, for they are to teach, never to be counted.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from core.files import AS_ASKED, whole_file, write_whole
from core.rules.vocabulary import FindingClass
from core.sets import ManifestRow
from core.settings import Settings
from seed_data.women import machines
from seed_data.women.appearance import Shown, draw_finding
from seed_data.women.backgrounds import REAL, Background, RealView, read_view
from seed_data.women.findings import pick
from seed_data.women.life import LifeLesion
from seed_data.women.machines import Film
from seed_data.women.planes import FAT, GLAND, Plane
from seed_data.women.positioning import Warp
from seed_data.women.rates import BENIGN_KINDS, MALIGNANT_KINDS

__all__ = [
    "InsertedSet",
    "InsertedView",
    "as_film",
    "insert_lesions",
    "inserted_views",
    "row_of",
    "write_set",
]

SIZES_MM: Final = (5.0, 28.0)
FROM_SKIN_MM: Final = 6.0
APART_MM: Final = 25.0
LEAST_CONTRAST: Final = 0.5
"""Times the clutter around: what stands out less is drawn elsewhere."""
CONSPICUITY: Final = (0.7, 0.45)
"""Median, and standard deviation of the logarithm: fainter, and more often very faint, than in simulated women (1, 0.2)."""
MORE_CALCIFICATIONS: Final = 1.75
"""Times as often as among simulated women: a detector misses them most."""
MALIGNANT: Final = 0.5
TWO: Final = 0.5
"""How often there are two lesions."""
TRIES: Final = 40
THICKNESS_MM: Final = 50.0
"""Of the compressed breast, which a film does not tell."""

COLUMNS: Final = (
    "patient_id", "study_date", "modality", "laterality", "view", "path", "finding", "density", "roi_x0", "roi_y0",
    "roi_x1", "roi_y1", "lesion_mm", "kind", "pixel_spacing_mm", "simulated", "background", "lesion_of",
)  # fmt: skip


@dataclass(frozen=True)
class InsertedSet:
    """What a set is: how often each picture is used, its seed and pixel spacing, and whether its lesions are moved ones."""

    sets: int
    seed: int
    spacing_mm: float
    moved: bool = False


@dataclass(frozen=True)
class InsertedView:
    """A real view with lesions put into it.

    Parameters
    ----------
    name
        Side and view, and which of several such.
    film
        As it is written.
    rows
        Its rows of the manifest, one a lesion, without a path.
    """

    name: str
    film: Film
    rows: tuple[dict[str, Any], ...]


def write_set(
    folder: Path,
    women: Sequence[Background],
    views: Callable[[Background, int], Iterator[InsertedView]],
    made: InsertedSet,
    *,
    on_woman: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write images and manifest.csv, which appears when the set is complete; return what it is, as simulation.json says it.

    Parameters
    ----------
    folder
        Where to.
    women
        Into whose pictures lesions are put.
    views
        Gives these of a woman, with lesions, by the number of the set.
    made
        What is said of the set.
    on_woman
        Told how many are done.

    Raises
    ------
    UnusableBackground
        If a picture cannot be read, or shows no breast.
    """
    images, lesions = 0, 0
    shown: set[str] = set()
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / "manifest.csv", text=True, newline="", mode=AS_ASKED) as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        for done, woman in enumerate(women, start=1):
            for number in range(made.sets):
                for view in views(woman, number):
                    path = folder / "images" / f"w{done:04d}" / f"{number}_{view.name}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(machines.to_png(view.film))
                    table.writerows({"path": path.relative_to(folder).as_posix()} | row for row in view.rows)
                    images, lesions = images + 1, lesions + len(view.rows)
                    shown.add(woman.patient_id)
            if on_woman is not None:
                on_woman(done)
        what = (
            f"{lesions} real lesions moved into them from other women. No lesion is where it grew."
            if made.moved
            else f"{lesions} drawn lesions. No lesion is real."
        )
        description = {
            "statement": f"{images} real mammograms of {len(shown)} women with {what}",
            "images": images,
            "lesions": lesions,
            "women": len(shown),
            "sets": made.sets,
            "seed": made.seed,
            "pixel_spacing_mm": made.spacing_mm,
        }
        write_whole(folder / "simulation.json", json.dumps(description, indent=2) + "\n", mode=AS_ASKED)
    return description


def inserted_views(
    background: Background, number: int, seed: int, spacing_mm: float, settings: Settings
) -> Iterator[InsertedView]:
    """Draw lesions into each view of a real woman, for set `number`; the same arguments give the same bytes.

    Views that are too small for a lesion are passed over.

    Raises
    ------
    UnusableBackground
        If a picture cannot be read, or shows no breast.
    """
    for place, row in enumerate(background.rows):
        real = read_view(row, spacing_mm, settings)
        random = np.random.default_rng([seed, number, *background.patient_id.encode(), place])
        grey, shown = insert_lesions(real, random)
        if not shown:
            continue
        film = as_film(grey, real, spacing_mm)
        rows = tuple(
            row_of(
                background, row, film, (one.x, one.y, one.radius_pixels + 1), malignant=one.lesion.malignant
            )
            | {
                "patient_id": f"{background.patient_id}-inserted-{number}",
                "lesion_mm": f"{one.diameter_mm:.1f}",
                "kind": one.lesion.kind,
            }
            for one in shown
        )
        yield InsertedView(f"{row.laterality}_{row.view}_{place}", film, rows)


def as_film(grey: Plane, real: RealView, spacing_mm: float) -> Film:
    """Return a view's shades (rows, columns) in 0..1 as a film that hangs as the view did."""
    pixels = np.round(np.clip(grey, 0, 1) * 255).astype(np.uint16)
    hung = np.ascontiguousarray(pixels[:, ::-1]) if real.mirrored else pixels
    return Film(hung, REAL, spacing_mm, real.mirrored)


def insert_lesions(real: RealView, random: np.random.Generator) -> tuple[Plane, list[Shown]]:
    """Return a view's shades (rows, columns), 0..1, with one lesion or two drawn in, and what was drawn."""
    grey = real.grey
    shown: list[Shown] = []
    down, across = np.nonzero(real.skin > FROM_SKIN_MM)
    wanted = 1 + int(random.random() < TWO) if down.size else 0
    for _ in range(TRIES):
        if len(shown) == wanted:
            break
        lesion, size = _drawn_by_lot(random)
        place = int(random.integers(down.size))
        at = (float(across[place]) + 0.5) * real.spacing_mm, (float(down[place]) + 0.5) * real.spacing_mm
        if any(_distance_mm(one, at, real.spacing_mm) < APART_MM for one in shown):
            continue
        signal = (_pulled(grey, lesion, size, at, real.spacing_mm) - real.fat) * real.gain + FAT
        gland = np.clip((signal - FAT) / GLAND, 0, 1)
        one = draw_finding(
            signal, gland, real.skin, lesion, size, at, real.spacing_mm, THICKNESS_MM, view_code=1
        )
        if one.in_field and one.contrast_to_clutter > LEAST_CONTRAST:
            grey = np.clip((signal - FAT) / real.gain + real.fat, 0, 1)
            shown.append(one)
    return grey, shown


def _drawn_by_lot(random: np.random.Generator) -> tuple[LifeLesion, float]:
    """Return a lesion of a kind by its share, and its diameter in mm."""
    malignant = bool(random.random() < MALIGNANT)
    size = float(np.exp(random.uniform(*np.log(SIZES_MM))))
    shares = {
        kind: share * (MORE_CALCIFICATIONS if "calcification" in kind else 1)
        for kind, share in (MALIGNANT_KINDS if malignant else BENIGN_KINDS).items()
    }
    median, spread = CONSPICUITY
    lesion = LifeLesion(
        "inserted", "L", pick(random, shares), malignant, (0.0, 0.0, 0.0),
        date(2000, 1, 1), size, conspicuity=median * float(np.exp(random.normal(0, spread))),
        shape_seed=int(random.integers(2**31)),
    )  # fmt: skip
    return lesion, size


def _pulled(
    grey: Plane, lesion: LifeLesion, size: float, at: tuple[float, float], spacing_mm: float
) -> Plane:
    """Return a view whose tissue is drawn towards a lesion that does so; far from it as it was.

    But for a rim of four pixels, half a node of the map, in which the next row or column is shown again.
    """
    columns, rows = Warp.none().pixel_maps(grey.shape, spacing_mm, [(lesion, size, at)], spacing_mm)
    still = np.hypot(columns - np.arange(grey.shape[1]), rows - np.arange(grey.shape[0])[:, None]) < 0.02
    moved = cv2.remap(grey, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.where(still, grey, moved)


def _distance_mm(shown: Shown, at: tuple[float, float], spacing_mm: float) -> float:
    return math.hypot((shown.x + 0.5) * spacing_mm - at[0], (shown.y + 0.5) * spacing_mm - at[1])


def row_of(
    background: Background,
    real: ManifestRow,
    film: Film,
    around: tuple[float, float, float],
    *,
    malignant: bool,
) -> dict[str, Any]:
    """Return what the manifest says of a lesion put into a film, all but its size and its woman's name.

    `around` is x, y and half side of its box, in pixels.
    """
    x0, y0, x1, y1 = film.box_around(*around)
    return {
        "study_date": real.study_date.isoformat() if real.study_date else "",
        "modality": "MG",
        "laterality": real.laterality,
        "view": real.view,
        "finding": FindingClass.of_lesion(malignant=malignant),
        "density": real.density or "",
        "roi_x0": x0, "roi_y0": y0, "roi_x1": x1, "roi_y1": y1,
        "pixel_spacing_mm": f"{film.spacing_mm:.4f}",
        "simulated": 1,
        "background": background.patient_id,
    }  # fmt: skip
