"""Which worker of a run takes which file: a file whole, since what its tests share is made once for it."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# What a worker loads or starts once (TensorFlow; a dashboard with a browser) and all files of a kind then use.
NETWORKS = (
    "tests/models/",
    "tests/core/training/",
    "tests/core/evaluation/",
    "tests/core/worker/",
    "tests/core/desk/",
)
SCREENS = ("tests/dashboard/",)


def kind_of(file: str) -> str:
    """Return what a file's tests need that is slow to make."""
    if file.startswith(NETWORKS):
        return "networks"
    return "screens" if file.startswith(SCREENS) else "neither"


class ByFile(LoadScopeScheduling):
    """Give each worker files of the kind that it had before, and those of another kind where none is left.

    Tests handed out one by one made every file's models, cohorts and servers once in each worker, which was a third of
    the suite's time.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::", 1)[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        had = [kind_of(file) for file in self.assigned_work[node]]
        left: dict[str, int] = {}
        for file, tests in self.workqueue.items():
            left[kind_of(file)] = left.get(kind_of(file), 0) + len(tests)
        others = {
            kind_of(file) for one, files in self.assigned_work.items() if one is not node for file in files
        }
        kind = max(left, key=lambda kind: (kind in had[-1:], kind not in others, left[kind]))
        self.workqueue.move_to_end(next(file for file in self.workqueue if kind_of(file) == kind), last=False)
        super()._assign_work_unit(node)
