"""The heat maps of a study as DICOM secondary captures: over the picture, in colour, marked in the picture itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from highdicom import UID
from highdicom.sc import SCImage
from numpy.typing import NDArray
from sqlalchemy import select

from core.images import open_rendition, rendition
from core.installation import Installation
from core.records import ViewImage
from core.reports.content import RESEARCH, Report, ReportError
from core.reports.dicom_objects import MANUFACTURER, evidence_of, file_of, mark, quietly
from db.tables import Embedding, Image

__all__ = ["secondary_captures"]

LEAST_SHOWN = 0.15
"""Heat (0..1) below it is not drawn: it lies over the whole breast."""
MOST_COVERED = 0.55
"""How much of the picture the hottest place covers."""


def secondary_captures(here: Installation, report: Report) -> dict[str, bytes]:
    """Return one DICOM file a view, by name, turned as the picture is stored.

    Raises `ReportError` where the study's score may not be told, so that its heat maps may not be shown, or it has none.
    """
    if not report.said.trusted:
        raise ReportError(f"No heat map may be shown of this study. {report.said.why_not}")
    heats = _heats(here, [image.sop_uid for image in report.images])
    if not heats:
        raise ReportError("No heat map of this study is stored.")
    evidence = {one.SOPInstanceUID: one for one in evidence_of(here, report)}
    series, made = UID(), {}
    for number, image in enumerate(report.images, 1):
        if image.sop_uid in heats and image.sop_uid in evidence:
            picture = _over(here, image, *heats[image.sop_uid])
            capture = _capture(report, evidence[image.sop_uid], picture, image, series, number)
            made[f"heat-map-{image.laterality}-{image.view}.dcm"] = capture
    return made


def _heats(
    here: Installation, sop_uids: list[str]
) -> dict[str, tuple[NDArray[np.float32], Mapping[str, Any]]]:
    """Return by image the heat map that the newest encoder made, and how the picture was laid out for it."""
    with here.database.read() as session:
        rows = session.execute(
            select(Image.sop_uid, Embedding)
            .join(Embedding, Embedding.image_id == Image.id)
            .where(Image.sop_uid.in_(sop_uids))
            .order_by(Embedding.id)
        )
        return {
            sop_uid: (
                np.frombuffer(row.heat_map, "<f2").reshape(row.heat_map_shape).astype(np.float32),
                row.transform,
            )
            for sop_uid, row in rows
        }


def _over(
    here: Installation, image: ViewImage, heat: NDArray[np.float32], laid_out: Mapping[str, Any]
) -> NDArray[np.uint8]:
    """Return the picture (rows, columns, 3) with the heat over it."""
    from models.view import STRIDE, ViewTransform

    header, pixels = open_rendition(rendition(here, image.sop_uid))
    low = header["window_center"] - header["window_width"] / 2
    grey = np.clip((pixels.astype(np.float32) - low) / header["window_width"], 0, 1)
    rows, columns = grey.shape
    transform = ViewTransform.from_json(dict(laid_out))
    shrunk = header["source_columns"] / columns
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) + 0.5
    across, down = transform.to_network(x * shrunk, y * shrunk)
    map_x, map_y = (across / STRIDE - 0.5).astype(np.float32), (down / STRIDE - 0.5).astype(np.float32)
    hot = cv2.remap(heat, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    share = MOST_COVERED * np.clip((hot - LEAST_SHOWN) / (1 - LEAST_SHOWN), 0, 1)[..., None]
    colour = cv2.applyColorMap((np.clip(hot, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    mixed = grey[..., None] * 255 * (1 - share) + colour[..., ::-1].astype(np.float32) * share
    picture = np.ascontiguousarray(mixed.round().astype(np.uint8))
    scale = columns / 1100
    cv2.putText(
        picture, f"Heat map. {RESEARCH}", (round(24 * scale), rows - round(24 * scale)),
        cv2.FONT_HERSHEY_SIMPLEX, scale, (230, 230, 230), max(1, round(2 * scale)), cv2.LINE_AA,
    )  # fmt: skip
    return picture


def _capture(
    report: Report, source: Any, picture: NDArray[np.uint8], image: ViewImage, series: str, number: int
) -> bytes:
    with quietly():
        made = SCImage.from_ref_dataset(
            ref_dataset=source,
            pixel_array=picture,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            series_instance_uid=series,
            series_number=9002,
            sop_instance_uid=UID(),
            instance_number=number,
            manufacturer=MANUFACTURER,
            laterality=image.laterality,
            # Where a picture's rows and columns lead is not kept of every source.
            patient_orientation=("A", "F") if image.view != "CC" else ("A", image.laterality),
        )
        mark(made, report, "Longview heat map")
        made.BurnedInAnnotation = "YES"
        made.ImageComments = f"Heat map over {image.view_name.words}. {report.said.statement}"[:1024]
    return file_of(made)
