"""Intake's speed is measured on files that intake accepts, and beside Orthanc where there is one."""

import shutil

from core.care import intake_speed


def test_rates_are_of_files_that_were_all_accepted(here, monkeypatch) -> None:
    monkeypatch.setattr(intake_speed, "FILM", (900, 600))
    monkeypatch.setattr(intake_speed, "FILMS", 4)
    measured = intake_speed.run(here.settings, many=40)
    assert measured["films_taken_in"].value > 0
    assert measured["memory_growth_over"].value == 30
    assert measured["memory_growth"].unit == "MB"
    assert ("small_files_to_orthanc" in measured) == (shutil.which("Orthanc") is not None)
    with here.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM image").scalar_one() == 0
