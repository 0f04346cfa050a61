import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest

from seed_data.women.processes import in_order


def _die(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def test_results_come_in_order():
    assert list(in_order(abs, list(range(-40, 0)), 2)) == list(range(40, 0, -1))


def test_a_process_that_dies_is_told_of_and_not_waited_for():
    with pytest.raises(BrokenProcessPool):
        list(in_order(_die, list(range(8)), 2))


def test_processes_end_when_the_one_that_started_them_is_killed():
    code = (
        "import time; from seed_data.women.processes import in_order; list(in_order(time.sleep, [60] * 4, 2))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[3])
    deadline = time.monotonic() + 60

    def makers() -> list[psutil.Process]:
        return [
            one for one in psutil.Process(parent.pid).children() if "spawn_main" in " ".join(one.cmdline())
        ]

    # The thread that watches is there once both are at work.
    while len(makers()) < 2 or not all(one.num_threads() > 1 for one in makers()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    started = makers()
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(started, timeout=20)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
