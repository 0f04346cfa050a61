"""Checkpoints of PyTorch before 1.6: tensors are read, and nothing else in them is run or believed."""

import collections
import os
import pickle

import numpy as np
import pytest

from models.view.torch_weights import read_tensors
from tests.models.old_checkpoint import MAGIC, write_checkpoint

TENSORS = {
    "kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "bias": np.array([1.5, -2.0], np.float32),
    "seen": np.array(7, np.int64),
}


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "w.pth", TENSORS)
    return tmp_path / "w.pth"


def test_tensors_are_read_by_name_with_their_kind_and_shape(path):
    read = read_tensors(path)
    assert list(read) == list(TENSORS)
    for name, one in TENSORS.items():
        assert read[name].dtype == one.dtype
        np.testing.assert_array_equal(read[name], one)


def test_tensors_may_share_a_storage_and_lie_turned(tmp_path):
    whole = np.arange(6, dtype=np.float32)
    views = {"end": ("all", 4, (2,), (1,)), "turned": ("all", 0, (2, 3), (1, 2))}
    write_checkpoint(tmp_path / "w.pth", {"all": whole}, views=views)
    read = read_tensors(tmp_path / "w.pth")
    np.testing.assert_array_equal(read["end"], [4, 5])
    np.testing.assert_array_equal(read["turned"], [[0, 2, 4], [1, 3, 5]])


@pytest.mark.parametrize(
    "view",
    [("all", 5, (2,), (1,)), ("all", -1, (2,), (1,)), ("all", 0, (2**40,), (0,)), ("all", 0, (2, 3), (1, 3))],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path, view):
    write_checkpoint(tmp_path / "w.pth", {"all": np.arange(6, dtype=np.float32)}, views={"v": view})
    with pytest.raises(ValueError, match=r"w\.pth is not a PyTorch state dict.*inside"):
        read_tensors(tmp_path / "w.pth")


class Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_file_is_refused_and_not_run(tmp_path):
    path, trap = tmp_path / "w.pth", tmp_path / "trap"
    for parts in ([Runs(trap)], [MAGIC, 1001, {}, collections.OrderedDict(a=Runs(trap)), []]):
        path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
        with pytest.raises(ValueError, match=r"it asks for (posix|nt)\.mkdir, which is not a tensor"):
            read_tensors(path)
    assert not trap.exists()


def test_cut_damaged_and_other_files_are_refused_in_one_sentence(path, tmp_path):
    whole = path.read_bytes()
    other = tmp_path / "other.pth"
    damaged = [bytearray(whole) for _ in range(12)]
    for place, one in enumerate(damaged):
        one[place] ^= 0xFF
    shortened = [whole[: int(len(whole) * share)] for share in (0, 0.01, 0.3, 0.6, 0.9, 0.99)]
    for content in [*shortened, b"PK\x03\x04zip", b"\x89HDF", *map(bytes, damaged)]:
        other.write_bytes(content)
        with pytest.raises(ValueError, match=r"^other\.pth is not a PyTorch state dict[^\n]*$"):
            read_tensors(other)


def test_a_storage_that_claims_more_than_the_file_holds_is_refused(path):
    whole = path.read_bytes()
    claim = (24).to_bytes(8, "little")
    path.write_bytes(whole.replace(claim, (2**60).to_bytes(8, "little")))
    with pytest.raises(ValueError, match="cut short"):
        read_tensors(path)
