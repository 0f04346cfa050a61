"""The side of `core.images.child` that is asked: all that a child loads of ours to be one."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

from core.files import keep_private

Answer = tuple[dict[str, Any], list[bytes | memoryview]]


def answer_questions(prepare: Callable[[], Callable[[dict[str, Any], bytes], Answer]]) -> None:
    """Be the child: get ready, say so, and answer one question after another until stdin ends.

    `prepare` returns what answers; libraries that print do not get between the answers.
    """
    keep_private()
    questions = os.fdopen(os.dup(0), "rb", buffering=1 << 20)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    answer = prepare()
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
