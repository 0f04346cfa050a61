"""The page "Add study", from the search for the woman to what became of her files."""

import errno
import re
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import cv2
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.installation import Installation
from core.people import accounts, ensure_demo_accounts, sign_ins
from core.people.accounts import Role
from core.people.demo_accounts import DEMO_ACCOUNTS
from core.quarantine import kept_files
from dashboard import batches, look, session
from db.images import FolderStore
from db.tables import AuditEntry, Image, ImportItem, Outcome, Patient, Study, StudyStatus
from tests import factories, pictures
from tests.dashboard.page_runs import no_error, words
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]


def png_of(laterality: str, view: str) -> bytes:
    return bytes(cv2.imencode(".png", factories.breast(laterality, view))[1])


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label.startswith(label)).click()
    return app.run()


def new_patient(app: AppTest, mrn: str) -> AppTest:
    next(box for box in app.text_input if box.label == "MRN").set_value(mrn)
    return press(app, "Go on")


def upload(app: AppTest, files: Sequence[tuple[str, bytes]]) -> AppTest:
    app.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files])
    return app.run()


def say(app: AppTest, label: str, number: int, value: str) -> None:
    [box for box in app.selectbox if box.label == label][number].set_value(value)


def test_two_films_without_any_header_go_in_by_what_a_person_says(
    here: Installation, pages: OpenPage
) -> None:
    app = new_patient(pages(Role.STAFF, "add_study"), "R-7")
    app = upload(app, [("one.png", png_of("L", "CC")), ("two.png", png_of("R", "CC"))])
    assert no_error(app)
    assert "side or view is asked in the next step" in words(app)
    app = press(app, "Go on to check")
    assert next(button for button in app.button if button.label.startswith("Add 2")).disabled
    app.date_input[0].set_value(date(2024, 5, 17))
    for number, laterality in enumerate("LR"):
        say(app, "Side", number, laterality)
        say(app, "View", number, "CC")
    app.run()
    assert no_error(app)
    assert "R MLO is not among the files" in words(app)
    app = press(app, "Add 2")
    assert no_error(app)
    assert words(app).count(">added<") == 2
    assert "python -m core worker" in words(app)
    with here.database.read() as session:
        patient = session.scalars(select(Patient)).one()
        study = session.scalars(select(Study)).one()
        images = session.scalars(select(Image)).all()
        trail = session.scalars(select(AuditEntry.action)).all()
    assert (patient.mrn, patient.simulated) == ("R-7", False)
    assert (study.study_date, study.status) == (date(2024, 5, 17), StudyStatus.PENDING)
    assert {(image.laterality, image.view) for image in images} == {("L", "CC"), ("R", "CC")}
    assert {"import_begun", "import_finished"} <= set(trail)


def test_of_two_files_of_one_view_the_whole_breast_is_hung(here: Installation, pages: OpenPage) -> None:
    magnified = pictures.dicom(pictures.breast(seed=1), EstimatedRadiographicMagnificationFactor="1.8")
    app = new_patient(pages(Role.STAFF, "add_study"), "MRN-1")
    app = upload(app, [("a magnified.dcm", magnified), ("b whole.dcm", pictures.dicom())])
    app = press(app, "Go on to check")
    assert no_error(app)
    hung = next(html.proto.body for html in app.get("html") if "lv-hung" in html.proto.body)
    assert "L CC · 2 files" in hung
    assert 'alt="b whole.dcm"' in hung
    assert 'alt="a magnified.dcm"' not in hung


def test_the_same_picture_under_two_names_goes_in_once(here: Installation, pages: OpenPage) -> None:
    app = new_patient(pages(Role.STAFF, "add_study"), "R-7")
    app = upload(app, [("one.png", png_of("L", "CC")), ("copy.png", png_of("L", "CC"))])
    app = press(app, "Go on to check")
    assert no_error(app)
    app.date_input[0].set_value(date(2024, 5, 17))
    for number in range(2):
        say(app, "Side", number, "L")
        say(app, "View", number, "CC")
    app = press(app.run(), "Add 2")
    assert no_error(app)
    assert (words(app).count(">added<"), words(app).count(">already here<")) == (1, 1)


def test_side_and_view_that_only_the_name_says_are_proposed_and_wait_to_be_checked(
    here: Installation, pages: OpenPage
) -> None:
    app = new_patient(pages(Role.STAFF, "add_study"), "R-7")
    app = upload(app, [("L-CC.png", png_of("L", "CC")), ("other.png", png_of("R", "CC"))])
    assert "proposed from its name" in words(app)
    app = press(app, "Go on to check")
    assert [box.value for box in app.selectbox] == ["L", "CC", None, None]
    app.date_input[0].set_value(date(2024, 5, 17))
    say(app, "Side", 1, "R")
    say(app, "View", 1, "CC")
    app.run()
    assert next(button for button in app.button if button.label.startswith("Add 2")).disabled
    app.checkbox(key="add_views_confirmed").check().run()
    app = press(app, "Add 2")
    assert no_error(app)
    assert words(app).count(">added<") == 2


def test_files_that_cannot_be_taken_are_named_first_with_what_to_do(
    here: Installation, pages: OpenPage
) -> None:
    app = new_patient(pages(Role.STAFF, "add_study"), "R-7")
    app = upload(app, [("good.png", png_of("L", "CC")), ("empty.png", b""), ("note.png", b"not a picture")])
    assert no_error(app)
    text = words(app)
    assert "The file is empty. Export it again." in text
    assert text.index("empty.png") < text.index("good.png")
    assert not next(button for button in app.button if button.label == "Go on to check").disabled


def test_nothing_usable_goes_no_further(here: Installation, pages: OpenPage) -> None:
    app = upload(new_patient(pages(Role.STAFF, "add_study"), "R-7"), [("note.png", b"not a picture")])
    assert next(button for button in app.button if button.label == "Go on to check").disabled
    assert "None of these files can be added" in words(app)


def test_a_file_that_is_here_already_is_said_so(here: Installation, pages: OpenPage) -> None:
    for _ in range(2):
        app = pages(Role.STAFF, "add_study")
        if "R-7" in known(here):
            app.text_input(key="add_search").set_value("R-7").run()
            app = press(app, "This patient")
        else:
            app = new_patient(app, "R-7")
        app = upload(app, [("one.png", png_of("L", "CC"))])
        if "already here" in words(app):
            break
        app = press(app, "Go on to check")
        app.date_input[0].set_value(date(2024, 5, 17))
        say(app, "Side", 0, "L")
        say(app, "View", 0, "CC")
        app = press(app.run(), "Add 1")
    assert "already here (R-7, 2024-05-17, L-CC): nothing to do" in words(app)
    with here.database.read() as session:
        assert session.scalars(select(ImportItem.outcome)).all() == [Outcome.ACCEPTED]


def test_a_file_of_another_patient_is_not_called_a_repetition(here: Installation, pages: OpenPage) -> None:
    statement = Statement(mrn="other", study_date=date(2024, 5, 17), views={"one.png": ("L", "CC")})
    take_in(here, [IncomingFile("one.png", png_of("L", "CC"))], statement=statement, source="cli")
    app = upload(new_patient(pages(Role.STAFF, "add_study"), "R-7"), [("again.png", png_of("L", "CC"))])
    assert "stored for another patient (other, 2024-05-17, L-CC)" in words(app)


def listed(app: AppTest) -> list[str]:
    """Return the files of the table, by the small print under their names."""
    table = next((html.proto.body for html in app.get("html") if "<th>verdict</th>" in html.proto.body), "")
    return sorted(re.findall(r"<td>([^<]*)<br>", table))


def test_a_forgotten_view_is_added_to_the_files_that_came_before(here: Installation, pages: OpenPage) -> None:
    first = [("one.png", png_of("L", "CC")), ("two.png", png_of("R", "CC"))]
    app = upload(new_patient(pages(Role.STAFF, "add_study"), "R-7"), first)
    app = press(press(app, "Go on to check"), "Back to the files")
    app = upload(app, [("forgotten.png", png_of("L", "MLO")), first[0]])
    assert no_error(app)
    assert listed(app) == ["forgotten.png", "one.png", "two.png"], "a file dropped twice is there once"
    app = upload(app, [("forgotten.png", png_of("L", "MLO")), ("one.png", png_of("R", "MLO"))])
    assert listed(app) == ["forgotten.png", "one.png", "one.png (2)", "two.png"], "other bytes, other file"
    app = press(app, look.plain("two.png"))
    assert listed(app) == ["forgotten.png", "one.png", "one.png (2)"]
    app = upload(app, [("forgotten.png", png_of("L", "MLO"))])
    assert listed(app) == ["forgotten.png", "one.png"], "what is taken out of the field is gone"
    app = press(app, "Go on to check")
    app.date_input[0].set_value(date(2024, 5, 17))
    for number, laterality in enumerate("LL"):
        say(app, "Side", number, laterality)
        say(app, "View", number, ("CC", "MLO")[number])
    app = press(app.run(), "Add 2")
    assert no_error(app)
    assert words(app).count(">added<") == 2


def test_a_search_that_finds_more_than_it_shows_says_so(here: Installation, pages: OpenPage) -> None:
    for number in range(9):
        factories.woman(here, f"{number}", [], name="MÜLLER, Zoë")
    app = pages(Role.STAFF, "add_study")
    app.text_input(key="add_search").set_value("müller").run()
    assert "More than 8 match: type more of the name or MRN" in words(app)
    assert sum(button.label == "This patient" for button in app.button) == 8
    app.text_input(key="add_search").set_value("8").run()
    assert "More than 8" not in words(app)
    assert sum(button.label == "This patient" for button in app.button) == 1


def test_coming_back_from_the_check_the_files_are_still_there(here: Installation, pages: OpenPage) -> None:
    app = upload(new_patient(pages(Role.STAFF, "add_study"), "R-7"), [("one.png", png_of("L", "CC"))])
    app = press(press(app, "Go on to check"), "Back to the files")
    assert no_error(app)
    assert "one.png" in words(app)
    assert not next(button for button in app.button if button.label == "Go on to check").disabled


def test_files_that_are_refused_are_kept_in_quarantine_with_their_reason(
    here: Installation, pages: OpenPage
) -> None:
    app = upload(
        new_patient(pages(Role.STAFF, "add_study"), "R-7"),
        [("one.png", png_of("L", "CC")), ("note.png", b"not a picture")],
    )
    app = press(app, "Go on to check")
    app.date_input[0].set_value(date(2024, 5, 17))
    say(app, "Side", 0, "L")
    say(app, "View", 0, "CC")
    app = press(app.run(), "Add 1")
    assert no_error(app)
    assert "not taken" in words(app)
    assert [kept.name for kept in kept_files(here)] == ["note.png"]


def test_files_that_the_machine_did_not_come_to_wait_and_go_in_when_it_works_again(
    here: Installation, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, done = FolderStore.write_beside, []

    def full_after_one_image(self: FolderStore, sha256: str, data: bytes) -> Path:
        if len(done) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(1)
        return write(self, sha256, data)

    app = new_patient(pages(Role.STAFF, "add_study"), "R-7")
    app = upload(app, [("one\u202e.png", png_of("L", "CC")), ("two.png", png_of("R", "CC"))])
    app = press(app, "Go on to check")
    app.date_input[0].set_value(date(2024, 5, 17))
    for number, laterality in enumerate("LR"):
        say(app, "Side", number, laterality)
        say(app, "View", number, "CC")
    app.run()
    with monkeypatch.context() as full:
        full.setattr(FolderStore, "write_beside", full_after_one_image)
        app = press(app, "Add 2")
    assert no_error(app)
    assert "The disk is full. Make room, then repeat. 1 file is not added yet" in words(app)
    assert words(app).count(">added<") == 1
    app = press(press(app, "Go on with these files"), "Go on to check")
    assert no_error(app)
    app.date_input[0].set_value(date(2024, 5, 17))
    say(app, "Side", 0, "R")
    say(app, "View", 0, "CC")
    app = press(app.run(), "Add 1")
    assert no_error(app)
    assert words(app).count(">added<") == 1
    with here.database.read() as session:
        assert sorted(session.scalars(select(Image.source_name))) == [r"one\u202e.png", "two.png"]


def known(here: Installation) -> list[str]:
    with here.database.read() as session:
        return list(session.scalars(select(Patient.mrn)))


def test_a_new_patient_needs_an_mrn_that_nobody_has(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "17", [])
    app = new_patient(pages(Role.STAFF, "add_study"), "17")
    assert "is known here already" in app.warning[0].value
    assert "needs an MRN" in new_patient(pages(Role.STAFF, "add_study"), "  ").warning[0].value


def test_a_link_from_the_patient_page_begins_with_her_files(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "17", [VisitPlan(date(2024, 1, 1))], name="Sim-0017")
    app = pages(Role.STAFF, "add_study", mrn="17")
    assert no_error(app)
    assert "Sim-0017" in words(app)
    assert len(app.file_uploader) == 1


@pytest.mark.parametrize("mrn", ["no such", "' OR 1=1"])
def test_a_link_to_nobody_begins_with_the_search(here: Installation, pages: OpenPage, mrn: str) -> None:
    app = pages(Role.STAFF, "add_study", mrn=mrn)
    assert no_error(app)
    assert len(app.file_uploader) == 0


OWN = "seven quiet rivers"


@pytest.fixture
def demo_pages(here: Installation, pages: OpenPage, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open "Add study" as the demo's staff, where `make run` serves it."""
    monkeypatch.setenv("LONGVIEW_DEMO", "1")
    monkeypatch.setattr(session, "address", lambda: None)
    monkeypatch.setattr(here.settings, "demo", True)
    accounts.create_user(here, "another", OWN, Role.ANALYST)
    app = pages(Role.STAFF, "add_study")
    ensure_demo_accounts(here)

    def as_demo_staff() -> AppTest:
        entered = sign_ins.sign_in(here, "staff", DEMO_ACCOUNTS["staff"][2], loopback=True)
        monkeypatch.setattr(session, "token", lambda: entered.token)
        app.session_state[session.OWNER] = entered.person
        return app.run()

    return as_demo_staff


def to_check(app: AppTest, mrn: str = "R-7", side: str = "L") -> AppTest:
    """Go with one film as far as everything about it is said."""
    app = upload(new_patient(app, mrn), [("one.png", png_of(side, "CC"))])
    app = press(app, "Go on to check")
    app.date_input[0].set_value(date(2024, 5, 17))
    say(app, "Side", 0, side)
    say(app, "View", 0, "CC")
    return app.run()


def make_admin(app: AppTest, name: str, password: str, again: str | None = None) -> AppTest:
    app.text_input(key="first_username").set_value(name)
    app.text_input(key="first_password").set_value(password)
    app.text_input(key="first_password_again").set_value(password if again is None else again)
    return press(app, "Add 1")


def able(here: Installation) -> set[str]:
    return {account.username for account in accounts.list_accounts(here) if account.active}


def test_the_first_real_patient_asks_for_an_admin_and_loses_nothing_that_was_entered(
    here: Installation, demo_pages: OpenPage
) -> None:
    app = to_check(demo_pages())
    assert "She closes the demo accounts" in words(app)
    assert "At least 12 characters that are hard to guess" in words(app)
    before = able(here)
    for name, password, again, says in (
        ("", OWN, OWN, "user name has 1 to 64"),
        ("anna", "password1234", "password1234", "easy to guess"),
        ("anna", OWN, "another", "not the same"),
        ("another", OWN, OWN, "is taken"),
    ):
        app = make_admin(app, name, password, again)
        assert no_error(app)
        assert says in app.warning[0].value
        assert [box.value for box in app.selectbox] == ["L", "CC"]
        assert app.date_input[0].value == date(2024, 5, 17)
        assert app.text_input(key="first_username").value == name
        assert (known(here), able(here)) == ([], before)
    app = make_admin(app, "anna", OWN)
    assert no_error(app)
    assert "anna is admin here now" in words(app)
    assert words(app).count(">added<") == 1
    assert known(here) == ["R-7"]
    assert able(here) == before - DEMO_ACCOUNTS.keys() | {"anna"}
    app = press(app, "Another patient")
    assert no_error(app), "she goes on as the admin she made"
    assert not app.info
    app = to_check(app, "R-8", "R")
    assert "She closes the demo accounts" not in words(app)


def test_beside_an_admin_of_ones_own_whoever_came_by_the_demo_signs_in_as_herself(
    here: Installation, demo_pages: OpenPage
) -> None:
    accounts.create_user(here, "anna", OWN, Role.ADMIN)
    accounts.create_user(here, "sam", OWN, Role.STAFF)
    app = to_check(demo_pages())
    assert "Sign in as yourself to go on" in words(app)
    assert next(button for button in app.button if button.label.startswith("Add 1")).disabled
    app.text_input(key="first_own_username").set_value("sam")
    app.text_input(key="first_own_password").set_value("not hers at all")
    app = press(app, "Sign in")
    assert "User name or password is wrong" in app.warning[0].value
    app.text_input(key="first_own_password").set_value(OWN)
    app = press(app, "Sign in")
    assert no_error(app)
    assert [box.value for box in app.selectbox] == ["L", "CC"]
    app = press(app, "Add 1")
    assert no_error(app)
    assert "The demo accounts are closed for good" in words(app)
    with here.database.read() as opened:
        (added,) = opened.scalars(select(AuditEntry).where(AuditEntry.action == "import_begun"))
    assert added.user_id == {a.username: a.user_id for a in accounts.list_accounts(here)}["sam"]
    assert not able(here) & DEMO_ACCOUNTS.keys()


def test_demo_accounts_that_came_while_the_page_was_open_are_asked_about_then(
    here: Installation, pages: OpenPage
) -> None:
    app = to_check(pages(Role.STAFF, "add_study"))
    assert "She closes the demo accounts" not in words(app)
    add = next(button for button in app.button if button.label.startswith("Add 1"))
    ensure_demo_accounts(here)
    add.click()
    app.run()
    assert no_error(app)
    assert "She closes the demo accounts" in words(app)
    assert "without signing in again" not in words(app)
    app = make_admin(app, "anna", OWN)
    assert no_error(app)
    assert known(here) == ["R-7"]
    assert not able(here) & DEMO_ACCOUNTS.keys()


def test_a_simulated_patient_closes_nothing(here: Installation, demo_pages: OpenPage) -> None:
    film = pictures.dicom(PatientComments="SIMULATED, not a patient")
    app = press(upload(new_patient(demo_pages(), "S-7"), [("one.dcm", film)]), "Go on to check")
    assert no_error(app)
    assert "She closes the demo accounts" not in words(app)


def test_what_is_amiss_with_a_picture_is_said_while_she_is_there_and_refuses_nothing(
    here: Installation, pages: OpenPage
) -> None:
    app = new_patient(pages(Role.STAFF, "add_study"), "R-12")
    whole = (pictures.breast("R", seed=1, rows=900, columns=640) >> 4).astype("uint8")
    above, below = (cv2.imencode(".png", part)[1].tobytes() for part in (whole[290:], whole[:, ::-1]))
    app = press(upload(app, [("R-CC.png", above), ("R-MLO.png", below)]), "Go on to check")
    assert "runs off the upper edge" in words(app)
    assert "Repeat the view with the breast in the middle" in words(app)
    assert "They can be added all the same" in words(app)
    say(app, "View", 0, "ML")
    assert "runs off the upper edge" not in words(app.run())


def test_what_looks_like_ultrasound_is_asked_and_goes_in_as_that(
    here: Installation, pages: OpenPage, shared_data: Path
) -> None:
    scan = next(iter(sorted((shared_data / "busi").glob("*.png")))).read_bytes()
    app = upload(new_patient(pages(Role.STAFF, "add_study"), "R-13"), [("scan.png", scan)])
    assert "looks like ultrasound" in words(app)
    app = press(app, "Go on to check")
    assert no_error(app)
    assert [box.value for box in app.selectbox] == [None, "US"]
    say(app, "Side", 0, "L")
    app.date_input[0].set_value(date(2024, 5, 17))
    app = press(app.run(), "Add 1 image")
    assert no_error(app)
    assert "read by no model" in words(app).replace("\n", " ")
    with here.database.read() as session:
        image = session.scalars(select(Image)).one()
        assert (image.laterality.value, image.view, image.study.modality) == ("L", "US", "US")


def test_files_of_several_days_are_never_one_study_silently(here: Installation, pages: OpenPage) -> None:
    files = [
        (
            f"{day} {side}.dcm",
            pictures.dicom(
                pictures.breast(side, seed=n),
                StudyDate=day,
                ImageLaterality=side,
                StudyInstanceUID=f"1.2.{day}",
            ),
        )
        for n, (day, side) in enumerate([("20190312", "L"), ("20190312", "R"), ("20210405", "L")])
    ]
    app = upload(new_patient(pages(Role.STAFF, "add_study"), "MRN-1"), files)
    assert "These files say 2 days (2019-03-12: 2 files, 2021-04-05: 1 file)" in words(app)
    app = press(app, "Sort them by woman")
    for _ in range(5):
        (batch,) = batches._batches.values()
        batch.wait()
        app.run()
    assert no_error(app)
    assert "can be added" in words(app)
    app = press(app, "Add 3 files of 2 studies")
    batch.wait()
    app.run()
    assert "3 files of 2 studies added" in words(app)
    with here.database.read() as session:
        days = session.scalars(select(Study.study_date).order_by(Study.study_date)).all()
    assert days == [date(2019, 3, 12), date(2021, 4, 5)]
