"""Kill -9 while a batch is taken in: what was answered is stored and told, and the next process goes on with the rest."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.bulk import Arrivals, Batch, summary_csv
from core.care.verify import verify_objects
from core.installation import Installation
from core.people import Role, create_user
from db.tables import Image, ImportItem, Outcome
from tests.core.bulk.brought import DAYS, WOMEN, bad_files, study, zipped
from tests.core.network.test_listening import rows

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
