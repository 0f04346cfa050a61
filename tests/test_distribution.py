"""Every file is run once and whole, and a worker stays with what it has loaded as long as there is any of it."""

from __future__ import annotations

from types import SimpleNamespace

from tests.distribution import ByFile, kind_of

FILES = [
    "tests/core/rules/test_trust.py",
    "tests/core/test_kill.py",
    "tests/dashboard/test_look.py",
    "tests/dashboard/test_browser.py",
    "tests/dashboard/web/test_gate.py",
    "tests/models/view/test_preprocess.py",
    "tests/models/sequence/test_small.py",
]
TESTS = [f"{file}::test_{number}[a::b]" for file in FILES for number in range(4)]


class Worker:
    """Takes down what it is to run."""

    shutting_down = False
    gateway = SimpleNamespace(id="a worker")

    def __init__(self) -> None:
        self.waiting: list[str] = []

    def send_runtest_some(self, places: list[int]) -> None:
        self.waiting += [TESTS[place] for place in places]

    def shutdown(self) -> None:
        self.shutting_down = True


def test_files_are_handed_out_once_whole_and_by_what_they_need():
    workers = [Worker() for _ in range(3)]
    option = SimpleNamespace(loadscopereorder=True, tx=["3*popen"], numprocesses=3)
    scheduler = ByFile(SimpleNamespace(option=option, getvalue=lambda _name: ["popen"] * 3))
    scheduler.numnodes = len(workers)
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, TESTS)
    scheduler.schedule()
    ran: dict[Worker, list[str]] = {worker: [] for worker in workers}
    while any(worker.waiting for worker in workers):
        for worker in workers:
            if worker.waiting:
                test = worker.waiting.pop(0)
                ran[worker].append(test.split("::")[0])
                scheduler.mark_test_complete(worker, TESTS.index(test))
    assert sorted(file for files in ran.values() for file in files) == sorted(FILES * 4)
    assert [sum(file in files for files in ran.values()) for file in FILES] == [1] * len(FILES)
    assert {kind_of(files[0]) for files in ran.values()} == {"networks", "screens", "neither"}
    assert next(files[0] for files in ran.values() if kind_of(files[0]) == "screens").endswith("_browser.py")
