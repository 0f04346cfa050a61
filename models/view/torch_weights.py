"""Reads tensors from a PyTorch checkpoint of the format before 1.6, without PyTorch and without running its code.

The format (torch/serialization.py, `_legacy_save`): pickles of a magic number, a protocol number, facts on the machine,
the object itself with a persistent id in place of each storage, and the list of storage keys; then each storage as its
length, int64, and its raw values.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_tensors"]

MAGIC = 0x1950A86A20F9469CFC6C
KINDS = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
_DAMAGED = (
    pickle.UnpicklingError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    RecursionError,
    MemoryError,
    OverflowError,
)
"""What reading bytes that are no such file, or a cut one, ends in."""


@dataclass(frozen=True)
class _Tensor:
    """A tensor whose values are still to be read."""

    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return the values; ValueError if they are not all inside what is stored, or more than that."""
        steps = [step for step, size in zip(self.strides, self.shape, strict=True) if size > 1]
        last = self.offset + sum(
            (size - 1) * step for size, step in zip(self.shape, self.strides, strict=True)
        )
        count = math.prod(self.shape)
        if (
            min((self.offset, *self.shape, *steps)) < 0
            or count > len(stored)
            or (count and last >= len(stored))
        ):
            raise ValueError("a tensor does not lie inside what is stored")
        bytes_apart = [step * stored.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(stored[self.offset :], self.shape, bytes_apart).copy()


class _Reader(pickle.Unpickler):
    """Knows tensors and ordered dicts; whatever else a file asks for is refused."""

    def __init__(self, file: io.BufferedIOBase, kinds: dict[str, str]) -> None:
        super().__init__(file)
        self.kinds = kinds

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda key, offset, shape, strides, *_: _Tensor(
                key, int(offset), tuple(shape), tuple(strides)
            )
        if module == "torch" and name in KINDS:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not a tensor")

    def persistent_load(self, pid: Any) -> str:
        _, kind, key, *_ = pid
        self.kinds[str(key)] = KINDS[kind]
        return str(key)


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a state dict by name.

    Raises
    ------
    ValueError
        If the file is not such a checkpoint, is cut short, or holds anything but tensors.
    """
    try:
        with path.open("rb") as file:
            kinds: dict[str, str] = {}
            if _Reader(file, kinds).load() != MAGIC:
                raise ValueError("the magic number is another")
            for _ in range(2):
                _Reader(file, kinds).load()
            named = _Reader(file, kinds).load()
            keys = _Reader(file, kinds).load()
            stored = {key: _storage(file, np.dtype(kinds[key]), path.stat().st_size) for key in keys}
        return {str(name): one.of(stored[one.key]) for name, one in named.items()}
    except _DAMAGED as error:
        raise ValueError(
            f"{path.name} is not a PyTorch state dict in the format before 1.6: {error}"
        ) from error


def _storage(file: io.BufferedIOBase, kind: np.dtype[Any], size: int) -> NDArray[Any]:
    """Read the next storage of a file of `size` bytes."""
    (count,) = np.frombuffer(file.read(8), "<i8", 1).tolist()
    if not 0 <= count * kind.itemsize <= size:
        raise ValueError("a tensor is cut short")
    return np.frombuffer(file.read(count * kind.itemsize), kind, count)
