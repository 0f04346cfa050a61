"""A child process that is asked over stdin and answers over stdout, with a deadline for every answer.

Question and answer alike: a little-endian uint32, that many bytes of JSON, then raw bytes whose sizes the JSON
gives. Nothing is pickled, so neither side can make the other run code. The child's side is `core.images.answering`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from core.outages import MachineFailed

_PROJECT = Path(__file__).resolve().parents[2]
_PIPE_BYTES = 1 << 20
_MOST_JSON_BYTES = 1 << 20
# All that a child gets of the environment: passwords and keys are none of its business.
_PASSED_ON = frozenset({"PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR"})


class ChildDied(Exception):
    """The child stopped before it answered; `code` is its exit status."""

    def __init__(self, code: int | None) -> None:
        self.code = code
        super().__init__(f"The process stopped (exit status {code}).")


class ChildUnstartable(MachineFailed):
    """The child's process cannot be started, or stops before it is ready: what it was to do is not at fault."""


class Child:
    """One process, started with ``python -m MODULE ARGUMENTS`` and asked one thing at a time.

    Parameters
    ----------
    arguments
        What stands behind ``python``.
    environment
        Variables it gets beside the few that every child gets.
    most_bytes
        Most raw bytes that one answer may bring.
    """

    def __init__(
        self, arguments: Sequence[str], *, environment: dict[str, str] | None = None, most_bytes: int
    ) -> None:
        self._arguments, self._more, self._most_bytes = list(arguments), environment or {}, most_bytes
        self.process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def start(self, seconds: float) -> None:
        """Start it and wait until it says that it is ready; raises `ChildUnstartable` with its last word if it is not."""
        self.close()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        environment = {n: v for n, v in os.environ.items() if n in _PASSED_ON or n.startswith("PYTHON")}
        self.process = subprocess.Popen(
            [sys.executable, *self._arguments],
            cwd=_PROJECT,
            env=environment | self._more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            bufsize=0,
            start_new_session=True,  # a Ctrl-C in the terminal is the parent's to handle
        )
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            self._receive(time.monotonic() + seconds)
        except (ChildDied, TimeoutError) as error:
            said = self.last_word()
            self.close()
            raise ChildUnstartable(
                f"The process {self._arguments[1]} does not start: {said or error}"
            ) from None

    def last_word(self) -> str:
        """Return the last line the child wrote to stderr, "" if there is none."""
        if self._complaints is None:
            return ""
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        return said[-1] if said else ""

    def ask(
        self, question: dict[str, Any], data: bytes, seconds: float
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Ask and wait for the answer; raises `TimeoutError` or `ChildDied`, after either it is of no more use."""
        deadline = time.monotonic() + seconds
        self._send(json.dumps({**question, "size": len(data)}).encode(), data, deadline)
        return self._receive(deadline)

    def kill(self) -> None:
        """End the process under whoever is asking or starting it, who gets `ChildDied` or `ChildUnstartable`."""
        process = self.process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process; it may be started again."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
            self.process = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def _send(self, question: bytes, data: bytes, deadline: float) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        descriptor = self.process.stdin.fileno()
        for part in (struct.pack("<I", len(question)) + question, data):
            rest = memoryview(part)
            while rest:
                _wait(descriptor, deadline, writing=True)
                try:
                    rest = rest[os.write(descriptor, rest) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise ChildDied(self.process.wait()) from None

    def _receive(self, deadline: float) -> tuple[dict[str, Any], list[bytearray]]:
        (length,) = struct.unpack("<I", self._receive_exactly(4, deadline))
        if length > _MOST_JSON_BYTES:
            raise ChildDied(None)
        answer = json.loads(self._receive_exactly(length, deadline))
        sizes = answer.pop("parts", [])
        if sum(sizes) > self._most_bytes:
            raise ChildDied(None)
        return answer, [self._receive_exactly(size, deadline) for size in sizes]

    def _receive_exactly(self, size: int, deadline: float) -> bytearray:
        assert self.process is not None
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        buffer = bytearray(size)
        rest = memoryview(buffer)
        while rest:
            _wait(descriptor, deadline, writing=False)
            try:
                count = os.readv(descriptor, [rest])
            except BlockingIOError:
                continue
            if count == 0:
                raise ChildDied(self.process.wait())
            rest = rest[count:]
        return buffer


def _wait(descriptor: int, deadline: float, *, writing: bool) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if writing else select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError
