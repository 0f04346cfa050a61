"""A classifier of single images: a backbone chosen by name, a head, calibrated probabilities and a heat map.

Three kinds of head: ``dense``, a layer of the network that is trained with it; ``kernel``, which reads features of a
backbone that stays as it is (`models.classifier.features`, `models.classifier.kernel_head`); ``lesions``, which reads a lesion map over
the whole image (`models.classifier.lesions`). Beside a kernel head a second network may stand that was fine-tuned
(`models.classifier.tuning`); they say together what the model says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from scipy.special import softmax

from models.classifier.features import cut_for_features, layout_of, looks_at, with_facts
from models.classifier.kernel_head import KernelHead
from models.classifier.lesions import build_lesion_reader, lesion_facts, lesion_heat, lesion_logits
from models.classifier.preprocess import ImageInput, PreparedImage
from models.classifier.tuning import joined
from models.store import (
    CARD,
    COARSE,
    IMAGE_KIND,
    LEVELS,
    ModelCard,
    check_files,
    folder_of,
    load_weights,
    read_card,
    rounded,
    save_weights,
    sha256_of,
)
from models.view import BACKBONES, IMAGENET, EncoderConfig

__all__ = [
    "HEADS",
    "ImageConfig",
    "ImageModel",
    "ImageReading",
    "Scaling",
    "backbone_called",
    "beside_logits",
    "build_beside",
    "build_feature_network",
    "build_image_network",
    "network_logits",
]

HEADS = ("dense", "kernel", "lesions")
NETWORK, FACTS = "network.keras", "image.json"
BACKBONE, HEAD, READER = "backbone.npz", "head.npz", "lesions.npz"
"""What a model with a kernel head keeps in place of its network; the last where it reads a lesion map around boxes."""
BESIDE = "beside.npz"
BATCH = 16
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
        One of `HEADS`.
    mirror
        A kernel head looks at the mirror image too.
    turns
        A kernel head looks at the image turned by quarters too.
    outline
        A kernel head reads the outline of what looks like a lesion in an ultrasound too.
    beside
        Backbone of a network that was fine-tuned beside a kernel head, if there is one.
    """

    classes: tuple[str, ...]
    input: ImageInput = field(default_factory=ImageInput)
    backbone: str = "compact"
    width: float = 1.0
    head: str = "dense"
    mirror: bool = True
    turns: bool = False
    outline: bool = False
    beside: str | None = None

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
            input=ImageInput(
                (int(rows), int(columns)),
                shown["region"],
                tuple(shown["steps"]),
                bool(shown.get("around", False)),
            ),
            backbone=values["backbone"],
            width=float(values["width"]),
            head=values.get("head", "dense"),
            mirror=bool(values.get("mirror", True)),
            turns=bool(values.get("turns", False)),
            outline=bool(values.get("outline", False)),
            beside=values.get("beside"),
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
    """Return the name `models.view.encoder` knows a backbone by; ValueError if there is none."""
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
        What the backbone starts from: a weights file that `models.view.encoder` takes, `IMAGENET`, for `compact` the
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


def build_feature_network(config: ImageConfig, weights: str | None = None) -> keras.Model:
    """Build what a kernel head reads: `models.classifier.features.cut_for_features` of the classifier.

    Its weights are rounded as `models.store.stored_weights` keeps them, so that a head fits them after loading too.

    Raises
    ------
    ValueError
        As `build_image_network` does.
    """
    network = cut_for_features(build_image_network(config, weights), config.input.region)
    network.trainable = False
    network.set_weights(rounded(network.get_weights(), _levels(config)))
    return network


def build_beside(config: ImageConfig, weights: str | None = None) -> keras.Model:
    """Build the network that is fine-tuned beside a kernel head, as `build_image_network` does."""
    assert config.beside is not None
    return build_image_network(replace(config, backbone=config.beside, head="dense"), weights)


def beside_logits(network: keras.Model, config: ImageConfig, pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return logits (n, classes) of prepared images by the network beside a kernel head."""
    return np.concatenate([_beside_seen(network, config, one)["logits"].mean(axis=0)[None] for one in pixels])


def _beside_seen(
    network: keras.Model, config: ImageConfig, image: NDArray[Any]
) -> dict[str, NDArray[np.float32]]:
    """Return a network's outputs for one image and, where mirroring is allowed, its mirror image."""
    looks = [image, image[:, ::-1]] if config.mirror else [image]
    return predict(network, np.stack(looks), batch=len(looks))


def _levels(config: ImageConfig) -> int:
    """Return how finely a frozen backbone is kept: more coarsely where another network lies beside it."""
    return COARSE if config.beside else LEVELS


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
        self,
        card: ModelCard,
        network: keras.Model,
        config: ImageConfig,
        scaling: Scaling | None = None,
        head: KernelHead | None = None,
        reader: keras.Model | None = None,
        beside: keras.Model | None = None,
    ) -> None:
        self.card, self.network, self.config = card, network, config
        self.scaling, self.head = scaling or Scaling(), head
        self.reader, self.beside = reader, beside

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
        folder = folder_of(name_or_folder)
        card = read_card(folder)
        if card.settings.get("kind") != IMAGE_KIND:
            raise ValueError(f"{card.name} is not a model of single images.")
        check_files(folder, card)
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        config = ImageConfig.from_json(facts["config"])
        head: KernelHead | None = None
        reader: keras.Model | None = None
        beside: keras.Model | None = None
        if config.head == "kernel":
            network = cut_for_features(build_image_network(config), config.input.region)
            network.set_weights(load_weights(folder / BACKBONE))
            head = KernelHead.load(folder / HEAD)
            if config.input.around:
                reader = build_lesion_reader()
                reader.set_weights(load_weights(folder / READER))
            if config.beside:
                beside = build_beside(config)
                beside.set_weights(load_weights(folder / BESIDE))
        else:
            network = keras.saving.load_model(folder / NETWORK, compile=False, safe_mode=True)
        scaling = Scaling(float(facts["scaling"]["slope"]), tuple(facts["scaling"]["bias"]))
        return cls(card, network, config, scaling, head, reader, beside)

    def save(self, folder: Path) -> ModelCard:
        """Write the model's files and its card, with their sha256, to `folder`; return the card as written."""
        folder.mkdir(0o700, parents=True, exist_ok=True)
        if self.head is None:
            self.network.save(folder / NETWORK)
            names = [NETWORK, FACTS]
        else:
            save_weights(folder / BACKBONE, self.network.get_weights(), _levels(self.config))
            self.head.save(folder / HEAD)
            names = [HEAD, BACKBONE, FACTS]
            if self.reader is not None:
                save_weights(folder / READER, self.reader.get_weights())
                names.insert(2, READER)
            if self.beside is not None:
                save_weights(folder / BESIDE, self.beside.get_weights())
                names.append(BESIDE)
        facts = {"config": self.config.to_json(), "scaling": asdict(self.scaling)}
        (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        files = {name: sha256_of(folder / name) for name in (*names, *self.card.files)}
        self.card = replace(
            self.card,
            files=files,
            weights_sha256=files[names[0]],
            encoder_sha256=files[NETWORK if self.head is None else BACKBONE],
            settings=self.card.settings | {"kind": IMAGE_KIND},
        )
        text = json.dumps(self.card.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / CARD).write_text(text + "\n", "utf-8")
        return self.card

    def logits(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
        """Return logits (n, classes), before scaling, of prepared images.

        `pixels` is (n, rows, columns), uint8 or in 0..1, and `around` what lies around boxes, where the model's input
        wants it.
        """
        if self.head is None:
            return network_logits(self.network, self.config, pixels)
        logits = self.head.logits(self._looks(pixels, around)[0])
        if self.beside is None:
            return logits
        return joined([logits, beside_logits(self.beside, self.config, pixels)])

    def read(self, images: Sequence[PreparedImage]) -> list[ImageReading]:
        """Read images, each by itself: the same image gives the same reading in any company."""
        readings = []
        for start in range(0, len(images), BATCH):
            some = images[start : start + BATCH]
            around = [one.around for one in some if one.around is not None]
            logits, heat = self._seen(
                np.stack([one.pixels for one in some]), np.stack(around) if around else None
            )
            for place, shares in enumerate(self.scaling(logits)):
                by_class = zip(self.config.classes, shares.tolist(), strict=True)
                readings.append(ImageReading(dict(by_class), heat[place]))
        return readings

    def _seen(
        self, pixels: NDArray[np.float32], around: NDArray[np.uint8] | None
    ) -> tuple[NDArray[Any], NDArray[np.float16]]:
        """Return logits and heat maps of a batch."""
        if self.config.head == "lesions":
            out = predict(self.network, pixels, batch=1)
            return lesion_logits(out["finding"], out["lesion"], self.config.classes), lesion_heat(
                out["lesion"]
            )
        if self.head is None:
            out = predict(self.network, pixels, batch=1)
            return out["logits"], _class_heat(self.network, out["deep"])
        looks, deep = self._looks(pixels, around)
        heat = np.stack([self._kernel_heat(*one) for one in zip(deep, looks[:, 0], strict=True)])
        logits = self.head.logits(looks)
        if self.beside is None:
            return logits, heat
        seen = [_beside_seen(self.beside, self.config, one) for one in pixels]
        other = _class_heat(self.beside, np.stack([one["deep"][0] for one in seen]))
        said = np.stack([one["logits"].mean(axis=0) for one in seen])
        return joined([logits, said]), np.stack([_both(*two) for two in zip(heat, other, strict=True)])

    def _looks(
        self, pixels: NDArray[Any], around: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        config = self.config
        looks, deep = looks_at(
            pixels,
            lambda some: predict(self.network, some, batch=1),
            mirror=config.mirror,
            turns=config.turns,
            outline=config.outline,
            chunk=BATCH,
        )
        if self.reader is not None:
            if around is None:
                raise ValueError("The model reads what lies around a box too.")
            looks = with_facts(looks, lesion_facts(self.reader, around))
        return looks, deep

    def _kernel_heat(self, deep: NDArray[np.float32], features: NDArray[np.float32]) -> NDArray[np.float16]:
        """Weigh the deep map (h, w, channels) by how the last class's logit rises with each channel's mean and spread.

        As Grad-CAM does (Selvaraju et al. 2017, arXiv:1610.02391), with what each place gives to the pooled mean and
        standard deviation.
        """
        assert self.head is not None
        classes = len(self.config.classes)
        towards = np.full(classes, -1 / (classes - 1))
        towards[-1] = 1
        rise = self.head.slope(features, towards)
        layout = layout_of(self.network, self.config.input.region)
        mean, spread = features[layout.deep_mean], features[layout.deep_spread]
        apart = deep - mean
        given = apart @ rise[layout.deep_mean] + (apart**2 / (2 * spread + 1e-6)) @ rise[layout.deep_spread]
        heat = np.maximum(given, 0)
        return np.asarray(heat / max(float(heat.max()), 1e-9), np.float16)


def network_logits(network: keras.Model, config: ImageConfig, pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return logits (n, classes) of prepared images by a network whose head is `dense` or `lesions`."""
    if config.head == "lesions":
        out = predict(network, pixels, batch=4)
        return lesion_logits(out["finding"], out["lesion"], config.classes)
    return np.asarray(predict(network, pixels)["logits"], np.float64)


def _class_heat(network: keras.Model, deep: NDArray[np.float32]) -> NDArray[np.float16]:
    """Weigh the deep map by what a dense head makes of each channel for the last class against the others."""
    head = network.get_layer("head")
    kernel = np.asarray(head.get_layer("classes").kernel)
    gamma, _, _, variance = (np.asarray(one) for one in head.get_layer("even").get_weights())
    towards = (kernel[:, -1] - kernel[:, :-1].mean(axis=1)) * gamma / np.sqrt(variance + 1e-3)
    channels = deep.shape[-1]
    heat = np.maximum(deep @ (towards[:channels] + towards[channels:]), 0)
    top = heat.max(axis=(1, 2), keepdims=True)
    return np.asarray(heat / np.maximum(top, 1e-6), np.float16)


def _both(fine: NDArray[np.float16], coarse: NDArray[np.float16]) -> NDArray[np.float16]:
    """Return the mean of two heat maps of one picture, on the grid of the finer, its highest value 1."""
    wide = cv2.resize(coarse.astype(np.float32), fine.shape[::-1], interpolation=cv2.INTER_LINEAR)
    heat = fine + wide
    return np.asarray(heat / max(float(heat.max()), 1e-6), np.float16)


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
