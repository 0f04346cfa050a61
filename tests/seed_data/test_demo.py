import io
from collections import Counter
from datetime import date, timedelta

import pytest
from pydicom import dcmread

from core.incoming import history
from core.people import audit, has_accounts, list_accounts
from core.records import record_of
from seed_data import demo, stories
from seed_data.women.life import Life

UNTIL = date(2026, 6, 1)


def test_the_cast_tells_every_story_with_three_to_eight_visits():
    cast = stories.cast(28, UNTIL)
    assert {story for story, _ in cast} == {story.title for story in stories.STORIES}
    assert len({life.key for _, life in cast}) == 28
    for _, life in cast:
        assert 3 <= len(life.visits) <= 8
        assert life.visits[-1].on <= UNTIL


def test_the_same_women_play_whatever_the_day():
    first, later = stories.cast(14, UNTIL), stories.cast(14, date(2027, 1, 1))
    assert [life.key for _, life in first] == [life.key for _, life in later]


def test_what_happens_after_today_is_not_told():
    for _, life in stories.cast(28, UNTIL):
        assert all(event.on <= UNTIL for event in demo._events(life, UNTIL))


def test_loading_twice_changes_nothing_even_on_a_later_day(here, monkeypatch):
    monkeypatch.setattr(demo, "SPACING_MM", 0.6)
    first = demo.load(here, women=2, until=UNTIL, jobs=1)
    assert (first.women, first.women_new, first.refused) == (2, 2, 0)
    assert first.images_new > 20
    held = {mrn: history.studies_held(here, mrn) for mrn in ("SIM0001", "SIM0002")}
    again = demo.load(here, women=2, until=date(2026, 9, 1), jobs=1)
    assert (again.women_new, again.images_new, again.refused) == (0, 0, 0)
    assert {mrn: history.studies_held(here, mrn) for mrn in held} == held


def test_an_interrupted_load_is_completed_with_the_dates_it_began_with(here, monkeypatch):
    monkeypatch.setattr(demo, "SPACING_MM", 0.6)
    _, life = stories.cast(1, UNTIL)[0]
    files = demo._files_of(life)
    demo.intake.take_in(here, files[:6], statement=None, source="demo")
    told = demo.load(here, women=1, until=date(2026, 9, 1), jobs=1)
    assert told.images_new == len(files) - 6
    assert told.refused == 0
    assert sorted(s.on for s in history.studies_held(here, "SIM0001").values()) == [v.on for v in life.visits]


def planned_readings() -> list[tuple[str, Life, stories.Read | None]]:
    played: Counter[str] = Counter()
    planned = []
    for title, life in stories.cast(28, UNTIL):
        read = stories.STORY_OF[title].read
        planned.append((title, life, read[played[title] % len(read)]))
        played[title] += 1
    return planned


def test_all_but_three_newest_studies_are_read_and_some_wait_for_an_answer():
    readings = [read for _, _, read in planned_readings()]
    assert readings.count(None) == 3
    said = {read.bi_rads for read in readings if read is not None}
    assert said >= {"0", "1", "2", "3", "4A", "4B", "6"}
    assert any(read.biopsied_after_days for read in readings if read is not None)
    assert any(read.prior == "3" for read in readings if read is not None)


def test_a_biopsy_has_its_result_but_for_those_that_wait_for_it():
    results = [
        event.result
        for _, life, _ in planned_readings()
        for event in demo._events(life, UNTIL)
        if event.kind == "biopsy"
    ]
    assert set(results) == {"benign", "malignant"}
    waiting = [demo._biopsy(life, read, UNTIL) for _, life, read in planned_readings()]
    assert [event.result for events in waiting for event in events] == [None] * sum(map(len, waiting))


def test_what_was_read_is_signed_once_by_a_reader_as_whom_nobody_signs_in(here, monkeypatch):
    monkeypatch.setattr(demo, "SPACING_MM", 0.6)
    demo.load(here, women=1, until=UNTIL, jobs=1)
    first = record_of(here, "SIM0001").visits[-1]
    assert (first.bi_rads, first.assessed_by) == ("2", "Simulated reader")
    assert first.assessed_at.date() == first.on + timedelta(days=1)
    demo.load(here, women=1, until=UNTIL, jobs=1)
    assert record_of(here, "SIM0001").visits[-1].assessed_at == first.assessed_at
    assert len(audit.latest(here, action="assessment_recorded")) == 1
    reader = next(one for one in list_accounts(here) if one.username == "simulated-reader")
    assert not reader.active
    assert not has_accounts(here)


def test_an_impossible_number_of_women_is_refused():
    with pytest.raises(ValueError, match="women"):
        stories.cast(0, UNTIL)


def test_some_women_have_films_that_no_model_has_learned_and_are_simulated_all_the_same(here, monkeypatch):
    monkeypatch.setattr(demo, "SPACING_MM", 0.6)
    story, life = next((story, life) for story, life in stories.cast(28, UNTIL) if "scratched" in story)
    worn, clean = demo._drawn((story, life)), demo._files_of(life)
    assert len(worn) == len(clean)
    assert worn == demo._drawn((story, life)), "the same films each time"
    pictures = [[dcmread(io.BytesIO(file.data)) for file in files[:1]] for files in (worn, clean)]
    (scratched,), (plain,) = pictures
    assert scratched.PatientComments == "SIMULATED"
    assert (scratched.pixel_array != plain.pixel_array).mean() > 0.2
    report = demo.intake.take_in(here, worn[:4], statement=None, source="demo")
    assert report.count("accepted") == 4
