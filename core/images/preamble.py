"""The first bytes of a DICOM file: whether it is one, what it would unfold to, and what is stored of them."""

from __future__ import annotations

import zlib

from core.refusals import Refusal

_DEFLATED = b"1.2.840.10008.1.2.1.99"


def looks_like_dicom(data: bytes) -> bool:
    """Tell whether the bytes begin as DICOM does, with a preamble or (older files) without."""
    return data[128:132] == b"DICM" or (
        data[:2] in (b"\x02\x00", b"\x08\x00")
        and data[4:6] in (b"UL", b"UI", b"CS", b"DA", b"TM", b"SH", b"LO")
    )


def check_inflated_size(data: bytes, most: int) -> None:
    """Raise `Refusal` (decompression_bomb) if a deflated DICOM file would unfold to more than `most` bytes."""
    if data[128:132] != b"DICM" or data[132:136] != b"\x02\x00\x00\x00":
        return
    meta_end = 144 + int.from_bytes(data[140:144], "little")
    if _DEFLATED not in data[132:meta_end]:
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    rest, inflated = data[meta_end:], 0
    while rest:
        inflated += len(inflater.decompress(rest, 1 << 24))
        if inflated > most:
            raise Refusal("decompression_bomb", f"It inflates to more than {most / 1e6:.0f} MB.")
        rest = inflater.unconsumed_tail


def storable(data: bytes) -> bytes:
    """Return bytes as they are stored: a DICOM preamble is zeroed, for it may make the file a program (CVE-2019-11687)."""
    clean = data[128:132] != b"DICM" or data.startswith(bytes(128))
    return data if clean else bytes(128) + data[128:]
