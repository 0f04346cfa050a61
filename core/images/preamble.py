"""The first bytes of a DICOM file: whether it is one, what it would unfold to, and what is stored of them."""

from __future__ import annotations

import zlib

from core.refusals import Refusal

_DEFLATED = b"1.2.840.10008.1.2.1.99"


_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US UT OB OW UN SQ".split())


def looks_like_dicom(data: bytes) -> bool:
    """Tell whether the bytes begin as DICOM does, with a preamble or (older files) without: a first element, and a second."""
    if data[128:132] == b"DICM":
        return True
    if data[:2] not in (b"\x02\x00", b"\x08\x00"):
        return False
    if data[4:6] in _VRS:
        return True
    # Implicit VR: tag, length, value, and a tag of the same group that comes later.
    first, length = int.from_bytes(data[2:4], "little"), int.from_bytes(data[4:8], "little")
    after = data[8 + length : 12 + length]
    return (
        length < 1024
        and len(after) == 4
        and after[:2] == data[:2]
        and int.from_bytes(after[2:], "little") > first
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
    while rest and not inflater.eof:
        inflated += len(inflater.decompress(rest, 1 << 24))
        if inflated > most:
            raise Refusal("decompression_bomb", f"It inflates to more than {most / 1e6:.0f} MB.")
        rest = inflater.unconsumed_tail


def storable(data: bytes) -> bytes:
    """Return bytes as they are stored: a DICOM preamble is zeroed, for it may make the file a program (CVE-2019-11687)."""
    clean = data[128:132] != b"DICM" or data.startswith(bytes(128))
    return data if clean else bytes(128) + data[128:]
