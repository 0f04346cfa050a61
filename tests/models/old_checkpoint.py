"""Writes checkpoints as PyTorch before 1.6 did, without PyTorch (torch/serialization.py, `_legacy_save`)."""

import collections
import pickle
import sys
import types
from unittest import mock

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"float32": "FloatStorage", "int64": "LongStorage", "float16": "HalfStorage"}


class _Stored:
    def __init__(self, key, kind, count):
        self.key, self.kind, self.count = key, kind, count


class _Viewed:
    def __init__(self, stored, offset, shape, strides):
        self.made_of = (stored, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.made_of


def write_checkpoint(path, tensors, views=None):
    """Write tensors by name; `views` are more tensors: (whose storage, offset, shape, strides)."""
    torch, parts = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    parts._rebuild_tensor_v2 = _named("_rebuild_tensor_v2")

    class Writer(pickle.Pickler):
        def persistent_id(self, one):
            if not isinstance(one, _Stored):
                return None
            return ("storage", getattr(torch, one.kind), one.key, "cpu", one.count, None)

    stored = {
        name: _Stored(str(140000 + place), STORAGES[one.dtype.name], one.size)
        for place, (name, one) in enumerate(tensors.items())
    }
    named = collections.OrderedDict(
        (name, _Viewed(stored[name], 0, one.shape, tuple(step // one.itemsize for step in one.strides)))
        for name, one in tensors.items()
    )
    for name, (whose, *rest) in (views or {}).items():
        named[name] = _Viewed(stored[whose], *rest)
    with mock.patch.dict(sys.modules, {"torch": torch, "torch._utils": parts}), path.open("wb") as file:
        for part in (MAGIC, 1001, {"little_endian": True}, named, [one.key for one in stored.values()]):
            Writer(file, protocol=2).dump(part)
        for one in tensors.values():
            file.write(np.int64(one.size).tobytes() + one.tobytes())


def _named(name):
    def made(*_):
        raise AssertionError("a checkpoint must not be rebuilt by what it names")

    made.__module__, made.__name__, made.__qualname__ = "torch._utils", name, name
    return made
