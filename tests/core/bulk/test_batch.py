"""Many files of many women at once, before and while they are taken in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.bulk import Answer, Arrivals, Batch, Need, Stage, summary_csv
from core.installation import Installation
from core.people import Person, Role, create_user
from core.people.roles import AccessDenied
from db.tables import AuditEntry, Image, ImportItem, Patient, Study
from tests import pictures
from tests.core.bulk.brought import DAYS, WOMEN, bad_files, fifty_files, study, zipped

STAFF = Person(0, "sam", "Sam", Role.STAFF)


def brought(here: Installation, files: dict[str, bytes], home: Path | None = None) -> Batch:
    """Return a batch whose files have arrived and been looked at."""
    arrivals = Arrivals(home or here.home / "arrivals")
    for name, data in files.items():
        arrival = arrivals.begin(STAFF.user_id, name, len(data))
        assert arrivals.append(arrival, arrival.arrived, [data]) == len(data)
    batch = Batch(here, arrivals, STAFF.user_id)
    look(batch)
    return batch


def look(batch: Batch) -> None:
    batch.look_on()
    settle(batch)


def settle(batch: Batch) -> None:
    for _ in range(20):
        batch.wait()
        if not batch.is_busy:
            return
    raise AssertionError("The batch never ends.")


def take(batch: Batch, person: Person, keys: set[str] | None = None) -> None:
    batch.take_in(person, [one for one in batch.groups() if keys is None or one.key in keys])
    settle(batch)


@pytest.fixture
def staff(here: Installation) -> Person:
    return create_user(here, "sam", "four films before noon", Role.STAFF)


def test_fifty_files_of_four_women_stand_by_woman_and_day_before_anything_is_stored(
    here: Installation, staff: Person
) -> None:
    batch = brought(here, fifty_files())
    groups = batch.groups()
    assert [one.need for one in groups] == [Need.REFUSED] + [Need.NOTHING] * 12
    assert {one.name for one in groups[0].files} == {*bad_files()} - {"inner.zip"} | {"inner.zip/deeper.zip"}
    assert [(one.mrn, f"{one.on:%Y%m%d}") for one in groups[1:]] == [(w, d) for w in WOMEN for d in DAYS]
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(ImportItem)) == 0
        assert session.scalar(select(func.count()).select_from(Patient)) == 0

    take(batch, staff)
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Image)) == 45
        assert session.scalar(select(func.count()).select_from(Study)) == 12
        trail = session.scalars(select(AuditEntry).where(AuditEntry.action == "import_finished")).one()
    assert (trail.detail["accepted"], trail.detail["quarantined"]) == (45, 5)
    assert len(batch.told()) == 50
    assert not batch.arrivals.of(STAFF.user_id)
    lines = summary_csv(batch).decode().splitlines()
    assert len(lines) == 51
    assert sum(",added," in line for line in lines) == 45


def test_only_what_was_chosen_goes_in_and_the_rest_waits(here: Installation, staff: Person) -> None:
    batch = brought(here, study("W-1", "20190312") | study("W-2", "20190312"))
    first, second = batch.groups()
    take(batch, staff, {first.key})
    assert [one.key for one in batch.groups()] == [second.key]
    assert len(batch.arrivals.of(STAFF.user_id)) == 4
    with here.database.read() as session:
        assert session.scalars(select(Patient.mrn)).all() == ["W-1"]


def test_an_archive_is_unpacked_and_grouped_and_dropped_when_all_of_it_is_answered(
    here: Installation, staff: Person
) -> None:
    files = study("W-1", "20190312") | study("W-1", "20210405")
    batch = brought(here, {"stick.zip": zipped(files)})
    assert [len(one.files) for one in batch.groups()] == [4, 4]
    first, second = batch.groups()
    take(batch, staff, {first.key})
    assert len(batch.arrivals.of(STAFF.user_id)) == 1
    take(batch, staff, {second.key})
    assert not batch.arrivals.of(STAFF.user_id)


def test_two_names_under_one_number_are_asked_and_go_in_as_hers_only_when_confirmed(
    here: Installation, staff: Person
) -> None:
    batch = brought(here, study("W-1", "20190312") | study("W-1", "20210405", name="Smith^Zoe", seed=1))
    groups = batch.groups()
    assert {one.need for one in groups} == {Need.CHECK}
    assert all("Smith" in one.doubts[0] and "Adams" in one.doubts[0] for one in groups)
    take(batch, staff)
    assert {one.outcome for one in batch.told().values()} == {"accepted"}


def test_what_no_file_says_is_asked_by_folder(here: Installation, staff: Person) -> None:
    films = {
        f"old films/{name}.png": pictures.png(pictures.breast(name[0], seed=number, rows=160, columns=120))
        for number, name in enumerate(["L-CC", "R-CC"])
    }
    batch = brought(here, films | study("W-1", "20190312"))
    asked, known = batch.groups()
    assert (asked.need, known.need) == (Need.ANSWER, Need.NOTHING)
    assert asked.lacks(None) == ["whose they are", "the day of the study", "side and view of 2 files"]
    with pytest.raises(ValueError, match="whose they are"):
        batch.take_in(staff, [asked])
    views = {one.key: one.proposed for one in asked.files}
    batch.answers[asked.key] = Answer("W-7", date(2001, 2, 3), views)  # type: ignore[arg-type]
    assert asked.lacks(batch.answers[asked.key]) == [
        "that side and view, which only the names say, are right"
    ]
    batch.answers[asked.key] = replace(batch.answers[asked.key], checked=True)
    assert asked.lacks(batch.answers[asked.key]) == []
    take(batch, staff, {asked.key})
    assert {(one.patient, one.study_date, one.outcome) for one in batch.told().values()} == {
        ("W-7", "2001-02-03", "accepted")
    }


def test_a_restart_looks_again_and_what_is_stored_already_is_said_so(
    here: Installation, staff: Person
) -> None:
    files = study("W-1", "20190312")
    take(brought(here, files), staff)
    again = brought(here, files)
    assert [one.need for one in again.groups()] == [Need.HERE]


def test_pause_and_stop_end_between_two_files_and_nothing_is_lost(here: Installation, staff: Person) -> None:
    batch = brought(here, study("W-1", "20190312"))
    batch.pause()
    batch.take_in(staff, batch.groups())
    batch.pause()
    assert batch.progress.stage is Stage.TAKING
    batch.stop()
    settle(batch)
    done = len(batch.told())
    assert done + len(batch.arrivals.of(STAFF.user_id)) == 4
    take(batch, staff)
    assert len(batch.told()) == 4


def test_who_may_not_add_studies_may_not_by_batches_either(here: Installation) -> None:
    batch = brought(here, {})
    with pytest.raises(AccessDenied):
        batch.take_in(Person(0, "ann", "Ann", Role.ANALYST), [])


def restarted(batch: Batch) -> Batch:
    """The batch as another process finds it."""
    again = Batch(batch.here, Arrivals(batch.arrivals.root), batch.user_id)
    look(again)
    return again


def test_what_was_answered_and_chosen_is_there_after_a_restart(here: Installation, staff: Person) -> None:
    films = {
        f"old films/{name}.png": pictures.png(pictures.breast(name[0], seed=number, rows=160, columns=120))
        for number, name in enumerate(["L-CC", "R-CC"])
    }
    batch = brought(here, films | study("W-1", "20190312"))
    asked, known = batch.groups()
    views = {one.key: one.proposed for one in asked.files}
    batch.say(asked.key, Answer("W-7", date(2001, 2, 3), views, checked=True))  # type: ignore[arg-type]
    batch.say(known.key, chosen=False)
    again = restarted(batch)
    assert again.groups()[0].lacks(again.answers[asked.key]) == []
    assert again.chosen == {known.key: False}
    take(again, staff, {asked.key})
    assert {(one.patient, one.outcome) for one in restarted(again).told().values()} == {("W-7", "accepted")}


def test_a_batch_that_was_cut_off_says_what_is_left_and_goes_on(here: Installation, staff: Person) -> None:
    """As kill -9 leaves it: what is kept beside the arrivals after some files is what the next process finds."""
    files = study("W-1", "20190312") | study("W-2", "20190312")
    batch = brought(here, {"stick.zip": zipped(files), "late.dcm": bad_files()["cut.dcm"]})
    batch.pause()
    original, left = batch._kept.answered, 3

    def cut_off(key: str, report) -> None:
        nonlocal left
        original(key, report)
        left -= 1
        if not left:
            # Nothing of what this process does from here on is kept.
            batch._kept._folder = here.home / "nowhere"
            batch.stop()

    batch._kept.answered = cut_off  # type: ignore[method-assign]
    batch.go_on()
    take(batch, staff)
    again = restarted(batch)
    assert len(again.told()) == 3
    assert sum(len(one.new_files) for one in again.cut_off_groups()) == 6
    again.take_in(staff, again.cut_off_groups())
    settle(again)
    assert again.cut_off_groups() == []
    assert len(again.told()) == 9
    assert len(summary_csv(again).splitlines()) == 10
    assert not again.arrivals.of(STAFF.user_id)
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Image)) == 8


def test_a_file_that_comes_again_after_it_was_answered_is_looked_at_again(
    here: Installation, staff: Person
) -> None:
    files = study("W-1", "20190312")
    batch = brought(here, files)
    take(batch, staff)
    for again in (batch, Batch(here, batch.arrivals, STAFF.user_id)):
        name, data = next(iter(files.items()))
        arrival = again.arrivals.begin(STAFF.user_id, name, len(data))
        again.arrivals.append(arrival, arrival.arrived, [data][: not arrival.is_whole])
        look(again)
        assert [one.need for one in again.groups()] == [Need.HERE]


def test_what_is_kept_of_a_batch_may_be_damaged_or_not_be_written(
    here: Installation, staff: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = brought(here, study("W-1", "20190312"))
    folder = batch.arrivals.root / str(STAFF.user_id)
    for damage in (b"", b"{", b'{"answers": {"a": 3}}', bytes(range(256)), b"[1]"):
        for name in ("batch.json", "answered.jsonl"):
            (folder / name).write_bytes(damage)
        assert [len(one.files) for one in restarted(batch).groups()] == [4]

    def full(*_about: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.bulk.kept.write_whole", full)
    batch.say("a group", chosen=True)
    take(batch, staff)
    assert {one.outcome for one in batch.told().values()} == {"accepted"}
