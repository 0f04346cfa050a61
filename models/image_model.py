"""A classifier of single images: a backbone chosen by name, a head, calibrated probabilities and a heat map."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from scipy.special import softmax

from models.encoder import BACKBONES, IMAGENET, EncoderConfig
from models.image_preprocess import ImageInput, PreparedImage
from models.registry import CARD, IMAGE_KIND, ModelCard, check_files, read_card, sha256_of, weights_folder

__all__ = [
    "ImageConfig",
    "ImageModel",
    "ImageReading",
    "Scaling",
    "backbone_called",
    "build_image_network",
]

NETWORK, FACTS = "network.keras", "image.json"
BATCH = 16
ALSO_CALLED = {
    "efficientnetb0": "efficientnet",
    "mobilenet": "mobilenetv3",
    "mobilenetv3small": "mobilenetv3",
    "convnexttiny": "convnext",
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
        One of `models.encoder.BACKBONES`.
    width
        Multiplies the channels of `compact`.
    """

    classes: tuple[str, ...]
    input: ImageInput = field(default_factory=ImageInput)
    backbone: str = "compact"
    width: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ImageConfig:
        """Read what `to_json` gave."""
        shown = values["input"]
        rows, columns = shown["shape"]
        return cls(
            classes=tuple(values["classes"]),
            input=ImageInput((int(rows), int(columns)), shown["region"], tuple(shown["steps"])),
            backbone=values["backbone"],
            width=float(values["width"]),
        )


@dataclass(frozen=True)
class Scaling:
    """Calibration of several classes: ``softmax(slope * logits + bias)`` (Guo et al. 2017, arXiv:1706.04599)."""

    slope: float = 1.0
    bias: tuple[float, ...] = ()

    def __call__(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities (…, classes) of logits (…, classes)."""
        bias = np.asarray(self.bias) if self.bias else 0.0
        return np.asarray(softmax(self.slope * np.asarray(logits, np.float64) + bias, axis=-1))


@dataclass(frozen=True)
class ImageReading:
    """What a classifier says of one image.

    Parameters
    ----------
    probabilities
        By class; they sum to 1.
    heat_map
        float16 (h, w) in 0..1, coordinates of the prepared image: where what speaks for the positive class lies
        (class activation map, Zhou et al. 2016, arXiv:1512.04150).
    """

    probabilities: dict[str, float]
    heat_map: NDArray[np.float16]


def backbone_called(name: str) -> str:
    """Return the name `models.encoder` knows a backbone by; ValueError if there is none."""
    known = ALSO_CALLED.get(name.lower(), name.lower())
    if known not in BACKBONES:
        raise ValueError(f"No backbone is called {name!r}. There are: {', '.join(BACKBONES)}.")
    return known


def build_image_network(config: ImageConfig, weights: str | None = None) -> keras.Model:
    """Build a classifier.

    Parameters
    ----------
    config
        What to build.
    weights
        What the backbone starts from: a weights file of `keras.applications`, `IMAGENET`, for `compact` the
        ``.keras`` file of a Longview encoder or classifier; None to start from nothing.

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
    own = config.backbone == "compact"
    if own and weights == IMAGENET:
        raise ValueError("There are no ImageNet weights of the compact backbone. Choose another, or a file.")
    built = EncoderConfig(
        config.backbone, config.input.shape, width=config.width, weights=None if own else weights
    )
    try:
        _, deep = BACKBONES[config.backbone](view, built)
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


class ImageModel:
    """A trained classifier of single images.

    >>> model = ImageModel.load("tumour-us")
    >>> (reading,) = model.read([prepare(pixels, model.config.input)])
    """

    def __init__(
        self, card: ModelCard, network: keras.Model, config: ImageConfig, scaling: Scaling | None = None
    ) -> None:
        self.card, self.network, self.config = card, network, config
        self.scaling = scaling or Scaling()

    @classmethod
    def load(cls, name_or_folder: str | Path) -> ImageModel:
        """Load a shipped model by name, or one from a folder.

        Raises
        ------
        LookupError
            If no model has that name.
        ValueError
            If it is no image model, a file is missing or is not the one the card vouches for.
        """
        folder = Path(name_or_folder)
        if not folder.is_dir():
            folder = weights_folder(str(name_or_folder))
        card = read_card(folder)
        if card.settings.get("kind") != IMAGE_KIND:
            raise ValueError(f"{card.name} is not a model of single images.")
        check_files(folder, card)
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        return cls(
            card,
            keras.saving.load_model(folder / NETWORK, compile=False, safe_mode=True),
            ImageConfig.from_json(facts["config"]),
            Scaling(float(facts["scaling"]["slope"]), tuple(facts["scaling"]["bias"])),
        )

    def save(self, folder: Path) -> ModelCard:
        """Write the model's files and its card, with their sha256, to `folder`; return the card as written."""
        folder.mkdir(parents=True, exist_ok=True)
        self.network.save(folder / NETWORK)
        facts = {"config": self.config.to_json(), "scaling": asdict(self.scaling)}
        (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        files = {name: sha256_of(folder / name) for name in (NETWORK, FACTS, *self.card.files)}
        self.card = replace(
            self.card,
            files=files,
            weights_sha256=files[NETWORK],
            encoder_sha256=files[NETWORK],
            settings=self.card.settings | {"kind": IMAGE_KIND},
        )
        text = json.dumps(self.card.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / CARD).write_text(text + "\n", "utf-8")
        return self.card

    def read(self, images: Sequence[PreparedImage]) -> list[ImageReading]:
        """Read images, each by itself: the same image gives the same reading in any company."""
        readings = []
        for start in range(0, len(images), BATCH):
            some = images[start : start + BATCH]
            out = predict(self.network, np.stack([one.pixels for one in some]))
            probabilities = self.scaling(out["logits"])
            heat = self._heat(out["deep"])
            for place in range(len(some)):
                by_class = zip(self.config.classes, probabilities[place].tolist(), strict=True)
                readings.append(ImageReading(dict(by_class), heat[place]))
        return readings

    def _heat(self, deep: NDArray[np.float32]) -> NDArray[np.float16]:
        """Weigh the deep map by what the head makes of each channel for the last class against the others."""
        head = self.network.get_layer("head")
        kernel = np.asarray(head.get_layer("classes").kernel)
        gamma, _, _, variance = (np.asarray(one) for one in head.get_layer("even").get_weights())
        towards = (kernel[:, -1] - kernel[:, :-1].mean(axis=1)) * gamma / np.sqrt(variance + 1e-3)
        channels = deep.shape[-1]
        heat = np.maximum(deep @ (towards[:channels] + towards[channels:]), 0)
        top = heat.max(axis=(1, 2), keepdims=True)
        return np.asarray(heat / np.maximum(top, 1e-6), np.float16)


def predict(network: keras.Model, pixels: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """Run a classifier on (n, rows, columns), uint8 or float in 0..1, in batches of one size; n at least 1."""
    parts: dict[str, list[NDArray[np.float32]]] = {}
    for start in range(0, len(pixels), BATCH):
        some = np.asarray(pixels[start : start + BATCH])
        shown = some.astype(np.float32) / (255 if some.dtype == np.uint8 else 1)
        full = np.zeros((BATCH, *shown.shape[1:], 1), np.float32)
        full[: len(shown), ..., 0] = shown
        for key, value in network.predict_on_batch(full).items():
            parts.setdefault(key, []).append(np.asarray(value)[: len(shown)])
    return {key: np.concatenate(part) for key, part in parts.items()}
