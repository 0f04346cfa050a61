"""Simulated mammography machines: how a picture is sharpened, made noisy, mapped to grey values, marked and written."""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from core.rules import age_years
from core.rules.vocabulary import Side
from seed_data.women.appearance import Shown
from seed_data.women.bodies import Picture
from seed_data.women.life import Life, LifeVisit
from seed_data.women.planes import HEIGHT_MM, WIDTH_MM, Plane


@dataclass(frozen=True)
class Machine:
    """One vendor's look. Grey values are `bits` deep; `spacing` multiplies the set's pixel spacing.

    `roll_off_mm`: how deep under the skin the picture is darkened because the breast is thinner there (film) or was
    left so by the vendor's equalisation. `blur_mm` and `sharpen` describe the resolution, `grain` the noise.
    """

    name: str
    model: str
    spacing: float
    bits: int
    roll_off_mm: float
    blur_mm: float
    sharpen: float
    grain: float
    gamma: float
    contrast: float
    fog: float
    marker: Literal["text", "label"]
    inverted: bool = False


# Four invented vendors; the looks follow what differs between real ones: equalisation, sharpening, noise, depth.
MACHINES: Final = {
    "Aldermere": Machine("Aldermere (simulated)", "Clarion 3", 1.0, 12, 4.0, 0.10, 0.75, 0.014, 0.95, 1.12, 0.0, "text"),
    "Brightwater": Machine("Brightwater (simulated)", "Mira DR", 1.08, 14, 7.0, 0.16, 0.35, 0.011, 1.20, 0.98, 0.0, "text"),
    "Corvane": Machine("Corvane (simulated)", "CR 85", 0.96, 10, 8.0, 0.24, 0.45, 0.024, 1.05, 1.00, 0.015, "text", True),
    "Film": Machine("Scanned film (simulated)", "Scanner 12", 1.04, 12, 14.0, 0.28, 0.0, 0.007, 0.80, 1.12, 0.045, "label"),
}  # fmt: skip


# The spacing at which `Machine.grain` is the noise of one pixel.
GRAIN_SPACING_MM: Final = 0.375


@dataclass(frozen=True)
class Film:
    """A finished view: grey values (rows, columns), uint16, larger = brighter, as it hangs (right breast mirrored)."""

    pixels: NDArray[np.uint16]
    machine: Machine
    spacing_mm: float
    mirrored: bool

    def box(self, shown: Shown) -> tuple[int, int, int, int]:
        """Return the box (x0, y0, x1, y1) of a finding in pixels of the film, half open, origin top left."""
        return self.box_around(shown.x, shown.y, shown.radius_pixels + 1)

    def box_around(self, x: float, y: float, reach: float) -> tuple[int, int, int, int]:
        """Return such a box around a pixel of the picture whose chest wall is left, `reach` pixels to each side."""
        rows, columns = self.pixels.shape
        x = columns - 1 - x if self.mirrored else x
        x0, x1 = max(int(x - reach), 0), min(int(x + reach) + 2, columns)
        y0, y1 = max(int(y - reach), 0), min(int(y + reach) + 2, rows)
        return x0, y0, x1, y1


def machine_of(life: Life, visit: LifeVisit) -> Machine:
    """Return the machine that stood there at a visit: drawn per woman, changing now and then, film before 2008."""
    rng = np.random.default_rng([*life.key, 6])
    names = list(MACHINES)
    current = str(rng.choice(names, p=[0.38, 0.24, 0.20, 0.18]))
    for index in range(visit.number + 1):
        changes = rng.random() < 0.14
        new = str(rng.choice(names[:3]))
        if index and changes:
            current = new
    if visit.on < date(2008, 1, 1) and rng.random() < 0.6:
        current = "Film"
    return MACHINES[current]


def film_shape(machine: Machine, spacing_mm: float) -> tuple[int, int]:
    """Return (rows, columns) of this machine's images."""
    spacing = spacing_mm * machine.spacing
    return round(HEIGHT_MM / spacing), round(WIDTH_MM / spacing)


def expose(
    picture: Picture, machine: Machine, spacing_mm: float, side: Side, view: str, rng: np.random.Generator
) -> Film:
    """Turn a picture into the film this machine would give; `spacing_mm` is that of the picture."""
    signal, skin = picture.signal, picture.skin_mm
    rows, columns = signal.shape
    inside = 1 / (1 + np.exp(np.clip(-skin / 0.35, -40, 40)))
    # 1 - exp: the outermost tissue is thinner, so darker; equalisation leaves little of it on digital machines.
    thin = 1 - np.exp(-np.maximum(skin, 0) / (machine.roll_off_mm * 0.45) - 0.35)
    exposure = 1 + float(rng.normal(0, 0.035))
    image = signal * thin * inside * exposure
    sigma = machine.blur_mm / spacing_mm
    if sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    grain = rng.standard_normal((rows, columns), dtype=np.float32)
    finer = max(GRAIN_SPACING_MM * machine.spacing / spacing_mm, 0.7)
    if machine.marker == "label":  # film grain is correlated
        grain = cv2.GaussianBlur(grain, (0, 0), 0.7 * finer) * (2.2 * finer)
    else:  # quanta: an area holds the same number, however finely it is divided
        grain *= finer
    image += grain * machine.grain * (0.25 + 0.75 * inside)
    if machine.sharpen:
        smooth = cv2.GaussianBlur(image, (0, 0), 1.4 / spacing_mm * 0.6)
        image += machine.sharpen * (image - smooth) * inside
    contrast = machine.contrast * (1 + float(rng.normal(0, 0.03)))
    image = np.clip(contrast * image, 0, None) ** machine.gamma
    high = np.maximum(image - 0.8, 0)
    image = np.minimum(image, 0.8) + 0.2 * np.tanh(high / 0.2)  # a shoulder before white
    if machine.marker == "label":
        # Characteristic curve of film: a toe, a straight part, a shoulder.
        image = 1 / (1 + np.exp(-(image - 0.52) * 5.0)) - 1 / (1 + math.exp(0.52 * 5.0))
        image *= 1.12
        image += machine.fog * (1 + 0.12 * grain)
    else:
        image += machine.fog * (inside < 0.5)
    mirrored = side == "R"
    if mirrored:
        image = image[:, ::-1]
    image = np.ascontiguousarray(image, np.float32)
    _mark(image, machine, side, view, mirrored, spacing_mm, rng)
    top = 2**machine.bits - 1
    if machine.marker == "label":
        _dust(image, rng)
    pixels = np.clip(image * (top * 0.97), 0, top).astype(np.uint16)
    return Film(pixels, machine, spacing_mm, mirrored)


def worn(film: Film, rng: np.random.Generator) -> Film:
    """Return a view as an old film would give it after years in a damp cellar: flat, dusty, scratched.

    No model of simulated women learned from such pictures; a reader still sees the breast.
    """
    top = 2**film.machine.bits - 1
    image = (film.pixels.astype(np.float32) / top) ** 0.7
    rows, columns = image.shape
    longer = max(rows, columns)
    for _ in range(24):
        x, y = int(rng.integers(columns)), int(rng.integers(-rows // 2, rows))
        end = (x + int(rng.normal(0, 25)), y + int(rng.uniform(0.3, 0.9) * longer))
        cv2.line(image, (x, y), end, float(rng.uniform(0.75, 1.0)), 2, cv2.LINE_AA)
    for _ in range(160):
        place = (int(rng.integers(columns)), int(rng.integers(rows)))
        cv2.circle(image, place, int(rng.integers(1, 4)), float(rng.uniform(0.7, 1.0)), -1, cv2.LINE_AA)
    machine = replace(film.machine, name="Old film (simulated)", model="Cellar")
    return replace(film, pixels=(np.clip(image, 0, 1) * top).astype(np.uint16), machine=machine)


def _mark(
    image: Plane,
    machine: Machine,
    side: Side,
    view: str,
    mirrored: bool,
    spacing_mm: float,
    rng: np.random.Generator,
) -> None:
    """Burn in the marker of side and view, away from the chest wall, in place."""
    columns = image.shape[1]
    scale = 0.375 / spacing_mm
    text = f"{side} {view}"
    width, height = int((14 * len(text) + 8) * scale), int(26 * scale)
    left = (
        int(6 * scale + rng.uniform(0, 10))
        if mirrored
        else columns - width - int(6 * scale + rng.uniform(0, 10))
    )
    top = int(8 * scale + rng.uniform(0, 14))
    ground, ink = (0.96, 0.12) if machine.marker == "label" else (None, 0.95)
    letters = np.zeros((height, width), np.uint8)
    place = (int(4 * scale), int(19 * scale))
    cv2.putText(
        letters,
        text,
        place,
        cv2.FONT_HERSHEY_SIMPLEX,
        0.62 * scale,
        255,
        max(1, round(1.6 * scale)),
        cv2.LINE_AA,
    )
    weight = letters.astype(np.float32) / 255
    patch = image[top : top + height, left : left + width]
    if ground is not None:
        patch[:] = ground
    patch += weight * (ink - patch)


def _dust(image: Plane, rng: np.random.Generator) -> None:
    """Scratch the film and lay dust on it, in place."""
    rows, columns = image.shape
    for _ in range(int(rng.integers(0, 3))):
        start = (int(rng.integers(columns)), int(rng.integers(rows)))
        end = (start[0] + int(rng.normal(0, 25)), start[1] + int(rng.normal(0, 25)))
        cv2.line(image, start, end, 0.75, 1, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 6))):
        cv2.circle(image, (int(rng.integers(columns)), int(rng.integers(rows))), 1, 0.85, -1, cv2.LINE_AA)


def to_png(film: Film) -> bytes:
    """Return the film as an 8-bit greyscale PNG, as a viewer would export it."""
    eight = cv2.convertScaleAbs(film.pixels, alpha=255.0 / (2**film.machine.bits - 1))
    done, data = cv2.imencode(".png", eight, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError("The image could not be written as PNG.")
    return data.tobytes()


def uid(*parts: object) -> UID:
    """Return a DICOM UID under the UUID root (2.25) that depends on `parts` only."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:16]
    return UID(f"2.25.{int.from_bytes(digest, 'big')}")


VIEW_CODES: Final = {"CC": codes.cid4014.CranioCaudal, "MLO": codes.cid4014.MedioLateralObliqueProjection}


def to_dicom(
    film: Film, life: Life, visit: LifeVisit, side: Side, view: str, *, mrn: str | None = None
) -> bytes:
    """Return the film as a Digital Mammography X-Ray Image, For Presentation, explicit VR little endian.

    `mrn` is the PatientID; default: the woman's name. One study UID a visit, one SOP UID a view, both derived from
    her name, so that the same woman always gives the same bytes.
    """
    machine, (rows, columns) = film.machine, film.pixels.shape
    top = 2**machine.bits - 1
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = uid("sop", life.name, life.key, visit.number, side, view, *visit.again)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("longview", "seed_data")
    data = Dataset()
    data.file_meta = meta
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    day = visit.on.strftime("%Y%m%d")
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = day
    data.StudyTime = data.ContentTime = "090000"
    data.AccessionNumber = ""
    data.Modality = "MG"
    data.PresentationIntentType = "FOR PRESENTATION"
    data.Manufacturer, data.ManufacturerModelName = machine.name, machine.model
    data.ReferringPhysicianName = ""
    data.StudyDescription = "Screening mammography (simulated)"
    data.PatientName, data.PatientID = life.name, mrn or life.name
    data.PatientBirthDate = life.birth_date.strftime("%Y%m%d")
    data.PatientSex = "F"
    data.PatientAge = f"{age_years(life.birth_date, visit.on):03d}Y"
    data.PatientComments = "SIMULATED"
    data.BodyPartExamined = "BREAST"
    data.StudyInstanceUID = uid("study", life.name, life.key, visit.number, *visit.again)
    data.SeriesInstanceUID = uid("series", life.name, life.key, visit.number, side, view, *visit.again)
    data.StudyID, data.SeriesNumber = str(visit.number + 1), 1
    data.InstanceNumber = 1 + 2 * (side == "L") + (view == "MLO")
    data.ImageLaterality = side
    data.ViewPosition = view
    data.PatientOrientation = [
        "P" if side == "R" else "A",
        {"CC": "R" if side == "L" else "L", "MLO": "FR" if side == "L" else "FL"}[view],
    ]
    data.ViewCodeSequence = [_code(VIEW_CODES[view].value, VIEW_CODES[view].meaning)]
    data.ViewCodeSequence[0].ViewModifierCodeSequence = []
    data.AnatomicRegionSequence = [_code("76752008", "Breast")]
    data.AcquisitionContextSequence = []
    data.ImagerPixelSpacing = [f"{film.spacing_mm:.4f}"] * 2
    data.PositionerType = "MAMMOGRAPHIC"
    data.OrganExposed = "BREAST"
    data.PartialView, data.BreastImplantPresent, data.BurnedInAnnotation = "NO", "NO", "NO"
    data.RecognizableVisualFeatures = "NO"
    data.LossyImageCompression = "00"
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME1" if machine.inverted else "MONOCHROME2"
    data.PresentationLUTShape = "INVERSE" if machine.inverted else "IDENTITY"
    data.PixelIntensityRelationship, data.PixelIntensityRelationshipSign = (
        "LOG",
        -1 if machine.inverted else 1,
    )
    data.Rows, data.Columns = rows, columns
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = (
        16,
        machine.bits,
        machine.bits - 1,
        0,
    )
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "0", "1", "US"
    data.WindowCenter, data.WindowWidth = str((top + 1) // 2), str(top + 1)
    pixels = top - film.pixels if machine.inverted else film.pixels
    data.PixelData = np.ascontiguousarray(pixels, "<u2").tobytes()
    data["PixelData"].VR = "OW"
    written = io.BytesIO()
    data.save_as(written, enforce_file_format=True)
    return written.getvalue()


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
