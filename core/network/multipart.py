"""Messages of several parts as DICOMweb sends them (multipart/related, PS3.18 8.6.1), read as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

__all__ = ["NotReadable", "Part", "Parts"]

DICOM = "application/dicom"
_MOST_HEADER_BYTES = 16_384
_MOST_PARTS = 20_000


class NotReadable(ValueError):
    """A message is none of several parts, or breaks off; the sentence says what was found."""


@dataclass(frozen=True)
class Part:
    """One part: its media type, and its bytes; `too_large` where it had more than may be read and was passed over."""

    media_type: str
    data: bytes
    too_large: bool = False


class Parts:
    """Takes the bytes of a message as they come, and gives each part when it is whole.

    Raises `NotReadable` for a media type that is none of several parts; `feed` and `end` raise it too.

    >>> parts = Parts(headers["content-type"], most_bytes=200_000_000)
    >>> for chunk in body:
    ...     for part in parts.feed(chunk):
    ...         ...
    >>> parts.end()
    """

    def __init__(self, content_type: str, *, most_bytes: int) -> None:
        kind, options = parse_options_header(content_type)
        self.kind = kind.decode("latin-1").lower()
        self.type = options.get(b"type", b"").decode("latin-1").lower()
        boundary = options.get(b"boundary", b"")
        if not self.kind.startswith("multipart/") or not boundary:
            raise NotReadable("The message is not multipart/related with a boundary.")
        self._most = most_bytes
        self._whole: list[Part] = []
        self._headers: dict[str, str] = {}
        self._name = self._value = b""
        self._data = bytearray()
        self._too_large = self._ended = False
        self._header_bytes = self._count = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> Iterator[Part]:
        """Take some bytes, and yield the parts that are whole by now."""
        if self._ended:
            return  # what stands behind the last boundary is nothing (RFC 2046, 5.1.1)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise NotReadable("The message's parts cannot be told apart.") from error
        while self._whole:
            yield self._whole.pop(0)

    def end(self) -> None:
        """Note that nothing comes any more; raises `NotReadable` if the last part is not whole."""
        if not self._ended:
            raise NotReadable("The message breaks off before its last boundary.")

    def _begin(self) -> None:
        self._count += 1
        if self._count > _MOST_PARTS:
            raise FormParserError("too many parts")
        self._headers, self._data, self._too_large = {}, bytearray(), False
        self._name = self._value = b""
        self._header_bytes = 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._value += data[start:end]

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _MOST_HEADER_BYTES:
            raise FormParserError("a header is too long")

    def _header_end(self) -> None:
        self._headers[self._name.decode("latin-1").strip().lower()] = self._value.decode("latin-1").strip()
        self._name = self._value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._too_large or len(self._data) + end - start > self._most:
            self._data, self._too_large = bytearray(), True
            return
        self._data += data[start:end]

    def _part_end(self) -> None:
        media_type, _, _ = self._headers.get("content-type", DICOM).partition(";")
        self._whole.append(Part(media_type.strip().lower(), bytes(self._data), self._too_large))
        self._data = bytearray()

    def _end(self) -> None:
        self._ended = True
