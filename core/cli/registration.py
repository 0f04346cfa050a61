"""The verb that lays a prior on a current view: register."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.terminal import log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.images import ReadImage

_DOUBTED = 0.3
"""The most that is said for a picture that does not look like a mammogram."""


def register(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command("register")(register_prior)


def register_prior(
    prior: Annotated[Path, typer.Argument(metavar="PRIOR", help="The earlier image: DICOM, PNG or JPEG.")],
    current: Annotated[Path, typer.Argument(metavar="CURRENT", help="The later one, of the same view.")],
    points: Annotated[
        Path | None,
        typer.Option(
            help="Points of the prior, in pixels: CSV of x,y, with or without header.", metavar="FILE"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell where the points of a prior lie in the current image of the same view of the same breast.

    Pixels count from the upper left corner. Images may be of any size, window and spacing, mirrored or not. A low quality
    says that the two do not show the same, or differ too much: below 0.5 the points are not to be relied on.

    Exit code 0: done, whatever the quality; 2: an image or a point cannot be used.
    """
    from core.images import PointsError, lend_reader, read_points, register_views
    from core.refusals import Refusal
    from core.settings import Settings

    images = []
    with lend_reader(Settings()) as reader:
        for path in (prior, current):
            try:
                images.append(reader.read(path.read_bytes(), path.name))
            except Refusal as refusal:
                wrong_use(f"{path}: {refusal.text}")
            except OSError as error:
                wrong_use(f"{path} cannot be opened: {error.strerror or error}.")
    then, now = images
    try:
        asked = read_points(points, prior.name, (then.rows, then.columns)) if points is not None else None
    except PointsError as error:
        wrong_use(str(error))
    found = register_views(then.pixels, now.pixels, doubt=_contradiction(then, now))
    for path, image in ((prior, then), (current, now)):
        if image.doubt:
            log.print(
                f"{path}: {image.doubt} It may be no mammogram.",
                highlight=False,
                soft_wrap=True,
                markup=False,
            )
            found = replace(found, quality=min(found.quality, _DOUBTED))
    there = [] if asked is None else found.to_current(asked).round(2).tolist()
    if as_json:
        print_json(
            {
                "points": there,
                "quality": round(found.quality, 3),
                "usable": found.is_usable,
                "said": found.said,
                "moved": asdict(found.moved),
            }
        )
        return
    # Points alone on stdout, to be read on: what is said of them goes beside.
    said = log if asked is not None else results
    said.print(f"Quality {found.quality:.2f}. {found.said}", highlight=False, soft_wrap=True, markup=False)
    if not found.doubt:
        said.print(found.moved.words, highlight=False, soft_wrap=True, markup=False)
    for x, y in there:
        results.print(f"{x:.2f},{y:.2f}", highlight=False)


def _contradiction(then: ReadImage, now: ReadImage) -> str:
    """Say in which of side and view the files say that they differ; "" where they do not, or do not say."""
    for name, word in (("laterality", "breast"), ("view", "view")):
        before, after = getattr(then.header, name), getattr(now.header, name)
        if before and after and before != after:
            return f"the files are of another {word}: {before}, then {after}."
    return ""
