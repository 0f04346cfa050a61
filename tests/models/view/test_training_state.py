"""What a training keeps of a stage: whole, gone on from, or refused by name."""

import numpy as np
import pytest

from models.store import DamagedCache
from models.view.training_state import TrainingState

WEIGHTS, AVERAGE = [np.arange(3.0), np.ones((2, 2))], [np.zeros(3), np.full((2, 2), 0.5)]
CURVE = [{"stage": "views", "step": 4, "train_loss": 0.25}]


@pytest.fixture
def state(tmp_path):
    made = TrainingState(tmp_path)
    made.write("views", WEIGHTS, AVERAGE, 1.5, 4, CURVE, done=False)
    return made


def test_a_stage_comes_back_as_it_was_kept(state):
    kept = state.read("views")
    assert (kept.spent, kept.steps, kept.curve, kept.done) == (1.5, 4, CURVE, False)
    for one, other in zip([*kept.weights, *kept.average], [*WEIGHTS, *AVERAGE], strict=True):
        np.testing.assert_array_equal(one, other)
    assert state.read("crops") is None


def test_a_damaged_stage_is_refused_by_name(state):
    path = state.folder / "views.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedCache, match=r"views\.npz"):
        state.read("views")
    np.savez(path, facts=np.array('{"n": 2}'))
    with pytest.raises(DamagedCache, match=r"views\.npz.*lacks"):
        state.read("views")
