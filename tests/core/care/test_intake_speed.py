"""Intake's speed is measured on files that intake accepts, and beside Orthanc where there is one."""

import shutil

import pytest
from sqlalchemy import select, text

from core.care import intake_speed, store_speed
from core.settings import Settings
from db.database import Database
from db.tables import Image
from tests.postgres import migrated_postgres, needs_postgres


def test_rates_are_of_files_that_were_all_accepted(here, monkeypatch) -> None:
    monkeypatch.setattr(intake_speed, "FILM", (900, 600))
    monkeypatch.setattr(intake_speed, "FILMS", 4)
    for name, value in {"LARGE": (901, 600), "LARGE_ONES": 6, "SMALL_ONES": 6}.items():
        monkeypatch.setattr(store_speed, name, value)
    measured = intake_speed.run(here.settings, many=40)
    assert measured["films_taken_in"].value > 0
    assert measured["memory_growth_over"].value == 30
    assert measured["memory_growth"].unit == "MB"
    assert ("small_files_to_orthanc" in measured) == (shutil.which("Orthanc") is not None)
    assert ("films_received" in measured) == (shutil.which("storescu") is not None)
    for name in ("films_received", "small_files_received"):
        if f"{name}_to_orthanc" in measured:
            share = measured[name].value / measured[f"orthanc_{name}"].value
            assert measured[f"{name}_to_orthanc"].value == pytest.approx(share, rel=0.05)
    with here.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM image").scalar_one() == 0


@needs_postgres
def test_intake_is_measured_in_the_database_that_is_set_too_and_leaves_nothing_there(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_speed, "FILM", (900, 600))
    monkeypatch.setattr(intake_speed, "FILMS", 4)
    with migrated_postgres() as url:
        monkeypatch.setattr(intake_speed.shutil, "which", lambda _program: None)  # Orthanc has its own test
        settings = Settings(home=tmp_path / "var", database_url=url, _env_file=None)
        measured = intake_speed.run(settings, many=40)
        database = Database(url)
        with database.read() as session:
            left = session.scalars(
                text("SELECT datname FROM pg_database WHERE datname LIKE 'longview_scratch_%'")
            ).all()
            assert session.scalars(select(Image.id)).all() == []
        database.close()
    assert left == []
    for name in ("films_taken_in", "small_files_taken_in"):
        share = measured[f"grown_{name}"].value / measured[name].value
        assert measured[f"grown_{name}_to_embedded"].value == pytest.approx(share, rel=0.05)
