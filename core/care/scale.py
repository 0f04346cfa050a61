"""How fast worklist and cohort are with very many women: made-up ones in a home of their own, the pages driven as people do."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import insert, select, text

from core import cohorts
from core.care import page_speed, scale_load
from core.care.benchmark import Measured
from core.cohorts import kept
from core.cohorts import select as select_cohort
from core.cohorts.bootstrap import draw_figures
from core.cohorts.judge import Asking, NothingToTell, judged
from core.installation import Installation
from core.people import Role, accounts, sign_ins
from core.records import ready, shown, worklist_memory
from core.records.worklist import Filter
from core.settings import Settings
from db.tables import Score

__all__ = ["run"]

FEW = 28
"""Women of the demo cohort, beside whom a patient's page is set."""
ROUNDS = 9


def run(
    settings: Settings, women: int, on_step: Callable[[str], None] = lambda _step: None
) -> dict[str, Measured]:
    """Measure with so many women of five scored visits each, without pictures; what is installed is not touched.

    Raises `page_speed.CannotMeasure` where the dashboard does not start or cannot be driven.
    """
    with tempfile.TemporaryDirectory(prefix="longview-scale-") as folder:
        on_step(f"{women} women loaded")
        found = {"load_s": Measured(round(_load(settings, Path(folder, "many"), women), 2), "s")}
        on_step("one study more")
        with closing(Installation.open(_at(settings, Path(folder, "many")))) as here:
            worklist_memory.read_ahead(here)
            cohorts.frame_of(here)
            found["scored_study_ms"] = Measured(round(1000 * _one_study_more(here), 2), "ms")
            ratios = _ratios(here)
            found |= _bootstrap(here)
        found |= {name: Measured(round(ratio, 3), "ratio") for name, ratio in ratios.items()}
        found["ratio_to_sql"] = Measured(round(max(ratios.values()), 3), "ratio")
        on_step("its pages")
        found |= _driven(settings, Path(folder, "many"), analyst=True)
        on_step(f"a patient's page beside {FEW} women")
        _load(settings, Path(folder, "few"), FEW)
        few = _driven(settings, Path(folder, "few"), analyst=False)
        ratio = found["patient_s"].value / few["patient_s"].value
        return found | {"patient_ratio": Measured(round(ratio, 3), "ratio")}


def _at(settings: Settings, home: Path) -> Settings:
    return page_speed.at(settings, home)


def _load(settings: Settings, home: Path, women: int) -> float:
    """Put women into a new home, with what is kept ready of them, and return how many seconds it took."""
    with closing(Installation.open(_at(settings, home))) as here:
        here.migrate()
        begun = time.perf_counter()
        scale_load.load(here, women, today=date.today())
        ready.bring_up_to_date(here)
        kept.bring_up_to_date(here)
        return time.perf_counter() - begun


def _driven(settings: Settings, home: Path, *, analyst: bool) -> dict[str, Measured]:
    with closing(Installation.open(_at(settings, home))) as here:
        job: dict[str, Any] = {
            "tokens": page_speed.tokens(here),
            "women": page_speed.women(here),
            "of_many": True,
        }
        if analyst:
            accounts.create_user(
                here, "benchmark-analyst", password := "only in this home, for a while", Role.ANALYST
            )
            job["analyst"] = sign_ins.sign_in(here, "benchmark-analyst", password).token
    with page_speed.dashboard(home) as (url, pid):
        return page_speed.driven({**job, "url": url, "pid": pid})


def _one_study_more(here: Installation) -> float:
    """Return how many seconds more a score takes, written and visible in worklist and cohort, than written alone."""
    with here.database.read() as session:
        last = session.scalars(select(Score).order_by(Score.id.desc()).limit(1)).one()
    columns = {one.key: getattr(last, one.key) for one in Score.__table__.columns if one.key != "id"}

    def write() -> None:
        with here.database.write() as session:
            session.execute(insert(Score), [columns])

    def seen() -> None:
        write()
        shown(here, Filter(), None, number=100, today=date.today())
        cohorts.frame_of(here)

    def unchanged() -> None:
        shown(here, Filter(), None, number=100, today=date.today())

    with_tables = _seconds(seen) - _seconds(unchanged)
    keep_ready, here.database.before_commit = here.database.before_commit, None
    alone = _seconds(write)
    here.database.before_commit = keep_ready
    return with_tables - alone


def _bootstrap(here: Installation) -> dict[str, Measured]:
    """Return how long a thousand draws of AUC and observed over expected take; nothing where so few women have no figure."""
    everybody = select_cohort(cohorts.frame_of(here), cohorts.Definition(kind=cohorts.Population.BOTH))
    of = judged(everybody, Asking(horizon=5))
    try:
        at, risk = of.at, of.risk
    except NothingToTell:
        return {}
    begun = time.perf_counter()
    draw_figures(at, risk, times=1000)
    return {"bootstrap_s": Measured(round(time.perf_counter() - begun, 3), "s")}


def _seconds(do: Callable[[], object]) -> float:
    """Return the median of some tries after one that warms up."""
    do()
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        do()
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


_COUNTS = """
SELECT count(*), sum(unread), sum(changed), sum(open_of IS NOT NULL), sum(not_scored), sum(under_treatment),
       sum(overdue_from <= date('now') AND (due_until IS NULL OR due_until >= date('now'))) FROM standing
"""
_FIRST = """
SELECT patient_id, mrn FROM standing WHERE search LIKE '%hart%'
ORDER BY changed DESC, urgency, open_of IS NULL, refused DESC, CASE WHEN diagnosed THEN 0 ELSE -coalesce(risk, 0) END, mrn
LIMIT 1000
"""
_MEANS = """
SELECT coalesce(study.reader_density, CASE max(density_a, density_b, density_c, density_d)
         WHEN density_a THEN 'A' WHEN density_b THEN 'B' WHEN density_c THEN 'C' ELSE 'D' END) AS density,
       substr(study_date, 1, 4) AS year, count(*), avg(risk_5y)
FROM study JOIN score ON score.study_id = study.id WHERE trust_level = 'trusted' GROUP BY 1, 2
"""


def _ratios(here: Installation) -> Mapping[str, float]:
    """Return how many times as long as bare SQL takes for the same question: a search of the worklist, means of a cohort."""

    def bare(*statements: str) -> float:
        def ask() -> None:
            with here.database.engine.connect() as connection:
                for statement in statements:
                    connection.execute(text(statement)).all()

        return _seconds(ask)

    memory = worklist_memory.memory_of(here)
    searched = _seconds(lambda: memory.ask(here, Filter(text="hart"), None, most=1000, today=date.today()))
    return {
        "worklist_ratio_to_sql": searched / bare(_COUNTS, _FIRST),
        "cohort_ratio_to_sql": _seconds(lambda: _means(here)) / bare(_MEANS),
    }


def _means(here: Installation) -> pl.DataFrame:
    told = cohorts.frame_of(here).visits.lazy().filter(pl.col("trust") == "trusted")
    means = told.group_by("density", pl.col("on").dt.year().alias("year")).agg(
        pl.len(), pl.col("risk_5").mean()
    )
    return means.collect()
