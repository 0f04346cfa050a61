"""Which worker of a run takes which file: a file whole, since what its tests share is made once for it."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# What a worker loads or starts once (TensorFlow; Streamlit and a browser) and all files of a kind then use.
NETWORKS = (
    "tests/models/",
    "tests/core/desk/",
    "tests/core/evaluation/",
    "tests/core/training/",
    "tests/core/worker/",
    "tests/core/corrections/test_scored_anew.py",
    "tests/core/test_cli_verbs.py",
    "tests/seed_data/adapters/",
)
SCREENS = ("tests/dashboard/",)
# Begun early: a long file that is begun last keeps one worker busy alone.
LONG = (
    "_browser.py",
    "/test_kill.py",
    "/test_rounds.py",
    "/test_backup.py",
    "/test_cli_verbs.py",
    "/test_each_write.py",
    "/test_encoder.py",
    "/test_lacks.py",
    "/test_longitudinal.py",
    "/test_migrations.py",
    "/test_patient_page.py",
    "/test_small.py",
    "/test_training.py",
    "/test_withheld.py",
)


def kind_of(file: str) -> str:
    """Return what a file's tests need that is slow to make."""
    if file.startswith(NETWORKS):
        return "networks"
    return "screens" if file.startswith(SCREENS) else "neither"


class ByFile(LoadScopeScheduling):
    """Give each worker files of the kind that it had before, and those of another kind where none is left.

    Where tests are handed out one by one, every file's models, cohorts and servers are made once in each worker.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::", 1)[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(self._next_for(node), last=False)
        super()._assign_work_unit(node)

    def _next_for(self, node: WorkerController) -> str:
        last = [kind_of(file) for file in self.assigned_work[node]][-1:]
        others = {
            kind_of(file) for one, files in self.assigned_work.items() if one is not node for file in files
        }
        left: dict[str, int] = {}
        for file, tests in self.workqueue.items():
            left[kind_of(file)] = left.get(kind_of(file), 0) + len(tests)
        kind = max(left, key=lambda kind: (kind in last, kind not in others, left[kind]))
        mine = [file for file in self.workqueue if kind_of(file) == kind]
        return next((file for file in mine if file.endswith(LONG)), mine[0])
