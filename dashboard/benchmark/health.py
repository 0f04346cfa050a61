"""How long ``/health`` takes, asked by a process of its own, so that nothing but the dashboard holds it up."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

PERIOD_SECONDS = 0.1


@contextmanager
def asked_meanwhile(url: str) -> Iterator[list[float]]:
    """Ask while something else goes on; the list holds seconds once it is over."""
    seconds: list[float] = []
    asking = subprocess.Popen(
        [sys.executable, "-m", "dashboard.benchmark.health", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield seconds
        said, _ = asking.communicate("\n", timeout=30)
        seconds.extend(json.loads(said))
    finally:
        asking.kill()
        asking.wait()


def ask_until_told(url: str) -> list[float]:
    """Ask every tenth of a second, each time by a connection of its own, until there is a line on stdin."""
    import select

    place = urlsplit(url)
    seconds = []
    while not select.select([sys.stdin], [], [], PERIOD_SECONDS)[0]:
        begun = time.perf_counter()
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        connection.request("GET", "/health")
        connection.getresponse().read()
        connection.close()
        seconds.append(time.perf_counter() - begun)
    return seconds


if __name__ == "__main__":
    json.dump(ask_until_told(sys.argv[1]), sys.stdout)
