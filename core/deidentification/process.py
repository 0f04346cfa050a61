"""``python -m core.deidentification.process MEMORY_MB``: the child that opens files for `Deidentifier`.

Asked and answering as `core.images.child` says; it ends when stdin does.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from core.images import Answer, answer_or_refuse, answer_questions, get_ready


def answer(question: dict[str, Any], data: bytes) -> Answer:
    """De-identify one file."""
    from core.deidentification.file import clean
    from core.deidentification.options import Options

    def work() -> Answer:
        cleaned = clean(
            data,
            bytes.fromhex(question["key"]),
            question["mrn"],
            Options(frozenset(question["options"])),
            insist=question["insist"],
            max_pixels=question["max_pixels"],
        )
        facts = {
            "suffix": cleaned.suffix,
            "mrn": cleaned.mrn,
            "patient": cleaned.patient,
            "removed": cleaned.removed.actions,
        }
        return facts, [cleaned.data]

    return answer_or_refuse(work, cpu_seconds=question["cpu_seconds"])


def main() -> None:
    """Answer one question after another until stdin ends."""
    answer_questions(_prepare)


def _prepare() -> Callable[[dict[str, Any], bytes], Answer]:
    get_ready(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    import core.deidentification.file  # noqa: F401 - so that the first file does not pay for the imports

    return answer


if __name__ == "__main__":
    main()
