"""Is a change of detector noticed? Simulated women imaged on each machine, taken in and scored as any study, then watched.

What the alarm rule (`core.cohorts.drift`) sees of each study is kept as a table; years of studies are drawn from it, with a
change of machine or without. The file's header is kept from the rule: every study says the same maker, so that pictures and
scores alone must tell.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import polars as pl

from core.cohorts import VISITS, drift, frame_of, schema_of
from core.incoming import items, take_in
from core.installation import Installation
from core.worker import score_pending
from seed_data.women import lives, machines
from seed_data.women.life import CaseMix
from seed_data.women.processes import in_order
from seed_data.women.views import imaged

__all__ = ["Noticing", "imaged_on_each", "measure", "read", "signals"]

SEED: Final = 20275
SPACING_MM: Final = 0.275
"""As the demo's: large enough to be taken for a full-size view."""
STUDIES_A_YEAR: Final = 500
WITHIN: Final = 200
"""Studies within which a change is to be noticed."""
_KINDS: Final[dict[Any, Any]] = schema_of(VISITS, drift.COLUMNS)
_FIRST_DAY: Final = date(2022, 1, 1)
_BEGINS: Final = date(2024, 1, 1)


@dataclass(frozen=True)
class Noticing:
    """How soon a change is noticed, and how often one is that was none.

    `median`, `late` (95 of 100 changes are noticed by then) and `worst_late`, the same for the two machines that are hardest
    to tell apart, are studies after the change; `within` is the share noticed within 200. `false_alarms_a_year` is the mean
    number of alarms in a year without a change, over `quiet_years`.
    """

    women: int
    changes: int
    median: float
    late: float
    hardest: str
    worst_late: float
    within: float
    quiet_years: int
    false_alarms_a_year: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def imaged_on_each(
    here: Installation,
    women: int,
    *,
    seed: int = SEED,
    jobs: int = 1,
    on_woman: Callable[[int], None] | None = None,
) -> pl.DataFrame:
    """Take the last study of each woman in as each machine would have given it, score it, and return what the rule sees.

    A row a study: ``machine`` and `drift.COLUMNS`. `here` holds nobody before.
    """
    draw = partial(_files, seed)
    for number, files in enumerate(in_order(draw, range(1, women + 1), jobs), start=1):
        take_in(here, iter(files), statement=None, source="demo").check_whole()
        if on_woman:
            on_woman(number)
    score_pending(here)
    visits = frame_of(here).visits.select(drift.COLUMNS)
    return visits.select(pl.col("vendor").cast(pl.String).alias("machine"), pl.all())


def _files(seed: int, number: int) -> list[items.IncomingFile]:
    cv2.setNumThreads(1)
    files = []
    for place, machine in enumerate(machines.MACHINES.values()):
        life = lives.draw_life(seed, number, CaseMix(cancer_rate=None), name=f"Sim-{place + 1}{number:04d}")
        for record in imaged(life, SPACING_MM, [life.visits[-1]], on=machine):
            data = machines.to_dicom(record.film, life, record.visit, record.side, record.view)
            files.append(items.IncomingFile(f"{life.name}/{record.side}{record.view}.dcm", data))
    return files


def signals(women: int, *, jobs: int = 1, on_woman: Callable[[int], None] | None = None) -> pl.DataFrame:
    """Do `imaged_on_each` in an installation of its own, which is gone afterwards."""
    from core.cli.opening import open_installation
    from core.settings import Settings

    with tempfile.TemporaryDirectory(prefix="longview-detector-") as folder:
        settings = Settings().model_copy(
            update={
                "home": Path(folder) / "home",
                "database_url": None,
                "image_store": None,
                "read_first": False,
            }
        )
        settings.__dict__.pop("root", None)
        here = open_installation(settings)
        try:
            return imaged_on_each(here, women, jobs=jobs, on_woman=on_woman)
        finally:
            here.close()


def read(path: Path) -> pl.DataFrame:
    """Read what `imaged_on_each` gave and was written as CSV.

    Raises
    ------
    ValueError
        If a column is missing, or a value is none of its kind.
    """
    try:
        return pl.read_csv(path, schema={"machine": pl.String, **_KINDS})
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path} is not what `detector` writes: {str(error).splitlines()[0]}") from error


def measure(seen: pl.DataFrame, *, times: int = 20, seed: int = 0) -> Noticing:
    """Draw years of studies from what `imaged_on_each` gave, and return how soon changes are noticed.

    Two years are drawn from the studies of one machine; what follows from those of another or, for false alarms, of the
    same. `times` draws each pair of machines, and as many years without a change.
    """
    rng = np.random.default_rng(seed)
    names = sorted(seen["machine"].unique())
    late: dict[str, list[float]] = {}
    for usual, other in permutations(names, 2):
        late[f"{usual} → {other}"] = [
            min(_alarms(seen, usual, other, rng), default=np.inf) for _ in range(times)
        ]
    quiet = [
        len(list(_alarms(seen, one, one, rng))) for one in names for _ in range(times * (len(names) - 1))
    ]
    delays = np.array([one for pair in late.values() for one in pair])
    worst = {pair: float(np.quantile(each, 0.95, method="higher")) for pair, each in late.items()}
    hardest = max(worst, key=lambda pair: worst[pair])
    return Noticing(
        women=len(seen) // len(names),
        changes=len(delays),
        median=float(np.median(delays)),
        late=float(np.quantile(delays, 0.95, method="higher")),
        hardest=hardest,
        worst_late=worst[hardest],
        within=float(np.mean(delays <= WITHIN)),
        quiet_years=len(quiet),
        false_alarms_a_year=float(np.mean(quiet)),
    )


def _alarms(seen: pl.DataFrame, usual: str, other: str, rng: np.random.Generator) -> Iterator[int]:
    """Yield after how many studies each alarm comes, of two years on one machine and a year on the other."""
    before, since = (np.flatnonzero((seen["machine"] == one).to_numpy()) for one in (usual, other))
    rows = np.concatenate([rng.choice(before, 2 * STUDIES_A_YEAR), rng.choice(since, STUDIES_A_YEAR)])
    days = [
        *(
            _FIRST_DAY + timedelta(days=round(place * 729 / (2 * STUDIES_A_YEAR)))
            for place in range(2 * STUDIES_A_YEAR)
        ),
        *(_BEGINS + timedelta(days=round(place * 364 / STUDIES_A_YEAR)) for place in range(STUDIES_A_YEAR)),
    ]
    visits = (
        seen[rows]
        .select(drift.COLUMNS)
        .with_columns(
            pl.Series("on", days),
            pl.arange(len(rows)).cast(VISITS["woman"].kind).alias("woman"),
            pl.lit("one maker").alias("vendor"),
        )
    )
    for one in drift.watch(visits.cast(_KINDS), _BEGINS, seed=int(rng.integers(2**31))).noticed:
        yield one.after
