"""``python -m core.images.process MEMORY_MB``: the child that decodes files for `core.images.reader.GuardedReader`.

Asked and answering as `core.images.child` says; it ends when stdin does.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from core.images.answering import Answer, answer_questions
from core.images.confined import confine

if TYPE_CHECKING:
    from core.images.read_image import ReadImage

_SMALL_BYTES = 1_000_000
"""Below this OpenCV is to share nothing out to threads: that takes longer than the parts do."""
_LARGE_PIXELS = 2_000_000
"""From here on measuring an image and making its pictures are worth a thread each."""


def limit_memory(megabytes: int) -> None:
    """Let this process map no more than so many megabytes of address space."""
    size = megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def get_ready(megabytes: int) -> None:
    """Give up what reading files does not need, and let this process have no more than so much memory."""
    # The folder beneath which they lie is not read any more then.
    import models  # noqa: F401

    confine()
    limit_memory(megabytes)


def limit_processor_time(seconds: float) -> None:
    """Let this process use so many more seconds of processor time from now on."""
    used = int(time.process_time() + seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used, hard))


def answer_or_refuse(work: Callable[[], Answer], *, cpu_seconds: float) -> Answer:
    """Work on one file within its time; a refusal is an answer too, and so is that memory does not suffice."""
    from core.refusals import Refusal

    try:
        limit_processor_time(cpu_seconds)
        return work()
    except Refusal as refusal:
        return {"refusal": refusal.reason, "detail": refusal.detail}, []
    except MemoryError:
        # What is left of the heap may be in pieces: answer, and let the parent start another child.
        detail = "Reading it needs more memory than is allowed."
        return {"refusal": "decompression_bomb", "detail": detail, "spent": True}, []


def measure_and_draw(image: ReadImage) -> tuple[bytes, bytes]:
    """Measure an image that is a mammogram, and return its rendition and thumbnail; both at once if it is large."""
    from core.images.drawing import make_pictures
    from core.images.quality.measures import measure

    if image.doubt is not None:
        return make_pictures(image)
    if image.pixels.size < _LARGE_PIXELS:
        image.measured = measure(image.pixels, image.bits_stored)
        pictures = make_pictures(image)
    else:
        # Neither holds Python's lock for long: a sender waits for this one image, and another core is idle.
        with ThreadPoolExecutor(1) as other:
            drawn = other.submit(make_pictures, image)
            image.measured = measure(image.pixels, image.bits_stored)
            pictures = drawn.result()
    if image.bits_left is not None:
        image.measured["bits_left" if image.bits_stored > 8 else "bits_left_of_8"] = image.bits_left
    return pictures


def answer(question: dict[str, Any], data: bytes) -> Answer:
    """Decode one file."""
    import cv2

    from core.images.decoding import decode
    from core.images.dicom import count_frames
    from core.images.drawing import make_rendition
    from core.images.mammogram import looking_once
    from core.images.read_image import image_to_json

    def work() -> Answer:
        if question["wanted"] == "count":
            return {"frames": count_frames(data)}, []
        cv2.setNumThreads(1 if len(data) < _SMALL_BYTES else cv2.getNumberOfCPUs())
        with looking_once():
            image = decode(data, max_pixels=question["max_pixels"], frame=question.get("frame"))
            if question["wanted"] == "frame":
                return {}, [make_rendition(image)]
            if question["wanted"] == "pixels":
                return image_to_json(image), [image.pixels.data.cast("B")]
            pictures = measure_and_draw(image)
        return image_to_json(image), list(pictures)

    return answer_or_refuse(work, cpu_seconds=question["cpu_seconds"])


def main() -> None:
    """Answer one question after another until stdin ends."""
    answer_questions(_prepare)


def _prepare() -> Callable[[dict[str, Any], bytes], Answer]:
    get_ready(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    # So that the first file does not pay for the imports.
    import core.images.decoding
    import core.images.drawing
    import core.images.quality.measures  # noqa: F401

    return answer


if __name__ == "__main__":
    main()
