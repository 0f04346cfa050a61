"""Kill -9 while a batch is taken in: what was answered is stored and told, and the next process goes on with the rest."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.bulk import Arrivals, Batch, summary_csv
from core.care.verify import verify_objects
from core.installation import Installation
from core.people import Role, create_user
from db.tables import Image, ImportItem, Outcome
from tests.core.bulk.brought import DAYS, WOMEN, bad_files, study, zipped
from tests.core.network.test_listening import rows
from tests.killed import run_killed, steps_on_disk

PROJECT = Path(__file__).resolve().parents[3]
TAKE_IN = """
import sys, time
from core.bulk import Arrivals, Batch
from core.installation import Installation
from core.people import Person, Role, asking
from core.settings import Settings

asking.system_asks_in_this_process()
here = Installation.open(Settings(home=sys.argv[1], _env_file=None))
person = Person(int(sys.argv[2]), "sam", "Sam", Role.STAFF)
batch = Batch(here, Arrivals(here.home / "arrivals"), person.user_id)
batch.look_on()
while batch.is_busy:
    batch.wait()
batch.take_in(person, batch.cut_off_groups() or batch.groups())
said = -1
while batch.is_busy:
    if len(batch.told()) != said:
        said = len(batch.told())
        print(said, flush=True)
    time.sleep(0.002)
print("end", flush=True)
"""


@pytest.mark.slow
def test_a_batch_killed_at_random_moments_loses_nothing_and_goes_on(here: Installation) -> None:
    sam = create_user(here, "sam", "four films before noon", Role.STAFF)
    arrivals = Arrivals(here.home / "arrivals")
    files = {f"{mrn}.zip": zipped(study(mrn, DAYS[0])) for mrn in [*WOMEN][:2]}
    files |= study([*WOMEN][2], DAYS[1]) | {"cut.dcm": bad_files()["cut.dcm"]}
    for name, data in files.items():
        arrival = arrivals.begin(sam.user_id, name, len(data))
        arrivals.append(arrival, 0, [data])
    chance = random.Random(os.environ.get("LONGVIEW_TEST_SEED", "7"))
    told = 0
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", TAKE_IN, str(here.home), str(sam.user_id)],
            cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        until, line = told + chance.randint(1, 4), ""
        while (line := child.stdout.readline().strip()) not in ("", "end") and int(line) < until:
            pass
        os.kill(child.pid, signal.SIGKILL)
        child.stdout.read()
        child.wait()
        found = Batch(here, Arrivals(arrivals.root), sam.user_id)
        told = len(found.told())
        stored = len(rows(here, Image))
        answered = [one.outcome for one in found.told().values()]
        assert answered.count("accepted") + answered.count("duplicate") <= stored
        assert verify_objects(here).well
        if line == "end":
            break
    assert told == 13
    assert not found.arrivals.of(sam.user_id)
    assert len(rows(here, Image)) == 12
    assert [one.outcome for one in rows(here, ImportItem)].count(Outcome.QUARANTINED) >= 1
    assert len(summary_csv(found).splitlines()) == 14


def test_an_upload_killed_at_any_step_goes_on_with_what_is_here(tmp_path):
    pieces = [bytes([number]) * 70_000 for number in range(5)]
    whole = b"".join(pieces)
    steps: list[Callable[[], None]] = []

    def hear(step: Callable[[], None]) -> None:
        steps.append(step)
        steps_on_disk(step)

    def upload(root: Path) -> None:
        arrivals = Arrivals(root)
        arrival = arrivals.begin(7, "film.dcm", len(whole))

        def parts() -> Iterator[bytes]:
            for piece in pieces:
                steps[0]()
                yield piece

        arrivals.append(arrival, 0, parts())

    total = run_killed(lambda: upload(tmp_path / "0"), hear)
    for at in range(1, total + 1):
        root = tmp_path / f"{at}"
        run_killed(lambda root=root: upload(root), hear, at)
        arrivals = Arrivals(root)
        arrival = arrivals.begin(7, "film.dcm", len(whole))
        assert whole.startswith(arrival.data.read_bytes()), at
        assert arrivals.append(arrival, arrival.arrived, [whole[arrival.arrived :]]) == len(whole)
        (there,) = arrivals.of(7)
        assert (there.is_whole, there.data.read_bytes()) == (True, whole)
