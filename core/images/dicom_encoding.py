"""How the pixels of a DICOM file are encoded: told by what is there where the file says otherwise, and mended where common writers err."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from core.images.dicom_frames import frames_of
from core.images.dicom_header import HeaderReader
from core.refusals import Refusal

__all__ = ["Encoding", "check_syntax", "settle_encoding", "syntax_words"]

_ITEM = b"\xfe\xff\x00\xe0"
# Of PS3.6 A, in the libraries' dictionary or not yet.
_COMPRESSIONS = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
_ROOT = "1.2.840.10008."
# SOF markers of JPEG by the syntax that decodes them (ITU-T T.81 B.1.1.3, T.87 C.1).
_FRAMES = {0xC0: JPEGBaseline8Bit, 0xC1: JPEGExtended12Bit, 0xC3: JPEGLosslessSV1, 0xF7: JPEGLSLossless}
_FAMILIES = {
    "50": "sequential", "51": "sequential", "57": "lossless", "70": "lossless", "80": "jpeg-ls", "81": "jpeg-ls",
    "90": "2000", "91": "2000", "92": "2000", "93": "2000", "201": "2000", "202": "2000", "203": "2000",
}  # fmt: skip


@dataclass(frozen=True)
class Encoding:
    """The syntax by which the pixels are decoded, and its words."""

    syntax: UID
    words: str

    def refusal(self, dataset: Dataset, error: BaseException) -> Refusal:
        """Return why a decoder did not open them."""
        said = " ".join(str(error).split())
        if isinstance(error, NotImplementedError) or "no decoders" in said or "missing dependencies" in said:
            return Refusal("unsupported_compression", f"Its compression is {self.words}.")
        if "less than the expected" in said or "fewer" in said.lower() or "truncated" in said.lower():
            return Refusal("truncated")
        if self.syntax.is_encapsulated:
            return self._of_frame(dataset)
        return Refusal("unreadable", f"The decoder says: {said[:200]}")

    def _of_frame(self, dataset: Dataset) -> Refusal:
        """Return whether the compressed image is cut, damaged, or of a kind that is not read."""
        known, frame = _by_content(dataset), _first_frame(dataset)
        if known is None or _family(known) != _family(self.syntax):
            return Refusal("unsupported_compression", f"No decoder could open its {self.words} image.")
        # The marker that ends an image (T.81 B.1.1.3, T.800 A.4.4); RLE has none.
        if known != RLELossless and b"\xff\xd9" not in (frame or b"")[-64:]:
            return Refusal("truncated", f"Its {self.words} image has no end.")
        return Refusal("unreadable", f"No decoder could open its {self.words} image.")


def syntax_words(syntax: UID) -> str:
    """Return what a transfer syntax is called."""
    if syntax in _COMPRESSIONS:
        return _COMPRESSIONS[syntax]
    if not syntax.startswith(_ROOT):
        return f"a private one ({syntax[:64]})"
    return syntax.name if syntax.name != syntax else f"not known here ({syntax[:64]})"


def check_syntax(dataset: Dataset) -> None:
    """Raise `Refusal` for a transfer syntax that nothing here reads: private, or newer than the libraries."""
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID") or ""))
    if syntax and not (syntax.is_transfer_syntax and not syntax.is_private and syntax not in _COMPRESSIONS):
        raise Refusal(
            "unsupported_compression", f"Its compression (transfer syntax) is {syntax_words(syntax)}."
        )


def settle_encoding(reading: HeaderReader) -> Encoding:
    """Return how the pixels are encoded; raises `Refusal` (truncated) where bytes of them are lacking."""
    dataset = reading.dataset
    if not dataset.file_meta.get("TransferSyntaxUID"):
        # Without file meta the standard's default applies; the reader has found out by itself how to parse it.
        dataset.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if dataset.original_encoding[0] else ExplicitVRLittleEndian
        )
    said = dataset.file_meta.TransferSyntaxUID
    data = dataset.PixelData
    photometric = (reading.text("PhotometricInterpretation") or "").upper()
    if photometric.startswith("YBR_PARTIAL"):
        raise Refusal(
            "unsupported_format", f"Its colours are written as {photometric}, which is not read here."
        )
    is_wrapped = data[:4] == _ITEM and dataset["PixelData"].is_undefined_length
    if is_wrapped and not _first_frame(dataset):
        raise Refusal("truncated", "Its pixel data (7FE0,0010) is empty.")
    found = said
    if is_wrapped:
        found = _by_content(dataset) or said
    elif said.is_encapsulated and len(data) >= _expected(dataset):
        found = ExplicitVRLittleEndian
    if found != said and _family(found) != _family(said):
        reading.contradictions.append(
            f"By its file meta the image is {syntax_words(said)}, by its content {syntax_words(found)}."
        )
        dataset.file_meta.TransferSyntaxUID = found
    syntax = dataset.file_meta.TransferSyntaxUID
    if is_wrapped and not syntax.is_encapsulated:
        raise Refusal(
            "unsupported_compression",
            f"Its file meta says {syntax_words(said)}, but the image is compressed in a way that is not known here.",
        )
    if not syntax.is_encapsulated and len(data) < _expected(dataset):
        raise Refusal("truncated", f"{len(data)} of {_expected(dataset)} bytes of the image are there.")
    if _family(syntax) == "sequential" and int(dataset.get("NumberOfFrames") or 1) <= 1:
        _mend_scans(reading)
    return Encoding(syntax, syntax_words(syntax))


def _expected(dataset: Dataset) -> int:
    """Return how many bytes the uncompressed image has: chroma of YBR_FULL_422 is stored for every second pixel."""
    try:
        length = int(get_expected_length(dataset))
    except (AttributeError, KeyError, TypeError, ValueError):
        samples, bits = int(dataset.get("SamplesPerPixel") or 1), int(dataset.get("BitsAllocated") or 16)
        length = (int(dataset.Rows) * int(dataset.Columns) * samples * bits + 7) // 8
    return length


def _family(syntax: UID) -> str:
    """Return which decoder a syntax takes."""
    if not syntax.is_encapsulated:
        return "none"
    return _FAMILIES.get(syntax.rsplit(".", 1)[-1], str(syntax))


def _first_frame(dataset: Dataset) -> bytes | None:
    """Return the first compressed image, b"" if there is none; None if it is not wrapped as the standard has it."""
    try:
        return next(generate_frames(dataset.PixelData, number_of_frames=frames_of(dataset)), b"")
    except Exception:  # noqa: BLE001 - a damaged wrapping is the decoder's to name
        return None


def _by_content(dataset: Dataset) -> UID | None:
    """Return the syntax that the first compressed frame is of by its own markers; None if it has none that are known."""
    frame = _first_frame(dataset)
    if frame is None:
        return None
    if frame[:4] == b"\xff\x4f\xff\x51" or frame[4:8] == b"jP  ":
        return JPEG2000Lossless
    if frame[:2] == b"\xff\xd8":
        marker = next((code for code, _ in _segments(frame) if code in _FRAMES), None)
        return _FRAMES.get(marker or 0)
    segments = int.from_bytes(frame[:4], "little")
    samples, bits = int(dataset.get("SamplesPerPixel") or 1), int(dataset.get("BitsAllocated") or 16)
    if frame[4:8] == b"\x40\x00\x00\x00" and segments == samples * bits // 8:
        return RLELossless
    return None


def _segments(frame: bytes) -> list[tuple[int, int]]:
    """Return markers of a JPEG image, each with where its segment begins, up to the first scan."""
    found, at = [], 2
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        code = frame[at + 1]
        if code == 0xFF:  # a fill byte
            at += 1
            continue
        found.append((code, at))
        if code == 0xDA:
            break
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return found


def _mend_scans(reading: HeaderReader) -> None:
    """Set the end of the spectral selection of a sequential scan to 63, where a common encoder wrote 0 (T.81 B.2.3)."""
    dataset = reading.dataset
    frame = _first_frame(dataset)
    if frame is None or frames_of(dataset) > 1:
        return
    segments = dict(_segments(frame))
    scan = segments.get(0xDA)
    if scan is None or not {0xC0, 0xC1} & set(segments):
        return
    last = scan + 5 + 2 * frame[scan + 4] + 1
    if last < len(frame) and frame[last] == 0:
        mended = bytearray(frame)
        mended[last] = 63
        dataset.PixelData = encapsulate([bytes(mended)])
        dataset["PixelData"].is_undefined_length = True
