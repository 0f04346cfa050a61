from . import progress as progress
from .progress import Worker as Worker
from .progress import local_worker as local_worker
from .progress import worker_seen as worker_seen
from .queue import count_pending as count_pending
from .scoring import Scorer as Scorer
from .scoring import score_pending as score_pending
from .worker import run_worker as run_worker
