"""What a training of a classifier of single images is asked for: options in groups, each of which checks itself.

The plan, what a run keeps to know itself again, and the command line share these groups. No network is loaded here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models.classifier import (
    Augmentation,
    HeadName,
    Region,
    Step,
    head_called,
    region_called,
    size_called,
    step_called,
)

__all__ = [
    "Duration",
    "ImagePlan",
    "KernelOptions",
    "Measuring",
    "Network",
    "Pictures",
    "RecipeName",
    "recipe_called",
]

STEPS = {HeadName.DETECTOR: 48}
"""Pixels of which the sides are multiples, if not 32. A detector's cells, and those of two thirds of a film, are then whole."""


@dataclass(frozen=True)
class Pictures:
    """Which pictures teach what, and what is shown of them.

    Parameters
    ----------
    task
        ``finding``, ``density`` or a column of the manifest.
    classes
        Which classes, the positive one last; `+` joins; None: all.
    density_from
        Column that tells density in other words, as `core.sets.cases.parse_density_source` reads it.
    region, steps
        What is shown and what is done to its shades; names are taken too.
    shape
        Rows and columns.
    """

    task: str
    classes: str | None = None
    density_from: str | None = None
    region: Region = Region.IMAGE
    steps: tuple[Step, ...] = (Step.NORMALISE,)
    shape: tuple[int, int] = (224, 224)

    def __post_init__(self) -> None:
        """Check; ValueError says what is not known."""
        object.__setattr__(self, "region", region_called(self.region))
        object.__setattr__(self, "steps", tuple(step_called(step) for step in self.steps))
        object.__setattr__(self, "shape", tuple(self.shape))


class RecipeName(StrEnum):
    """Who chooses backbone, size, head and looks: the options, or inner folds (`core.training.classifier.auto`)."""

    GIVEN = "given"
    AUTO = "auto"


@dataclass(frozen=True)
class Network:
    """What is built: backbone, what it starts from, channels of `compact` times `width`, what it ends in; who chooses that."""

    backbone: str = "compact"
    weights: str | None = None
    width: float = 1.0
    head: HeadName = HeadName.DENSE
    recipe: RecipeName = RecipeName.GIVEN

    def __post_init__(self) -> None:
        """Check; ValueError says what is not known."""
        object.__setattr__(self, "head", head_called(self.head))
        object.__setattr__(self, "recipe", recipe_called(self.recipe))
        if not 0.05 <= self.width <= 4:
            raise ValueError(f"The width must lie within 0.05 and 4, not {self.width:g}.")


@dataclass(frozen=True)
class KernelOptions:
    """What a kernel head reads: outlines, turned images, a lesion map around boxes; what is tuned beside it.

    `gland`: breasts are read without the pectoral muscle's corner too. `rooted`: square roots are read of the maps' means
    and spreads, and no highest values. `beside_size`: rows x columns at which what is tuned reads; None for those shown.
    """

    outline: bool = False
    turns: bool = False
    lesion_map: str | None = None
    beside: str | None = None
    beside_weights: str | None = None
    beside_epochs: int = 12
    beside_size: str | None = None
    gland: bool = False
    rooted: bool = False

    def __post_init__(self) -> None:
        """Check; ValueError says what is wrong."""
        _at_least("beside_epochs", self.beside_epochs, 1)
        for name in ("beside_weights", "beside_size"):
            if getattr(self, name) is not None and self.beside is None:
                raise ValueError(f"{name} says how what beside names reads: give beside too.")
        if self.beside_size is not None:
            rows, columns = size_called(self.beside_size)
            if rows % 32 or columns % 32 or min(rows, columns) < 32:
                raise ValueError(f"beside_size must be multiples of 32, not {self.beside_size}.")
            object.__setattr__(self, "beside_size", f"{rows}x{columns}")


@dataclass(frozen=True)
class Duration:
    """How long a run may take: minutes, most epochs of the whole network, epochs without gain that end it."""

    minutes: float = 30.0
    epochs: int = 60
    patience: int = 8

    def __post_init__(self) -> None:
        """Check; ValueError says what is wrong."""
        if not self.minutes > 0:
            raise ValueError(f"A run needs time: {self.minutes:g} minutes are none.")
        _at_least("epochs", self.epochs, 0)
        _at_least("patience", self.patience, 1)


@dataclass(frozen=True)
class Measuring:
    """How it is measured: folds of cross-validation, 0 for one split; the seed parts the women."""

    folds: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check; ValueError says what is wrong."""
        if self.folds == 1:
            raise ValueError("One fold is no cross-validation: choose 0, or 2 or more.")
        _at_least("folds", self.folds, 0)
        _at_least("seed", self.seed, 0)


@dataclass(frozen=True)
class ImagePlan:
    """What a run was asked for; a run goes on only under the same plan. `name` is the model's."""

    pictures: Pictures
    augmentation: Augmentation = field(default_factory=Augmentation)
    network: Network = field(default_factory=Network)
    kernel: KernelOptions = field(default_factory=KernelOptions)
    duration: Duration = field(default_factory=Duration)
    measuring: Measuring = field(default_factory=Measuring)
    name: str = "image"

    def __post_init__(self) -> None:
        """Check what groups ask of each other; ValueError says what is wrong."""
        rows, columns = self.pictures.shape
        if self.kernel.turns and rows != columns:
            raise ValueError("Only squares can be turned by quarters: choose a --size such as 160x160.")
        if self.kernel.beside_size is not None:
            at = size_called(self.kernel.beside_size)
            if at[0] > rows or at[1] > columns:
                raise ValueError(
                    f"What is tuned beside reads no finer than what is shown: beside_size {self.kernel.beside_size} is "
                    f"more than {rows}x{columns}."
                )
        step = STEPS.get(self.network.head, 32)
        if rows % step or columns % step:
            raise ValueError(f"Rows and columns must be multiples of {step}, not {(rows, columns)}.")

    def to_json(self) -> dict[str, Any]:
        """Return plain values under one name each, as `plan.json` and cards keep them since the first release."""
        pictures, network, duration = self.pictures, self.network, self.duration
        # Options of later releases stand there only where they are chosen.
        later = {name: getattr(self.kernel, name) for name in ("gland", "rooted", "beside_size")}
        of_head: dict[str, Any] = {name: value for name, value in later.items() if value}
        if network.recipe is RecipeName.AUTO:
            of_head["recipe"] = network.recipe.value
        return of_head | {
            "task": pictures.task,
            "classes": pictures.classes,
            "backbone": network.backbone,
            "weights": network.weights,
            "region": pictures.region.value,
            "steps": [step.value for step in pictures.steps],
            "shape": list(pictures.shape),
            "rotation": self.augmentation.rotation,
            "flip": self.augmentation.flip,
            "zoom": self.augmentation.zoom,
            "contrast": self.augmentation.contrast,
            "minutes": duration.minutes,
            "epochs": duration.epochs,
            "patience": duration.patience,
            "folds": self.measuring.folds,
            "seed": self.measuring.seed,
            "name": self.name,
            "width": network.width,
            "head": network.head.value,
            "density_from": pictures.density_from,
            "outline": self.kernel.outline,
            "turns": self.kernel.turns,
            "lesion_map": self.kernel.lesion_map,
            "beside": self.kernel.beside,
            "beside_weights": self.kernel.beside_weights,
            "beside_epochs": self.kernel.beside_epochs,
        }


def recipe_called(name: str) -> RecipeName:
    """Return the recipe of that name; ValueError names those there are."""
    if name not in set(RecipeName):
        raise ValueError(f"No recipe is called {name!r}. There are: {', '.join(RecipeName)}.")
    return RecipeName(name)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be {least} or more, not {value}.")
