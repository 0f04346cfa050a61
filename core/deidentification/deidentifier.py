"""De-identifying files that are not trusted, in a child process with a memory and a time limit (`core.images.child`)."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from core.deidentification.keys import key_of
from core.deidentification.options import Options
from core.images import Child, ChildDied
from core.installation import Installation
from core.people.needing import SYSTEM_ONLY, needs
from core.refusals import Refusal

__all__ = ["Deidentified", "Deidentifier"]

_START_SECONDS = 120.0
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_TIMES = 4
"""So much more time than reading a file may take: its pixels are searched and packed again."""


@dataclass(frozen=True)
class Deidentified:
    """A file without her.

    `mrn` is her number and `patient` her pseudonym, "" for a picture of which nobody said whose it is; `removed` says what
    was done, attribute by attribute, and holds no value.
    """

    data: bytes
    suffix: str
    mrn: str
    patient: str
    removed: tuple[tuple[str, str], ...]


class Deidentifier:
    """A child process that de-identifies one file after another, replaced when it dies or takes too long.

    >>> with Deidentifier(here) as deidentifier:
    ...     clean = deidentifier.clean(path.read_bytes())
    """

    @needs(SYSTEM_ONLY)
    def __init__(self, here: Installation, options: Options | None = None) -> None:
        self.settings, self.options = here.settings, options or Options()
        self.key = key_of(here)
        self._child = Child(
            ["-m", "core.deidentification.process", str(2 * here.settings.reader_memory_mb)],
            environment=_ONE_THREAD,
            most_bytes=8 * here.settings.max_pixels,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._child.close()

    def clean(self, data: bytes, mrn: str | None = None, *, insist: bool = True) -> Deidentified:
        """De-identify one file, the same way every time; raises `Refusal`.

        `mrn` says whose it is; without `insist` only where the file does not.
        """
        if not data:
            raise Refusal("empty_file")
        if len(data) > self.settings.max_file_mb * 1_000_000:
            raise Refusal("too_large", f"At most {self.settings.max_file_mb} MB are read.")
        seconds = _TIMES * self.settings.reader_seconds
        question = {
            "key": self.key.hex(),
            "mrn": mrn,
            "insist": insist,
            "options": self.options.to_json(),
            "max_pixels": self.settings.max_pixels,
            "cpu_seconds": seconds,
        }
        if not self._child.runs:
            self._child.start(_START_SECONDS)
        try:
            answer, parts = self._child.ask(question, data, seconds)
        except TimeoutError:
            self._child.close()
            raise Refusal("timeout", f"It took more than {seconds:.0f} s.") from None
        except ChildDied as death:
            self._child.close()
            raise Refusal("unreadable", "The decoder stopped while reading it.") from death
        if answer.pop("spent", False):
            self._child.close()
        if "refusal" in answer:
            raise Refusal(answer["refusal"], answer["detail"])
        removed = tuple((str(what), str(how)) for what, how in answer["removed"])
        return Deidentified(bytes(parts[0]), answer["suffix"], answer["mrn"], answer["patient"], removed)
