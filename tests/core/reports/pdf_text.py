"""The words of a PDF that fpdf2 made, page by page, for tests: no reader of PDFs is among our libraries."""

import re
import zlib


def pages_of(pdf: bytes) -> list[str]:
    """Return the text of each page, words in the order in which they were printed, one a line."""
    objects = dict(re.findall(rb"(?s)\n(\d+) 0 obj\n(.*?)\nendobj", pdf))
    fonts = {name: _letters(objects, number) for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", pdf)}
    contents = [
        re.search(rb"/Contents (\d+) 0 R", body)
        for body in objects.values()
        if re.search(rb"/Type /Page\b(?!s)", body)
    ]
    return [_text(_stream(objects[found[1]]), fonts) for found in contents if found]


def _stream(body: bytes) -> bytes:
    data = re.search(rb"(?s)stream\n(.*)\nendstream", body)
    assert data
    return zlib.decompress(data[1]) if b"/FlateDecode" in body else data[1]


def _letters(objects: dict[bytes, bytes], number: bytes) -> dict[int, str]:
    """Return the letters of a font by the codes that stand for them in this file."""
    found = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
    assert found
    pairs = re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>", _stream(objects[found[1]]))
    return {int(code, 16): bytes.fromhex(letter.decode()).decode("utf-16-be") for code, letter in pairs}


def _text(content: bytes, fonts: dict[bytes, dict[int, str]]) -> str:
    said, font = [], {}
    for name, words in re.findall(rb"(?s)/(F\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", content):
        if name:
            font = fonts[name]
            continue
        plain = re.sub(rb"(?s)\\(.)", lambda one: {b"r": b"\r", b"n": b"\n"}.get(one[1], one[1]), words)
        codes = [int.from_bytes(plain[at : at + 2], "big") for at in range(0, len(plain), 2)]
        said.append("".join(font.get(code, "?") for code in codes))
    return "\n".join(said)
