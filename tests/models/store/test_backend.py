"""Loading the networks' libraries quietly, and training with them as Keras itself does."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

from models.store.backend import built_for_training, one_pass_normalization

PROJECT = Path(__file__).resolve().parents[2]
CHATTER = """WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795256065.714123   14340 port.cc:153] oneDNN custom operations are on.
"""


def said_while_loading(folder: Path, library: str) -> tuple[int, str]:
    (folder / "keras.py").write_text(library)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from models.store import backend; backend.load(); print('after', file=sys.stderr)",
        ],
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{PROJECT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_start_lines_are_left_out_and_all_others_written(tmp_path: Path) -> None:
    library = f"import os\nos.write(2, {CHATTER.encode()!r})\nos.write(2, b'a line of ours\\n')"
    assert said_while_loading(tmp_path, library) == (0, "a line of ours\nafter\n")


def test_a_library_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    code, said = said_while_loading(
        tmp_path, f"import os\nos.write(2, {CHATTER.encode()!r})\nimport no_such_library"
    )
    assert code == 1
    assert "no_such_library" in said
    assert "oneDNN" not in said


def test_one_pass_normalization_trains_as_keras_does() -> None:
    keras.utils.set_random_seed(3)
    view = keras.Input((8, 6, 1))
    x = keras.layers.Conv2D(5, 3)(view)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    network = keras.Model(view, {"answer": keras.layers.Dense(2)(keras.layers.Flatten()(x))})
    random = np.random.default_rng(4)
    views = random.normal(2, 3, (16, 8, 6, 1)).astype(np.float32)
    answers = random.normal(0, 1, (16, 2)).astype(np.float32)
    fast = one_pass_normalization(network)
    learned = []
    for each in (network, fast):
        each.compile(keras.optimizers.SGD(0.05), loss={"answer": "mse"})
        for _ in range(5):
            each.train_on_batch(views, {"answer": answers})
        learned.append(each.get_weights())
    for usual, quick in zip(*learned, strict=True):
        np.testing.assert_allclose(quick, usual, rtol=1e-3, atol=1e-5)
    usual_answer, quick_answer = (each.predict_on_batch(views)["answer"] for each in (network, fast))
    np.testing.assert_allclose(quick_answer, usual_answer, rtol=1e-3, atol=1e-4)
    assert type(network.layers[2]) is keras.layers.BatchNormalization, "the network given is left as it was"


def test_a_network_that_is_built_for_training_learns_the_same_and_its_step_is_traced_once() -> None:
    random = np.random.default_rng(5)
    shown = {"view": random.normal(0, 1, (6, 4)).astype(np.float32)}
    answers = {name: random.normal(0, 1, (6, 2)).astype(np.float32) for name in ("one", "other")}
    traced: list[object] = []

    def loss(target: object, said: object) -> object:
        traced.append(said)
        return keras.ops.mean(keras.ops.square(target - said))

    learned, times = [], []
    for built in (False, True):
        keras.utils.set_random_seed(3)
        view = keras.Input((4,), name="view")
        network = keras.Model({"view": view}, {name: keras.layers.Dense(2)(view) for name in answers})
        network.compile(keras.optimizers.AdamW(0.01), loss=dict.fromkeys(answers, loss))
        if built:
            before = network.get_weights()
            built_for_training(network, shown, answers)
            for old, new in zip(before, network.get_weights(), strict=True):
                np.testing.assert_array_equal(old, new)
        traced.clear()
        for _ in range(3):
            network.train_on_batch(shown, answers)
        times.append(len(traced))
        learned.append(network.get_weights())
    assert times == [2 * len(answers), len(answers)]
    for one, other in zip(*learned, strict=True):
        np.testing.assert_array_equal(one, other)
