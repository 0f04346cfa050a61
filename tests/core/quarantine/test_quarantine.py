"""Files that were not taken in: they wait until a person acts, and what she says is heard by the intake."""

from datetime import date

import pytest
from sqlalchemy import select

from core import refusals
from core.images import shows_the_breast
from core.incoming import IncomingFile, Statement, take_in
from core.people import Person, Role
from core.people.roles import AccessDenied
from core.quarantine import (
    Helps,
    Said,
    State,
    bring_back,
    count_waiting,
    helps,
    kept_file,
    kept_files,
    look_into,
    original,
    reasons_waiting,
    resubmit,
    set_aside,
)
from db.tables import AuditEntry, Image, ImportItem
from tests.pictures import breast, dicom, png

DAY = date(2024, 3, 15)
ANALYST = Person(0, "a", "A", Role.ANALYST)


def send(here, *data: bytes, statement: Statement | None = None, names: tuple[str, ...] = ()):
    names = names or tuple(f"file{number}" for number in range(len(data)))
    files = [IncomingFile(name, one) for name, one in zip(names, data, strict=True)]
    return take_in(here, files, statement=statement, source="cli")


def actions(here) -> list[str]:
    with here.database.read() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_a_file_without_a_date_becomes_a_study_once_a_person_says_the_date(here):
    send(here, dicom(StudyDate="19000101"))
    (kept,) = kept_files(here)
    assert (kept.reason, helps(kept.reason), kept.state) == ("no_study_date", Helps.WHEN, State.WAITING)
    inside = look_into(here, kept.item_id, None)
    assert inside.thumbnail_png
    assert inside.header is not None
    assert inside.header.patient_id == "MRN-1"
    report = resubmit(here, [kept.item_id], Said(study_date=DAY))
    (item,) = report.items
    assert (item.outcome, item.patient, item.study_date) == ("accepted", "MRN-1", "2024-03-15")
    assert count_waiting(here) == 0
    assert kept_file(here, kept.item_id).state is State.RESUBMITTED
    assert {"quarantine_looked", "quarantine_resubmitted", "import_begun"} <= set(actions(here))
    with pytest.raises(ValueError, match="meanwhile"):
        resubmit(here, [kept.item_id], Said(study_date=DAY))


def test_what_is_refused_again_waits_with_its_new_reason_and_only_once(here):
    send(here, dicom(StudyDate="", ImageLaterality="", Laterality=""))
    (first,) = kept_files(here)
    report = resubmit(here, [first.item_id], Said(study_date=DAY))
    assert report.items[0].reason == "unknown_laterality"
    (again,) = kept_files(here)
    assert again.item_id != first.item_id
    assert again.reason == "unknown_laterality"
    report = resubmit(here, [again.item_id], Said(study_date=DAY, side="R", view="MLO"))
    assert report.items[0].outcome == "accepted"
    assert (report.items[0].laterality, report.items[0].view) == ("R", "MLO")


def test_the_same_file_sent_twice_waits_once_and_leaves_when_it_comes_in_another_way(here):
    data = png(breast("L"))
    send(here, data)
    send(here, data)
    assert count_waiting(here) == len(kept_files(here)) == 1
    said = Statement("MRN-9", DAY, views={"file0": ("L", "CC")})
    assert send(here, data, statement=said).items[0].outcome == "accepted"
    assert kept_files(here) == []


def test_the_word_that_came_with_a_file_is_kept_beside_what_is_said_later(here):
    send(here, png(breast("L")), statement=Statement("MRN-9", DAY))
    (kept,) = kept_files(here)
    assert (kept.reason, kept.stated_mrn, kept.stated_date) == ("unknown_laterality", "MRN-9", DAY)
    item = resubmit(here, [kept.item_id], Said(side="L", view="CC")).items[0]
    assert (item.outcome, item.patient, item.study_date) == ("accepted", "MRN-9", "2024-03-15")


def test_many_files_are_answered_each_and_take_what_is_not_said_from_themselves(here):
    send(
        here,
        *[
            dicom(breast("L", seed=n), PatientID=f"W{n}", StudyDate="", StudyInstanceUID=f"1.2.{n}")
            for n in range(3)
        ],
        b"\x89PNG\r\n\x1a\n",
    )
    assert reasons_waiting(here)["no_study_date"] == 3
    report = resubmit(here, [one.item_id for one in kept_files(here)], Said(study_date=DAY))
    assert sorted(item.patient for item in report.items if item.outcome == "accepted") == ["W0", "W1", "W2"]
    assert [one.reason for one in kept_files(here)] == ["truncated"] or count_waiting(here) == 1


def test_a_picture_by_a_persons_word_is_kept_and_not_read_by_the_model(here):
    shades = breast("L") % 2
    send(here, dicom(shades))
    (kept,) = kept_files(here)
    assert helps(kept.reason) is Helps.A_MAMMOGRAM
    assert resubmit(here, [kept.item_id], Said(study_date=DAY)).items[0].reason == "not_a_mammogram"
    (kept,) = kept_files(here)
    item = resubmit(here, [kept.item_id], Said(a_mammogram=True)).items[0]
    assert item.outcome == "accepted"
    assert "not_recognised" in item.flags
    with here.database.read() as session:
        image = session.scalars(select(Image)).one()
        assert not shows_the_breast(image)


def test_set_aside_needs_a_reason_and_is_taken_back(here):
    send(here, b"nothing that is known")
    (kept,) = kept_files(here)
    with pytest.raises(ValueError, match="why"):
        set_aside(here, [kept.item_id], " ")
    set_aside(here, [kept.item_id], "sent by mistake")
    assert count_waiting(here) == 0
    (aside,) = kept_files(here, state=State.SET_ASIDE)
    assert (aside.settled_why, aside.settled_by) == ("sent by mistake", "command line")
    assert original(here, kept.item_id, None) == b"nothing that is known"
    with pytest.raises(ValueError, match="set aside"):
        resubmit(here, [kept.item_id], Said())
    send(here, b"nothing that is known")
    assert count_waiting(here) == 0, "what was set aside does not come back by being sent again"
    assert bring_back(here, [kept.item_id]) == 1
    assert count_waiting(here) == 1


def test_nobody_acts_on_it_without_the_permission(here):
    send(here, b"nothing that is known")
    (kept,) = kept_files(here)
    for act in (
        lambda: look_into(here, kept.item_id, ANALYST),
        lambda: original(here, kept.item_id, ANALYST),
        lambda: resubmit(here, [kept.item_id], Said(), person=ANALYST),
        lambda: set_aside(here, [kept.item_id], "a reason", person=ANALYST),
        lambda: bring_back(here, [kept.item_id], person=ANALYST),
    ):
        with pytest.raises(AccessDenied):
            act()
    with pytest.raises(LookupError, match="No file number"):
        look_into(here, 12345, None)


def test_every_reason_says_what_to_do_and_searching_takes_signs_as_they_are(here):
    assert all(sentence.endswith(".") and len(sentence) > 20 for sentence in refusals.SENTENCES.values())
    send(here, b"one", b"two", names=("a_b.dcm", "a%b.dcm"))
    assert [one.name for one in kept_files(here, text="_")] == ["a_b.dcm"]
    assert [one.name for one in kept_files(here, text="A%")] == ["a%b.dcm"]
    assert len(kept_files(here, reason="unsupported_format")) == 2
    with here.database.read() as session:
        assert session.scalars(select(ImportItem)).all()


def test_what_came_in_de_identified_is_sent_in_again_under_her_pseudonym(here):
    from dataclasses import replace

    from core.deidentification import Identity, key_of

    here = replace(here, settings=here.settings.model_copy(update={"deidentify_incoming": True}))
    send(here, dicom(StudyDate="", ImageLaterality="L"))
    (kept,) = kept_files(here)
    hers = Identity.of(key_of(here), "MRN-1")
    item = resubmit(here, [kept.item_id], Said(study_date=DAY)).items[0]
    assert (item.outcome, item.patient) == ("accepted", hers.pseudonym)
    assert item.study_date == hers.day(DAY).isoformat()
