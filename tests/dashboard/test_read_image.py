"""The page "Read an image": what it says before, while and after an image is open, and what it keeps."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from core.desk.desk import Desk, DeskClosed
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.installation import Installation
from core.people import accounts, asking
from core.people.accounts import Role
from core.records import findings, lesions_of_patient
from core.settings import Settings
from dashboard import components, house
from dashboard.components import ReadingAsks
from db.tables import AuditEntry, Image, Study, User
from tests.core.desk.test_desk import InThisProcess
from tests.pictures import breast, dicom, png

OpenPage = Callable[..., AppTest]
VIEW = png(breast("L", rows=640, columns=480))
BOX = (60.0, 250.0, 160.0, 350.0)


@pytest.fixture(scope="module")
def child(tiny_model: Path) -> InThisProcess:
    made = InThisProcess(Settings(model=str(tiny_model), _env_file=None))
    made.answering.warm_up()
    return made


@pytest.fixture
def desk(here: Installation, child: InThisProcess, tiny_model: Path, monkeypatch) -> Iterator[Desk]:
    monkeypatch.setenv("LONGVIEW_MODEL", str(tiny_model))
    child.close()
    child.dies = False
    made = Desk(here.settings)
    monkeypatch.setattr(made, "_child", child)
    monkeypatch.setattr(made, "warm_up", lambda: None)
    monkeypatch.setattr(house, "desk", lambda: made)
    yield made
    made.close()


class Shown(list):
    """What the component was handed in each run; it asks for nothing unless a test says so."""

    def __init__(self) -> None:
        self.asks: list[ReadingAsks] = []

    def reading(self, image) -> ReadingAsks:
        self.append(json.loads(json.dumps(dict(image))))
        return self.asks.pop() if self.asks else ReadingAsks(None, None)

    def ask(self, app: AppTest, asks: ReadingAsks) -> AppTest:
        """Run the page as if the person had just asked for this on the image."""
        self.asks.append(asks)
        return app.run()


@pytest.fixture
def shown(monkeypatch) -> Shown:
    made = Shown()
    monkeypatch.setattr(components, "reading", made.reading)
    return made


def words(app: AppTest) -> str:
    return " ".join(html.proto.body for html in app.get("html"))


def drop(app: AppTest, data: bytes, name: str = "view.png") -> AppTest:
    app.file_uploader[0].set_value([(name, data, "application/octet-stream")])
    return app.run()


def stored(here: Installation) -> str:
    statement = Statement("00017", date(2024, 5, 1), name="Jane Doe")
    data = dicom(breast("L", rows=640, columns=480), ImagerPixelSpacing=[0.1, 0.1])
    take_in(here, [IncomingFile("a.dcm", data)], statement=statement, source="web")
    with here.database.read() as session:
        return session.scalars(select(Image.sop_uid)).one()


def test_it_says_what_can_be_dropped_while_nothing_is_open(here, pages: OpenPage, desk, shown) -> None:
    app = pages(Role.ONCOLOGIST, "read_image")
    assert not app.exception
    assert "Drop an image above" in words(app)
    assert not shown


def test_a_dropped_mammogram_is_shown_with_who_speaks_and_its_card(
    here, pages: OpenPage, desk, shown
) -> None:
    app = drop(pages(Role.ONCOLOGIST, "read_image"), VIEW)
    assert not app.exception
    assert "not in a patient's record" in words(app)
    for limit in ("It ranks whole films better than chance", "It reads a box that a person drew"):
        assert limit in words(app)  # the limits on the cards of the models that speak
    assert (shown[-1]["rows"], shown[-1]["columns"], shown[-1]["findings"]) == (640, 480, [])
    assert shown[-1]["can_keep"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "The file is empty"),
        (b"<html>", "not of a kind that is read"),
        (VIEW[:300], "ends before its image does"),
        (
            png(np.random.default_rng(0).integers(0, 4095, (300, 300)).astype(np.uint16)),
            "neither a mammogram nor",
        ),
        (dicom(Modality="MR"), "It is of modality MR"),
    ],
    ids=["empty", "web page", "truncated", "noise", "MR"],
)
def test_another_file_is_told_so_and_not_scored(here, pages: OpenPage, desk, shown, data, says) -> None:
    app = drop(pages(Role.ONCOLOGIST, "read_image"), data)
    assert not app.exception
    assert says in words(app)
    assert not shown


def test_a_stopped_process_is_said_in_a_sentence(here, pages: OpenPage, desk, shown, monkeypatch) -> None:
    def closed(*_arguments):
        raise DeskClosed("Reading images cannot be started here.")

    monkeypatch.setattr(desk, "open_file", closed)
    app = drop(pages(Role.ONCOLOGIST, "read_image"), VIEW)
    assert not app.exception
    assert "cannot be started here" in words(app)


def test_a_box_on_a_patients_image_is_kept_measured_and_can_be_undone(
    here, pages: OpenPage, desk, shown
) -> None:
    sop_uid = stored(here)
    app = pages(Role.ONCOLOGIST, "read_image", image=sop_uid)
    assert not app.exception
    assert "Jane Doe" in words(app)
    app = shown.ask(app, ReadingAsks(BOX, None))
    (finding,) = findings.of_patient(here, "00017")
    assert finding.diameter_mm == pytest.approx(10.0)
    assert finding.reading == {}  # no model that is shipped knows a drawn breast: no number of it is kept
    assert "Finding 1 is kept on Jane Doe, study of 2024-05-01, L CC, 10 mm" in shown[-1]["note"][
        "text"
    ].replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert [one["label"] for one in shown[-1]["findings"]] == ["Finding 1"]
    app = shown.ask(app, ReadingAsks(None, finding.finding_id))
    assert findings.of_patient(here, "00017") == []
    assert "taken back" in shown[-1]["note"]["text"]
    assert not app.exception
    with here.database.read() as session:
        actions = list(session.scalars(select(AuditEntry.action)))
    assert {"image_read", "finding_kept", "finding_removed"} <= set(actions)


def test_a_box_on_a_breast_with_a_lesion_asks_which_it_is(here, pages: OpenPage, desk, shown) -> None:
    sop_uid = stored(here)
    other = dicom(breast("L", seed=5, rows=640, columns=480), StudyInstanceUID="9.9", SOPInstanceUID="9.9.1")
    said = Statement("00017", date(2025, 6, 1), views={"other.dcm": ("L", "CC")})
    take_in(here, [IncomingFile("other.dcm", other)], statement=said, source="test")
    app = pages(Role.ONCOLOGIST, "read_image", image=sop_uid)
    app = shown.ask(app, ReadingAsks(BOX, None))
    with here.database.read() as session:
        later = session.scalars(select(Image.sop_uid).where(Image.sop_uid != sop_uid)).one()
    app.query_params["image"] = later
    app = shown.ask(app.run(), ReadingAsks(BOX, None))
    assert app.radio[0].value is None  # nothing is chosen for the reader
    assert app.radio[0].options[1] == "A new lesion"
    assert len(findings.of_patient(here, "00017")) == 1
    app.radio[0].set_value(lesions_of_patient(here, "00017")[0].lesion_id)
    app = shown.ask(app, ReadingAsks(BOX, None))
    next(button for button in app.button if button.label == "Keep").click()
    app = shown.ask(app, ReadingAsks(BOX, None))
    assert not app.exception
    (lesion,) = lesions_of_patient(here, "00017")
    assert [place.on for place in lesion.places] == [date(2024, 5, 1), date(2025, 6, 1)]
    assert "Finding 1 is kept" in shown[-1]["note"]["text"]


def test_a_box_on_a_dropped_image_asks_whose_it_is_and_puts_it_into_her_record(
    here, pages: OpenPage, desk, shown
) -> None:
    stored(here)
    app = shown.ask(drop(pages(Role.ONCOLOGIST, "read_image"), VIEW), ReadingAsks(BOX, None))
    assert not app.exception
    assert any(box.label == "Patient" for box in app.text_input)
    assert findings.of_patient(here, "00017") == []


def test_a_file_without_a_true_date_is_asked_for_its_day(here, pages: OpenPage, desk, shown) -> None:
    view = dicom(breast("L", rows=640, columns=480), StudyDate="19000101")
    app = shown.ask(drop(pages(Role.ONCOLOGIST, "read_image"), view), ReadingAsks(BOX, None))
    assert not app.exception
    assert [day.value for day in app.date_input] == [None]


def test_what_a_dropped_image_says_otherwise_is_confirmed_and_its_taking_in_is_in_the_trail(
    here, pages: OpenPage, desk, shown
) -> None:
    stored(here)
    other = dicom(breast("L", seed=5, rows=640, columns=480), StudyDate="20250601", PatientID="MRN-2")
    again = ReadingAsks(BOX, None)  # the dialog is open as long as the box is asked about
    app = shown.ask(drop(pages(Role.ONCOLOGIST, "read_image"), other, "other.dcm"), again)
    app.text_input(key="read_whose").set_value("00017")
    app = shown.ask(app, again)
    add = "Add the image to her record and keep the finding"
    assert "the file says patient MRN-2, you say 00017" in words(app)
    assert next(button for button in app.button if button.label == add).disabled
    app.checkbox[0].check()
    app = shown.ask(app, again)
    next(button for button in app.button if button.label == add).click()
    app = shown.ask(app, again)
    assert not app.exception
    (finding,) = findings.of_patient(here, "00017")
    assert finding.study_date == date(2025, 6, 1)
    with here.database.read() as session:
        ended = (
            select(AuditEntry).where(AuditEntry.action == "import_finished").order_by(AuditEntry.id.desc())
        )
        added = session.scalars(ended).first()
    assert added.subject == "patient:00017"
    assert {"from": "page", "study_date": "2025-06-01", "accepted": 1}.items() <= added.detail.items()


def test_who_lost_the_right_to_assess_keeps_nothing_in_a_dialog_that_is_open(
    here, pages: OpenPage, desk, shown, monkeypatch
) -> None:
    stored(here)
    app = drop(pages(Role.ONCOLOGIST, "read_image"), VIEW)
    reading = components.reading

    def meanwhile(image) -> ReadingAsks:
        with here.database.read() as session:
            username = session.scalars(select(User.username)).one()
        with asking.asked_by(asking.SYSTEM):
            accounts.change_account(here, username, role=Role.STAFF)
        return reading(image)

    monkeypatch.setattr(components, "reading", meanwhile)
    app = shown.ask(app, ReadingAsks(BOX, None))
    assert not app.exception
    assert "Your sign-in has ended." in words(app)
    assert not any(box.label == "Patient" for box in app.text_input)


def test_staff_read_images_but_keep_no_findings(here, pages: OpenPage, desk, shown) -> None:
    sop_uid = stored(here)
    app = shown.ask(pages(Role.STAFF, "read_image", image=sop_uid), ReadingAsks(BOX, None))
    assert not app.exception
    assert not shown[-1]["can_keep"]
    assert "oncologists" in shown[-1]["keep_hint"]
    assert findings.of_patient(here, "00017") == []


def test_an_unknown_image_is_said_so(here, pages: OpenPage, desk, shown) -> None:
    app = pages(Role.ONCOLOGIST, "read_image", image="1.2.3")
    assert not app.exception
    assert "There is no such image here" in words(app)


def test_an_analyst_has_no_such_page(here, pages: OpenPage, desk, shown) -> None:
    app = pages(Role.ANALYST, "cohort")
    assert not app.exception
    assert "Read an image" not in words(app)
    with here.database.read() as session:
        assert session.scalars(select(Study)).all() == []
