"""Two web processes and two workers on PostgreSQL and an S3: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grown import rounds
from tests.grown.stack import lacking


@pytest.mark.slow
@pytest.mark.skipif(lacking() is not None, reason=f"not installed here: {lacking()}")
def test_any_one_is_killed_the_database_crashes_the_store_is_away_and_nothing_is_lost(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "AWAY_SECONDS", 5.0)
    with rounds.several_machines(str(tiny_model)) as running:
        plan = ["worker 1", "dashboard 1", "database crashed", "store away", "dashboard 2"]
        report = rounds.run(running, plan, pause=lambda: 0.2)
    ledger = report.ledger
    assert ledger.wrong == [], report.to_json()
    assert len(ledger.acknowledged) >= len(plan)
    assert report.found["studies"] == report.found["images"] == report.found["scores"]
    assert set(ledger.pages) <= {"200", "502", "503", "504", "RemoteDisconnected", "ConnectionResetError"}


def test_the_ledger_names_what_is_lost_and_what_is_there_twice(here) -> None:
    """A ledger that finds nothing has to be able to find something."""
    ledger = rounds.Ledger(acknowledged=["1.2.3", "1.2.3"])
    rounds._look(here, ledger)
    assert ledger.wrong == ["1.2.3 was acknowledged 2 times", "1.2.3 was acknowledged and is not there"]
