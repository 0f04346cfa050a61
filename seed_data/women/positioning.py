"""Positioning: how a breast lies on the film at one visit, and how tissue is drawn towards some findings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from seed_data.women.life import LifeLesion
from seed_data.women.planes import NIPPLE_V_MM, Plane

Placed = tuple[LifeLesion, float, tuple[float, float]]
"""A finding with its diameter in mm and where (mm) it lies on the film."""


@dataclass(frozen=True)
class Warp:
    """How one visit's positioning maps the film to the woman's plane coordinates (mm to mm)."""

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    waves: NDArray[np.float64]  # (n, 5): amplitude along u, along v, frequency u, frequency v, phase

    @classmethod
    def none(cls) -> Warp:
        """Return a positioning that leaves everything where it is."""
        return cls(np.eye(2), np.zeros(2), np.zeros((0, 5)))

    @classmethod
    def draw(cls, rng: np.random.Generator, view: str, strength: float = 1.0) -> Warp:
        """Draw a positioning; `strength` scales how far it departs from the first one."""
        angle = rng.normal(0, 0.022 * strength)
        stretch_u, stretch_v = 1 + rng.normal(0, 0.02 * strength), 1 + rng.normal(0, 0.02 * strength)
        ca, sa = math.cos(angle), math.sin(angle)
        matrix = np.array([[ca * stretch_u, -sa], [sa, ca * stretch_v]])
        centre = np.array([40.0, NIPPLE_V_MM[view]])
        move = np.array([rng.normal(0, 2.5 * strength), rng.normal(0, 3.5 * strength)])
        count = 4
        waves = np.stack(
            [
                rng.normal(0, 0.55 * strength, count),
                rng.normal(0, 0.55 * strength, count),
                2 * np.pi / rng.uniform(70, 160, count) * rng.choice([-1, 1], count),
                2 * np.pi / rng.uniform(70, 160, count),
                rng.uniform(0, 2 * np.pi, count),
            ],
            axis=1,
        )
        return cls(matrix, centre - matrix @ centre + move, waves)

    def _wave(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        du, dv = np.zeros(np.broadcast(u, v).shape), np.zeros(np.broadcast(u, v).shape)
        for along_u, along_v, fu, fv, phase in self.waves:
            wave = np.sin(fu * u + fv * v + phase)
            du += along_u * wave
            dv += along_v * wave
        return du, dv

    def pixel_maps(
        self, shape: tuple[int, int], spacing_mm: float, findings: list[Placed], source_mm: float
    ) -> tuple[Plane, Plane]:
        """Return for every pixel of a film (rows, columns) at `spacing_mm` the column and row of a source that it shows.

        The source's pixels are `source_mm` wide; tissue is drawn towards `findings` that do so.
        """
        source_u, source_v = self._inverse_maps(shape, spacing_mm)
        _pull_tissue(source_u, source_v, findings, spacing_mm)
        rows, columns = shape
        return (
            cv2.resize(source_u, (columns, rows), interpolation=cv2.INTER_LINEAR) / source_mm - 0.5,
            cv2.resize(source_v, (columns, rows), interpolation=cv2.INTER_LINEAR) / source_mm - 0.5,
        )

    def _inverse_maps(self, shape: tuple[int, int], spacing_mm: float) -> tuple[Plane, Plane]:
        """Return for a coarse grid over the film (one node per 8 pixels) the plane coordinates it shows."""
        rows, columns = max(shape[0] // 8, 2), max(shape[1] // 8, 2)
        u = ((np.arange(columns) + 0.5) * shape[1] / columns * spacing_mm)[None, :]
        v = ((np.arange(rows) + 0.5) * shape[0] / rows * spacing_mm)[:, None]
        du, dv = self._wave(u, v)
        source_u = self.matrix[0, 0] * u + self.matrix[0, 1] * v + self.shift[0] + du
        source_v = self.matrix[1, 0] * u + self.matrix[1, 1] * v + self.shift[1] + dv
        return source_u.astype(np.float32), source_v.astype(np.float32)

    def forward(self, u: float, v: float) -> tuple[float, float]:
        """Return where on the film (mm) a place of the plane comes to lie."""
        inverse = np.linalg.inv(self.matrix)
        place = np.array([u, v])
        film = inverse @ (place - self.shift)
        for _ in range(12):
            du, dv = self._wave(np.array(film[0]), np.array(film[1]))
            film = inverse @ (place - self.shift - np.array([float(du), float(dv)]))
        return float(film[0]), float(film[1])


_PULL: Final = {"distortion": 0.34, "spiculated mass": 0.20, "radial scar": 0.26, "scar": 0.28}


def _pull_tissue(source_u: Plane, source_v: Plane, findings: list[Placed], spacing_mm: float) -> None:
    """Draw the tissue around distortions and spiculated masses towards them, in place on the coarse maps."""
    rows, columns = source_u.shape
    for lesion, size, (u, v) in findings:
        pull = _PULL.get(lesion.kind, 0.0)
        if not pull or size < 3:
            continue
        reach = 0.9 * size + 4.0
        du = (np.arange(columns) + 0.5)[None, :] * 8 * spacing_mm - u
        dv = (np.arange(rows) + 0.5)[:, None] * 8 * spacing_mm - v
        strength = (pull * np.exp(-(du**2 + dv**2) / reach**2)).astype(np.float32)
        source_u += strength * du.astype(np.float32)
        source_v += strength * dv.astype(np.float32)
