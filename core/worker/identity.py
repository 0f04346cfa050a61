"""Which process a claim or a heartbeat names, and whether it still runs.

A process is named by machine, number and start: numbers are given out again, starts of one number are not. Starts and
ages are read off the clock that counts since the machine was switched on where there is one: nobody sets that one.
"""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from pathlib import Path

import psutil  # type: ignore[import-untyped]


@cache
def machine() -> str:
    """Return this machine's name, as it stands in front of the names of its processes."""
    return socket.gethostname()


def own_name() -> str:
    """Return the name of this process, ``machine:number:start``."""
    return f"{machine()}:{os.getpid()}:{_start_of(os.getpid()) or ''}"


def is_of_this_machine(name: str) -> bool:
    """Tell whether a process of this machine has the name."""
    return name.startswith(f"{machine()}:")


def runs(name: str) -> bool:
    """Tell whether the process of this machine that has the name still runs.

    A name without a start, as earlier releases wrote it, is believed if any process has the number.
    """
    number, _, start = name.removeprefix(f"{machine()}:").partition(":")
    if not number.isdecimal():
        return False
    found = _start_of(int(number))
    return found is not None and start in ("", found)


def uptime() -> tuple[str, float] | None:
    """Return which run of the machine this is and for how many seconds it has lasted; None where that is not told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return boot, time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError):
        return None


def _start_of(number: int) -> str | None:
    """Return when a process was started, in whatever unit; None if none has the number, or only its corpse."""
    try:
        # The name in the second field may hold spaces and brackets: fields are counted from behind it.
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        state, start = fields.split()[0], fields.split()[19]
        return None if state in "ZX" else start
    except (OSError, IndexError):
        pass
    try:
        process = psutil.Process(number)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return ""
