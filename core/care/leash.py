"""``python -m core.care.leash DESCRIPTOR -m MODULE …``: a Python program that ends when who started it is gone.

The descriptor is the reading end of a pipe whose other end the starter alone holds and never writes to: it closes when
the starter ends, however that comes about, kill -9 included. The program is asked to stop then, as by its starter, and
is ended if it does not. (Linux could signal the death of a parent by itself; this works everywhere, and leaves the
program time to finish. One that is halted would not come to it, and hold its port from who starts it anew: there Linux's
signal wakes it.)
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
import threading
import time

STOP_SECONDS = 10.0
"""How long a program may take to stop after it was asked to."""
_PARENT_DEATH_SIGNAL = 1


def end_with(descriptor: int) -> None:
    """Stop this process when the pipe behind the descriptor closes."""
    os.set_inheritable(descriptor, False)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGCONT)

    def watch() -> None:
        while True:
            try:
                if not os.read(descriptor, 1):
                    break
            except InterruptedError:
                continue
            except OSError:
                break
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="leash", daemon=True).start()


def run(arguments: list[str]) -> None:
    """Run ``-m MODULE …`` or ``-c CODE …`` in this process, as the interpreter would; raises `ValueError` for others."""
    kind, what, *rest = arguments
    sys.argv = [what, *rest]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv[0] = "-c"
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what `python -c` does
    else:
        raise ValueError(f"A program is started with -m or -c, not with {kind!r}.")


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    run(sys.argv[2:])
