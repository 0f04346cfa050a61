"""Arrays that a run keeps for itself: there whole, not there, or refused by name."""

import numpy as np
import pytest

from models.store import DamagedCache, keep_arrays, kept_arrays


@pytest.fixture
def path(tmp_path):
    keep_arrays(tmp_path / "state.npz", weights=np.arange(6.0).reshape(2, 3), facts=np.array('{"n": 1}'))
    return tmp_path / "state.npz"


def test_arrays_come_back_as_they_were_kept(path):
    kept = kept_arrays(path)
    np.testing.assert_array_equal(kept["weights"], np.arange(6.0).reshape(2, 3))
    assert str(kept["facts"]) == '{"n": 1}'
    assert [one.name for one in path.parent.iterdir()] == ["state.npz"]
    assert kept_arrays(path.with_name("other.npz")) is None


def test_cut_at_any_byte_they_are_refused_by_name(path):
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(DamagedCache, match=r"state\.npz.*Remove it and repeat"):
            kept_arrays(path)


def test_a_changed_byte_of_the_values_is_refused_by_name(path):
    whole = bytearray(path.read_bytes())
    place = whole.index(np.float64(5.0).tobytes())
    whole[place] ^= 1
    path.write_bytes(bytes(whole))
    with pytest.raises(DamagedCache, match=r"state\.npz"):
        kept_arrays(path)
