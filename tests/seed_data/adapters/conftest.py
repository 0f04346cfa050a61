"""What all tests of adapters need: writing tiny made-up sets in their published layouts, and reading manifests."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.sets.manifest import read_manifest
from seed_data import adapters
from seed_data.__main__ import app
from tests.pictures import breast, dicom


@dataclass
class Folder:
    """A made-up data set on disk, and where its manifest goes."""

    src: Path
    out: Path

    def table(self, name: str, *rows: str, bom: bool = False, ends: str = "\n") -> Path:
        path = self.src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = ends.join(rows) + ends
        path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
        return path

    def mammogram(self, name: str, pixels: np.ndarray | None = None, **tags) -> Path:
        path = self.src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dicom(breast(rows=64, columns=48) if pixels is None else pixels, **tags))
        return path

    def picture(self, name: str, pixels: np.ndarray, kind: str = "PNG") -> Path:
        path = self.src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind)
        path.write_bytes(file.getvalue())
        return path

    def adapt(self, name: str) -> adapters.Adapted:
        return adapters.adapt(name, self.src, self.out)

    def rows(self):
        """The manifest as training and import read it; nothing in it is refused."""
        manifest = read_manifest(self.out / "manifest.csv")
        assert manifest.refused == []
        return manifest.rows

    def cells(self) -> list[dict[str, str]]:
        with (self.out / "manifest.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "set", tmp_path / "made" / "manifest")
    made.src.mkdir()
    return made


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(app, ["adapt", *map(str, words)])


def mask(rows: int, columns: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask of 0 and 255 with these boxes (x0, y0, x1, y1) marked."""
    pixels = np.zeros((rows, columns), np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = 255
    return pixels
