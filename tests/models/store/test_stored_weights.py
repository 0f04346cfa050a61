"""Weights kept in eight bits: small, and the same after any number of times."""

import numpy as np

from models.store.stored_weights import COARSE, load_weights, rounded, save_weights

RANDOM = np.random.default_rng(0)
WEIGHTS = [
    RANDOM.normal(0, [0.01, 1, 5, 0.2], (3, 3, 8, 4)).astype(np.float32),
    RANDOM.normal(0, 1, 4).astype(np.float32),
    RANDOM.normal(0, 1, (3, 3, 8, 1)).astype(np.float32),
    np.zeros((2, 3), np.float32),
]


def test_each_channel_is_kept_to_a_hundredth_of_its_largest_weight():
    for one, other in zip(WEIGHTS, rounded(WEIGHTS), strict=True):
        largest = np.abs(one).max(axis=tuple(range(one.ndim - 1)), keepdims=True)
        assert (np.abs(one - other) <= largest / 100).all()


def test_vectors_are_kept_as_they_are():
    np.testing.assert_array_equal(rounded(WEIGHTS)[1], WEIGHTS[1])


def test_what_is_read_is_what_rounding_said(tmp_path):
    save_weights(tmp_path / "w.npz", WEIGHTS)
    for one, other in zip(rounded(WEIGHTS), load_weights(tmp_path / "w.npz"), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(rounded(WEIGHTS), rounded(rounded(WEIGHTS)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_kernel_takes_a_quarter_of_its_room(tmp_path):
    kernel = RANDOM.normal(0, 1, (3, 3, 64, 64)).astype(np.float32)
    save_weights(tmp_path / "w.npz", [kernel])
    assert (tmp_path / "w.npz").stat().st_size < kernel.nbytes / 3.9


def test_fewer_levels_take_less_room_and_are_read_as_rounding_said(tmp_path):
    kernel = RANDOM.normal(0, 1, (3, 3, 64, 64)).astype(np.float32)
    save_weights(tmp_path / "fine.npz", [kernel])
    save_weights(tmp_path / "coarse.npz", [kernel], COARSE)
    fine, coarse = ((tmp_path / name).stat().st_size for name in ("fine.npz", "coarse.npz"))
    assert coarse < 0.8 * fine
    np.testing.assert_array_equal(load_weights(tmp_path / "coarse.npz")[0], rounded([kernel], COARSE)[0])
