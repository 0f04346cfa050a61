"""``python -m core.reading_process MEMORY_MB``: the child that decodes files for `core.reading.GuardedReader`.

Asked over stdin, answers over stdout: a little-endian uint32, that many bytes of JSON, then raw bytes whose
sizes the JSON gives. It ends when stdin does.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
import time
import warnings
from typing import Any, BinaryIO


def limit_memory(megabytes: int) -> None:
    """Let this process map no more than so many megabytes of address space."""
    size = megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_processor_time(seconds: float) -> None:
    """Let this process use so many more seconds of processor time from now on."""
    used = int(time.process_time() + seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used, hard))


def answer(question: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes | memoryview]]:
    """Decode one file; a refusal is an answer too."""
    from core.decoding import decode
    from core.reading import image_to_json
    from core.refusals import Refusal
    from core.renditions import make_rendition, make_thumbnail

    try:
        limit_processor_time(question["cpu_seconds"])
        image = decode(data, max_pixels=question["max_pixels"])
        if question["wanted"] == "pixels":
            return image_to_json(image), [image.pixels.data.cast("B")]
        return image_to_json(image), [make_rendition(image), make_thumbnail(image)]
    except Refusal as refusal:
        return {"refusal": refusal.reason, "detail": refusal.detail}, []
    except MemoryError:
        # What is left of the heap may be in pieces: answer, and let the parent start another child.
        detail = "Reading it needs more memory than is allowed."
        return {"refusal": "decompression_bomb", "detail": detail, "spent": True}, []


def main() -> None:
    """Answer one question after another until stdin ends."""
    questions = os.fdopen(os.dup(0), "rb", buffering=1 << 20)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # Decoding libraries may print: that must not get between the answers.
    os.dup2(2, 1)
    limit_memory(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    import core.decoding
    import core.renditions  # noqa: F401 - so that the first file does not pay for the imports

    _write(answers, {"ready": True}, [])
    while head := questions.read(4):
        question = json.loads(questions.read(struct.unpack("<I", head)[0]))
        _write(answers, *answer(question, questions.read(question["size"])))


def _write(answers: BinaryIO, facts: dict[str, Any], parts: list[bytes | memoryview]) -> None:
    text = json.dumps({**facts, "parts": [len(part) for part in parts]}, allow_nan=False).encode()
    for part in (struct.pack("<I", len(text)) + text, *parts):
        rest = memoryview(part)
        while rest:
            rest = rest[answers.write(rest) :]


if __name__ == "__main__":
    main()
