"""``make grown``: an installation grown to several machines, on this one, to try it out. Ctrl-C ends all of it."""

from __future__ import annotations

import os
import secrets
import sys
import threading

from core.care.launch import CannotListen, Part, check_port, stop_on_signals
from core.installation import Installation
from core.people import Role, asking, create_user
from tests.grown.stack import grown, lacking


def main() -> int:
    """Start it, say where it is and who may sign in, and wait for Ctrl-C."""
    if lacks := lacking():
        print(
            f"Not installed here: {lacks}. See the README's section on sharing one installation.",
            file=sys.stderr,
        )
        return 3
    port = int(os.environ.get("LONGVIEW_PORT", "8501"))
    try:
        check_port("127.0.0.1", port)
    except CannotListen as error:
        print(error, file=sys.stderr)
        return 2
    asking.system_asks_in_this_process()
    stopping = threading.Event()
    stop_on_signals(stopping)
    accounts = {
        role: secrets.token_urlsafe(9) for role in (Role.ONCOLOGIST, Role.STAFF, Role.ANALYST, Role.ADMIN)
    }

    def prepare(here: Installation) -> None:
        for role, password in accounts.items():
            create_user(here, role.value, password, role)

    def demo(_environment: dict[str, str]) -> list[Part]:
        return [Part("demo cohort", ("-m", "seed_data", "demo"), restarted=False)]

    print("Starting PostgreSQL, an S3, two web processes behind nginx and two workers …", file=sys.stderr)
    with grown(port, durable=True, more=demo, prepare=prepare) as running:
        print(f"\nLongview is at {running.url}  (Ctrl-C ends all of it; what it holds is gone then)")
        for role, password in accounts.items():
            print(f"  sign in as {role.value} / {password}")
        print(f"  LONGVIEW_DATABASE_URL={running.database.url}", flush=True)
        told = 0
        while not stopping.wait(0.5):
            for line in running.said[told:]:
                print(line, file=sys.stderr, flush=True)
            told = len(running.said)
        print("Stopping …", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
