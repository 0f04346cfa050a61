"""What depends on the library behind Keras: loading it quietly, and training faster with TensorFlow on processors."""

from __future__ import annotations

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

__all__ = ["as_function", "built_for_training", "load", "one_pass_normalization"]

_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|I\d{4} [\d:.]+ +\d+ \S+\.cc:\d+\] |To enable the following instructions"
)


def load() -> None:
    """Import Keras and its backend, which takes seconds and a gigabyte; what they print at their start is left out.

    They write before a log level can be set, straight to file descriptor 2. So it is kept apart while they load;
    every line that is not of that kind, such as a log line of another thread or a failure, is then written.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            importlib.import_module("keras")
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not _CHATTER.match(line)))


def one_pass_normalization(network: keras.Model) -> keras.Model:
    """Return the network with the same layers and weights, whose batch normalisation trains in one pass.

    Keras takes moments, then normalises, in passes of their own, which is a third of a training step on processors;
    TensorFlow has one operation for both. What is computed and what is kept is the same. Only training uses it: a
    network that is saved is pure Keras. With another backend than TensorFlow the network itself comes back.
    """
    import keras
    from keras import ops

    if keras.backend.backend() != "tensorflow":
        return network
    import tensorflow as tf

    class OnePass(keras.layers.BatchNormalization):
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            if not (training and self.trainable and len(inputs.shape) == 4 and inputs.dtype == "float32"):
                return super().call(inputs, training=training, mask=mask)
            out, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
            )
            count = ops.cast(ops.prod(ops.shape(inputs)[:-1]), "float32")
            biased = (
                variance * (count - 1.0) / count
            )  # TensorFlow returns the unbiased one, Keras keeps this.
            for kept, new in ((self.moving_mean, mean), (self.moving_variance, biased)):
                kept.assign(kept * self.momentum + new * (1.0 - self.momentum))
            return out

    def cloned(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = OnePass if type(layer) is keras.layers.BatchNormalization else type(layer)
        return kind.from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=cloned)
    copy.set_weights(network.get_weights())
    return copy


def built_for_training(network: keras.Model, inputs: Any = None, targets: Any = None) -> None:
    """Make what a compiled network keeps while it is trained: moments of its weights, running means of its losses.

    Left to the first step, they would be made while TensorFlow traces it, and it would be traced a second time without
    them: half of what a short training takes. The weights stay as they are.

    Parameters
    ----------
    network
        Compiled, with its optimiser.
    inputs, targets
        What one step is given, in the network's structure of inputs and outputs; of it one example is looked at. A
        network with one output needs none: there the loss is its own mean.
    """
    import keras

    network.optimizer.build(network.trainable_variables)
    if inputs is not None:
        shown, answer = keras.tree.map_structure(lambda values: values[:1], (inputs, targets))
        network.compute_loss(y=answer, y_pred=network(shown, training=False))


def as_function(network: keras.Model) -> Callable[[NDArray[np.float32]], Any]:
    """Return what a network answers of one image (1, rows, columns, 1), as arrays in its own structure of outputs.

    It is one graph, traced once. Its weights stay the network's own: as constants of
    the graph they would be a tenth faster, and take twice as much memory. With another backend than TensorFlow the network
    predicts as ever.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return lambda view: keras.tree.map_structure(np.asarray, network.predict_on_batch(view))
    import tensorflow as tf

    def answers(view: Any) -> list[Any]:
        return [tf.cast(one, tf.float32) for one in keras.tree.flatten(network(view, training=False))]

    spec = tf.TensorSpec((1, *network.input.shape[1:]), tf.float32)
    graph = tf.function(answers, autograph=False).get_concrete_function(spec)

    def run(view: NDArray[np.float32]) -> Any:
        found = [one.numpy() for one in graph(tf.constant(view, tf.float32))]
        return keras.tree.pack_sequence_as(network.output, found)

    return run


def in_half(network: keras.Model) -> keras.Model:
    """Return the network with convolutions that multiply numbers of 16 bits (bfloat16), where this processor does that.

    It is about twice as fast then, and answers differ by some thousandths. Else, or with another backend than TensorFlow,
    the network itself comes back.
    """
    import keras

    if keras.backend.backend() != "tensorflow" or not _multiplies_half():
        return network

    def cloned(layer: keras.layers.Layer) -> keras.layers.Layer:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.MaxPooling2D):
            return layer
        return type(layer).from_config(layer.get_config() | {"dtype": "mixed_bfloat16"})

    copy = keras.models.clone_model(network, clone_function=cloned, recursive=True)
    copy.set_weights(network.get_weights())
    return copy


@cache
def _multiplies_half() -> bool:
    """Say whether the processor has instructions for it: without them it would be slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
