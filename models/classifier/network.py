"""The network of a classifier of single images: a backbone chosen by name, pooled, and a dense head."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from models.classifier.options import HeadName, head_called
from models.classifier.preprocess import ImageInput
from models.film import Resampled
from models.view import BACKBONES, IMAGENET, EncoderConfig

__all__ = [
    "BATCH",
    "RESAMPLED",
    "ImageConfig",
    "backbone_called",
    "build_head",
    "build_image_network",
    "predict",
]

BATCH = 16
RESAMPLED = "resampled"
"""Layer that brings what is shown to the size at which it is read, where that is another."""
ALSO_CALLED = {
    "efficientnetb0": "efficientnet",
    "mobilenet": "mobilenetv3",
    "mobilenetv3small": "mobilenetv3",
    "convnexttiny": "convnext",
    "efficientnetlite0": "efficientnet-lite0",
    "efficientnetlite1": "efficientnet-lite1",
    "efficientnetlite2": "efficientnet-lite2",
}


@dataclass(frozen=True)
class ImageConfig:
    """How a classifier is built.

    Parameters
    ----------
    classes
        Names, in the order of the outputs.
    input
        What it is shown.
    backbone
        One of `models.view.encoder.BACKBONES`.
    width
        Multiplies the channels of `compact`.
    head
        What it ends in; a name is taken too.
    mirror
        A kernel head looks at the mirror image too.
    turns
        A kernel head looks at the image turned by quarters too.
    outline
        A kernel head reads the outline of what looks like a lesion in an ultrasound too.
    gland
        A kernel head that reads breasts reads them without the pectoral muscle's corner too.
    rooted
        A kernel head reads square roots of its maps' means and spreads, and no highest values.
    beside
        Backbone of a network that was fine-tuned beside a kernel head, if there is one.
    beside_shape
        Rows and columns at which that network reads what is shown; None for those of `input`.
    """

    classes: tuple[str, ...]
    input: ImageInput = field(default_factory=ImageInput)
    backbone: str = "compact"
    width: float = 1.0
    head: HeadName = HeadName.DENSE
    mirror: bool = True
    turns: bool = False
    outline: bool = False
    gland: bool = False
    rooted: bool = False
    beside: str | None = None
    beside_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check; ValueError says what is not known."""
        object.__setattr__(self, "head", head_called(self.head))

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ImageConfig:
        """Read what `to_json` gave."""
        shown = values["input"]
        rows, columns = shown["shape"]
        at = values.get("beside_shape")
        return cls(
            classes=tuple(values["classes"]),
            input=ImageInput(
                (int(rows), int(columns)),
                shown["region"],
                tuple(shown["steps"]),
                bool(shown.get("around", False)),
            ),
            backbone=values["backbone"],
            width=float(values["width"]),
            head=values.get("head", HeadName.DENSE),
            mirror=bool(values.get("mirror", True)),
            turns=bool(values.get("turns", False)),
            outline=bool(values.get("outline", False)),
            gland=bool(values.get("gland", False)),
            rooted=bool(values.get("rooted", False)),
            beside=values.get("beside"),
            beside_shape=None if at is None else (int(at[0]), int(at[1])),
        )


def backbone_called(name: str) -> str:
    """Return the name `models.view.encoder` knows a backbone by; ValueError if there is none."""
    known = ALSO_CALLED.get(name.lower(), name.lower())
    if known not in BACKBONES:
        raise ValueError(f"No backbone is called {name!r}. There are: {', '.join(BACKBONES)}.")
    return known


def build_image_network(
    config: ImageConfig, weights: str | None = None, read_at: tuple[int, int] | None = None
) -> keras.Model:
    """Build a classifier.

    Parameters
    ----------
    config
        What to build.
    weights
        What the backbone starts from: a weights file that `models.view.encoder` takes, `IMAGENET`, for `compact` the
        ``.keras`` file of a Longview encoder or classifier; None to start from nothing.
    read_at
        Rows and columns to which what is shown is resampled first; None for none.

    Returns
    -------
    keras.Model
        Input float32 (batch, rows, columns, 1) in 0..1. Outputs: ``logits`` (batch, classes), ``deep``
        (batch, h, w, channels), ``pooled`` (batch, 2 channels): the mean and the highest of each channel.

    Raises
    ------
    ValueError
        If the backbone is not known, or the weights do not fit.
    """
    view = keras.Input((*config.input.shape, 1), name="view")
    shape = config.input.shape if read_at is None else read_at
    seen = view if shape == config.input.shape else Resampled(shape, name=RESAMPLED)(view)
    own = config.backbone == "compact"
    if own and weights == IMAGENET:
        raise ValueError("There are no ImageNet weights of the compact backbone. Choose another, or a file.")
    built = EncoderConfig(config.backbone, shape, width=config.width, weights=None if own else weights)
    try:
        _, deep = BACKBONES[config.backbone](seen, built)
    except (OSError, ValueError) as error:
        raise ValueError(f"The weights {weights} do not fit {config.backbone}: {error}") from error
    pooled = layers.Concatenate(name="pooled")(
        [layers.GlobalAveragePooling2D(name="mean")(deep), layers.GlobalMaxPooling2D(name="highest")(deep)]
    )
    logits = build_head(int(pooled.shape[-1]), len(config.classes))(pooled)
    network = keras.Model(view, {"logits": logits, "deep": deep, "pooled": pooled}, name="image_classifier")
    if own and weights is not None:
        _take_over(network, Path(weights))
    return network


def build_head(size: int, classes: int) -> keras.Model:
    """Build the head: pooled features (batch, size) in, logits (batch, classes) out."""
    pooled = keras.Input((size,), name="features")
    even = layers.BatchNormalization(momentum=0.9, name="even")(pooled)
    dropped = layers.Dropout(0.5, name="drop")(even)
    # From nothing, and stopped early: on a few hundred images that is what keeps a thousand weights small.
    logits = layers.Dense(
        classes,
        kernel_initializer="zeros",
        kernel_regularizer=keras.regularizers.L2(1e-2),
        dtype="float32",
        name="classes",
    )(dropped)
    return keras.Model(pooled, logits, name="head")


def _take_over(network: keras.Model, path: Path) -> None:
    """Give the compact backbone the weights of the layers of the same name in another network's file."""
    if not path.is_file():
        raise ValueError(f"There is no weights file {path}.")
    try:
        source = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError) as error:
        raise ValueError(f"{path} is not a .keras file that compact can start from: {error}") from error
    theirs = {layer.name: layer for layer in source.layers}
    taken = 0
    for layer in network.layers:
        other = theirs.get(layer.name)
        if layer.name == "head" or other is None or not layer.weights:
            continue
        if [w.shape for w in layer.weights] == [w.shape for w in other.weights]:
            layer.set_weights(other.get_weights())
            taken += 1
    if not taken:
        raise ValueError(f"{path} shares no layer with the compact backbone: nothing can be taken over.")


def predict(
    network: keras.Model, pixels: NDArray[Any], *, batch: int = BATCH
) -> dict[str, NDArray[np.float32]]:
    """Run a classifier on (n, rows, columns), uint8 or float in 0..1, in batches of one size; n at least 1."""
    parts: dict[str, list[NDArray[np.float32]]] = {}
    for start in range(0, len(pixels), batch):
        some = np.asarray(pixels[start : start + batch])
        shown = some.astype(np.float32) / (255 if some.dtype == np.uint8 else 1)
        full = np.zeros((batch, *shown.shape[1:], 1), np.float32)
        full[: len(shown), ..., 0] = shown
        for key, value in network.predict_on_batch(full).items():
            parts.setdefault(key, []).append(np.asarray(value)[: len(shown)])
    return {key: np.concatenate(part) for key, part in parts.items()}
