"""The names that a classifier of single images is built by, and how far its training images may differ.

Saved files and the command line hold the names' values. Nothing here loads a network: `--help` asks for it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Augmentation", "HeadName", "Region", "Step", "head_called", "region_called", "step_called"]


class HeadName(StrEnum):
    """What a classifier ends in; `models.classifier.model.HEADS` has the class of each."""

    DENSE = "dense"
    KERNEL = "kernel"
    DETECTOR = "detector"


class Region(StrEnum):
    """What is shown: the whole image, the breast as `models.view.preprocess` stands it, a box with what is around it."""

    IMAGE = "image"
    BREAST = "breast"
    BOX = "box"


class Step(StrEnum):
    """What can be done to the shades, in the order in which it is done best."""

    NORMALISE = "normalise"
    DENOISE = "denoise"
    CLAHE = "clahe"
    SHARPEN = "sharpen"


def head_called(name: str) -> HeadName:
    """Return the head of that name; ValueError names those there are."""
    if name not in set(HeadName):
        raise ValueError(f"No head is called {name!r}. There are: {', '.join(HeadName)}.")
    return HeadName(name)


def region_called(name: str) -> Region:
    """Return the region of that name; ValueError names those there are."""
    if name not in set(Region):
        raise ValueError(f"No region is called {name!r}. There are: {', '.join(Region)}.")
    return Region(name)


def step_called(name: str) -> Step:
    """Return the preprocessing step of that name; ValueError names those there are."""
    if name not in set(Step):
        raise ValueError(f"No preprocessing step is called {name!r}. There are: {', '.join(Step)}.")
    return Step(name)


def size_called(text: str) -> tuple[int, int]:
    """Return the rows and columns that a size such as 224x192 names; ValueError says what it is not."""
    try:
        rows, columns = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise ValueError(f"The size {text!r} is not rows x columns, such as 224x224.") from error
    return rows, columns


@dataclass(frozen=True)
class Augmentation:
    """How an image may differ from itself: turn in degrees, mirroring, zoom and contrast as shares."""

    rotation: float = 12.0
    flip: bool = True
    zoom: float = 0.12
    contrast: float = 0.25

    def __post_init__(self) -> None:
        """Check; ValueError says what is out of bounds."""
        for name, most in (("rotation", 180.0), ("zoom", 0.7), ("contrast", 0.9)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"The {name} must lie within 0 and {most:g}, not {getattr(self, name):g}.")
