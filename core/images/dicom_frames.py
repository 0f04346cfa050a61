"""DICOM objects of several frames (tomosynthesis, loops): the one that stands for all, and what is said of it in particular."""

from __future__ import annotations

from pydicom.dataset import Dataset

from core.images.dicom_header import HeaderReader
from core.refusals import Refusal

__all__ = ["check_frames", "frames_of", "settle_frame", "shown_frame"]

_MOST_FRAMES = 2000
# Of the functional groups (PS3.3 C.7.6.16) those whose content single images have at the top.
_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence")


def frames_of(dataset: Dataset) -> int:
    """Return how many frames there are; 1 where that is not said."""
    try:
        return max(1, int(dataset.get("NumberOfFrames") or 1))
    except (TypeError, ValueError):
        return 1


def shown_frame(dataset: Dataset) -> int:
    """Return which frame stands for all, from 0, and alone is decoded: the one that the file names (0028,6010), else the middle one."""
    frames = frames_of(dataset)
    try:
        said = int(dataset.get("RepresentativeFrameNumber") or 0)
    except (TypeError, ValueError):
        said = 0
    return said - 1 if 1 <= said <= frames else frames // 2


def check_frames(dataset: Dataset, rows: int, columns: int, most: int) -> None:
    """Raise `Refusal` (decompression_bomb) where frames are too many, or all together have more than `most` pixels."""
    frames = frames_of(dataset)
    if frames > _MOST_FRAMES or rows * columns * frames > most:
        raise Refusal("decompression_bomb", f"It says to have {frames} images of {rows} × {columns} pixels.")


def settle_frame(reading: HeaderReader) -> None:
    """Take what functional groups say of the frame that is shown to where single images say it, if nothing stands there."""
    dataset = reading.dataset
    shared = [item for _, item in reading.codes("SharedFunctionalGroupsSequence")]
    own = [item for _, item in reading.codes("PerFrameFunctionalGroupsSequence")]
    place = shown_frame(dataset)
    for groups in (*own[place : place + 1], *shared[:1]):
        for keyword in _GROUPS:
            for _, item in reading.codes(keyword, groups)[:1]:
                for element in item:
                    if element.tag not in dataset:
                        dataset.add(element)
