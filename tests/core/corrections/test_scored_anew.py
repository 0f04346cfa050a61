"""What was put right is scored as if it had come in right, by a real model; and what was right before is found again."""

import shutil
from datetime import date

import pytest

from core.corrections import DateOf, FilmIs, FilmsAre, Merged, correct, studies_with_films, undo
from core.installation import Installation
from core.settings import Settings
from core.worker.scoring import score_pending
from tests.core.worker.test_scoring import add_visit, model, scores

__all__ = ["model"]

DAYS = (date(2020, 1, 1), date(2022, 1, 1), date(2024, 1, 1))


@pytest.fixture
def here(tmp_path, migrated_database):
    """An installation that takes in pictures of its own: not the women of the other tests."""
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(migrated_database, home / "longview.db")
    made = Installation.open(Settings(home=home, _env_file=None))
    yield made
    made.close()


def newest(here) -> dict[date, tuple]:
    """Risk in 1 and 5 years and malignancy of the left breast, by day, as they count."""
    return {day: rows[-1][:3] for day, rows in scores(here).items()}


def test_scores_are_those_of_studies_that_came_in_right_and_undoing_needs_no_new_ones(here, model):
    for day in DAYS:
        add_visit(here, day)
    score_pending(here, model=model, readers=1)
    right = newest(here)
    study = next(one for one in studies_with_films(here, "MRN-1") if one.on == DAYS[1])
    swap = FilmsAre(
        {film.sop_uid: FilmIs("R" if film.view.laterality == "L" else "L") for film in study.films}
    )
    wrong = correct(here, swap, reason="marker on the other side")
    assert newest(here) == {DAYS[0]: right[DAYS[0]]}
    score_pending(here, model=model, readers=1)
    swapped = newest(here)
    assert swapped[DAYS[0]] == right[DAYS[0]]
    assert swapped[DAYS[1]][2] != pytest.approx(right[DAYS[1]][2], rel=1e-4)
    back = FilmsAre({sop: FilmIs("L" if is_.laterality == "R" else "R") for sop, is_ in swap.films.items()})
    again = correct(here, back, reason="it was right")
    score_pending(here, model=model, readers=1)
    for day in DAYS:
        assert newest(here)[day] == pytest.approx(right[day], rel=1e-5)
    undo(here, again.correction_id)
    undo(here, wrong.correction_id)
    assert newest(here) == right
    assert score_pending(here, model=model, readers=1).items == []


def test_two_records_that_are_merged_are_scored_as_one_course(here, model):
    for day in DAYS:
        add_visit(here, day)
    score_pending(here, model=model, readers=1)
    alone = newest(here)
    add_visit(here, date(2018, 1, 1), mrn="MRN-2")
    score_pending(here, model=model, readers=1)
    made = correct(here, Merged("MRN-1", "MRN-2"), reason="one woman", confirmed=True)
    assert [one.study_date for one in made.did.anew] == [*DAYS]
    score_pending(here, model=model, readers=1)
    assert newest(here)[DAYS[2]] != pytest.approx(alone[DAYS[2]], rel=1e-6)
    # A prior that was dated wrongly moves what follows it and nothing before.
    uid = studies_with_films(here, "MRN-1")[0].study_uid
    assert [
        one.study_date for one in correct(here, DateOf(uid, date(2024, 1, 2)), reason="date").did.anew
    ] == [date(2024, 1, 2)]
    undo(here, 2)
    undo(here, made.correction_id)
    assert {day: newest(here)[day] for day in DAYS} == alone
