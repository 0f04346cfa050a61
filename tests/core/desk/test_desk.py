"""The desk: images are opened once, asked about often, by whoever opened them, and a dying process is no end."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from core.desk import desk
from core.desk.desk import BoxRefused, Desk, DeskClosed, OpenedImage
from core.desk.process import Desk as Answering
from core.images.child import ChildDied
from core.images.drawing import open_rendition
from core.images.read_image import ReadImage
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.people.accounts import Role, create_user
from core.people.roles import AccessDenied
from core.refusals import Refusal
from core.settings import Settings
from db.tables import Image
from tests.pictures import breast, dicom, png

PICTURE = breast("L", rows=640, columns=480)
BOX = (60.0, 250.0, 160.0, 350.0)


def test_threads_that_read_an_open_image_at_once_all_get_the_whole_of_it(tmp_path):
    data = os.urandom(3_000_000)
    source = (tmp_path / "source").open("w+b")
    source.write(data)
    opened = OpenedImage("t", 1, "one.png", "5e" * 32, ReadImage(1, 1, 8, "image/png", PICTURE), "MG", source)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda _: opened.bytes(), range(60)))
    assert {len(one) for one in read} == {len(data)}
    assert all(one == data for one in read)
    opened.close()
    with pytest.raises(LookupError, match="Open it again"):
        opened.bytes()


class InThisProcess:
    """Answers as the child does, without being one; what crosses the pipe is JSON and bytes here too."""

    def __init__(self, settings: Settings) -> None:
        self.answering = Answering(settings)
        self.runs = False
        self.dies = False
        self.asked: list[str] = []

    def start(self, seconds: float) -> None:
        self.runs = True

    def close(self) -> None:
        self.runs = False
        self.answering.forget()

    def kill(self) -> None:
        self.runs = False

    def last_word(self) -> str:
        return ""

    def ask(self, question, data, seconds):
        self.asked.append(question["wanted"])
        if self.dies:
            raise ChildDied(-9)
        facts, parts = self.answering.answer(json.loads(json.dumps(question)), data)
        return json.loads(json.dumps(facts, allow_nan=False)), [bytearray(part) for part in parts]


@pytest.fixture(scope="module")
def child(tiny_model: Path) -> InThisProcess:
    return InThisProcess(Settings(model=str(tiny_model), _env_file=None))


@pytest.fixture
def at_desk(here, child, monkeypatch):
    child.close()
    child.asked, child.dies = [], False
    made = Desk(here.settings)
    monkeypatch.setattr(made, "_child", child)
    yield made
    made.close()


@pytest.fixture
def person(here):
    return create_user(here, "onco", "a long password", Role.ONCOLOGIST)


def test_an_image_is_read_whole_and_in_a_box(at_desk, person):
    opened = at_desk.open_file(person, png(PICTURE), "view.png")
    assert (opened.modality, opened.image.rows, opened.image.columns) == ("MG", 640, 480)
    whole = at_desk.whole(opened)
    # The shipped models know films, and a drawn breast is none.
    assert (whole.answer["tumour"], whole.answer["density"]) == (None, None)
    assert {whole.answer[key]["level"] for key in ("trust", "density_trust")} == {"withheld"}
    assert set(whole.answer["untrusted"]["tumour"]) == {"normal", "benign", "malignant"}
    assert set(whole.answer["untrusted"]["density"]) == set("ABCD")
    rows, columns = whole.heat_shape
    assert len(whole.heat) == rows * columns
    region = at_desk.region(opened, BOX)
    assert region.answer["density"] is None
    # A classifier of regions speaks where one is shipped; the encoder's word on a region is doubted aloud.
    speaks = {one["task"]: one for one in region.answer["spoke"]}["finding"]
    assert (speaks["reads"] == "region") or "not calibrated" in speaks["doubt"]
    assert region.answer["untrusted"]["tumour"] != whole.answer["untrusted"]["tumour"]


def test_the_heat_map_covers_the_breast_of_a_mirrored_view_mirrored(at_desk, person):
    left = at_desk.open_file(person, png(PICTURE), "l.png")
    right = at_desk.open_file(person, png(np.ascontiguousarray(PICTURE[:, ::-1])), "r.png")
    x0, _, x1, _ = at_desk.whole(left).heat_corners
    assert x0 < x1
    x0, _, x1, _ = at_desk.whole(right).heat_corners
    assert x0 > x1


def test_preprocessing_changes_the_picture_and_keeps_air_black(at_desk, person):
    opened = at_desk.open_file(person, dicom(PICTURE), "view.dcm")
    header, plain = open_rendition(at_desk.picture(opened))
    seen = {}
    for step in ("normalise", "denoise", "clahe", "sharpen"):
        changed, pixels = open_rendition(at_desk.picture(opened, [step]))
        assert (changed["source_rows"], pixels.shape) == (header["source_rows"], plain.shape)
        seen[step] = pixels
    assert not np.array_equal(seen["clahe"], seen["denoise"])
    assert not np.array_equal(seen["sharpen"], seen["denoise"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"no picture", "unsupported_format"),
        (png(PICTURE)[:400], "truncated"),
        (png(np.random.default_rng(0).integers(0, 4095, (300, 300)).astype(np.uint16)), "not_a_breast_image"),
        (png(np.zeros((300, 300), np.uint16)), "not_a_breast_image"),
        (dicom(PICTURE, Modality="MR"), "not_a_breast_image"),
    ],
    ids=["empty", "text", "truncated", "noise", "black", "MR"],
)
def test_what_cannot_be_read_gets_its_reason_and_the_desk_goes_on(at_desk, person, data, reason):
    with pytest.raises(Refusal) as caught:
        at_desk.open_file(person, data, "file")
    assert caught.value.reason == reason
    assert at_desk.open_file(person, png(PICTURE), "next.png")


@pytest.mark.parametrize(
    "box", [(0, 0, 999, 9), (50, 50, 20, 90), (430, 10, 470, 60), (float("nan"), 0, 1, 1)]
)
def test_a_wrong_box_gets_a_sentence(at_desk, person, box):
    opened = at_desk.open_file(person, png(PICTURE), "view.png")
    with pytest.raises(BoxRefused, match=r"outside|empty|no breast"):
        at_desk.region(opened, box)


def test_only_who_opened_an_image_may_ask_about_it(here, at_desk, person):
    opened = at_desk.open_file(person, png(PICTURE), "view.png")
    other = create_user(here, "other", "a long password", Role.ONCOLOGIST)
    assert at_desk.find(person, opened.token) is opened
    for who, token in ((other, opened.token), (person, "guessed")):
        with pytest.raises(LookupError, match="Open it again"):
            at_desk.find(who, token)


def test_an_analyst_opens_nothing(here, at_desk):
    analyst = create_user(here, "ana", "a long password", Role.ANALYST)
    with pytest.raises(AccessDenied):
        at_desk.open_file(analyst, png(PICTURE), "view.png")
    with pytest.raises(AccessDenied):
        at_desk.open_stored(here, analyst, "1.2.3")


def test_a_persons_oldest_image_makes_room(at_desk, person):
    first = at_desk.open_file(person, png(PICTURE), "0.png")
    for number in range(desk.MOST_OPEN_A_PERSON):
        at_desk.open_file(person, png(PICTURE), f"{number}.png")
    with pytest.raises(LookupError):
        at_desk.find(person, first.token)


def test_a_stored_image_is_opened_by_its_uid(here, at_desk, person):
    data = dicom(PICTURE)
    take_in(here, [IncomingFile("a.dcm", data)], statement=Statement("7", date(2024, 5, 1)), source="web")
    with here.database.read() as session:
        image = session.scalars(select(Image)).one()
    opened = at_desk.open_stored(here, person, image.sop_uid)
    assert (opened.sha256, opened.name) == (image.sha256, "L CC")
    assert at_desk.open_file(person, data, "again.dcm").sha256 == image.sha256
    with pytest.raises(KeyError):
        at_desk.open_stored(here, person, "no such")


def test_the_other_breast_of_a_kept_study_is_put_on_the_desk_when_it_is_needed(here, at_desk, child, person):
    files = [IncomingFile(f"{side}.png", png(breast(side, rows=640, columns=480))) for side in "LR"]
    views = {"L.png": ("L", "MLO"), "R.png": ("R", "MLO")}
    take_in(here, files, statement=Statement("7", date(2024, 5, 1), views=views), source="web")
    with here.database.read() as session:
        image = session.scalar(select(Image).where(Image.source_name == "L.png"))
    opened = at_desk.open_stored(here, person, image.sop_uid)
    assert opened.other.shows == "R MLO"
    whole = at_desk.whole(opened)
    assert child.asked == ["open", "whole", "open", "whole"]
    # Drawn breasts are no films: what the model does not know, it does not put together.
    assert whole.answer["beside"] is None
    child.close()
    assert at_desk.whole(opened).answer["untrusted"] == whole.answer["untrusted"]


def test_a_process_that_died_is_replaced_and_the_image_handed_to_it_again(at_desk, child, person):
    opened = at_desk.open_file(person, png(PICTURE), "view.png")
    said = at_desk.region(opened, BOX).answer["tumour"]
    child.dies = True
    with pytest.raises(DeskClosed, match="once more"):
        at_desk.region(opened, BOX)
    child.dies = False
    assert not at_desk.is_warm
    assert at_desk.region(opened, BOX).answer["tumour"] == pytest.approx(said)
    assert child.asked[-3:] == ["region", "open", "region"]


def test_an_idle_process_is_stopped(at_desk, child, person, monkeypatch):
    at_desk.open_file(person, png(PICTURE), "view.png")
    monkeypatch.setattr(desk, "IDLE_SECONDS", 0.0)
    at_desk._watch_idle()
    assert not child.runs


UNPREPARED = """
from core.desk import process
process.Desk.warm_up = lambda _desk: None
process.main()
"""


@pytest.mark.slow
def test_the_real_process_answers_and_is_replaced_when_it_is_killed(tmp_path, here, tiny_model, person):
    at_desk = Desk(Settings(model=str(tiny_model), home=tmp_path, _env_file=None))
    try:
        opened = at_desk.open_file(person, png(PICTURE), "view.png")
        assert at_desk.is_warm
        assert set(at_desk.whole(opened).answer["untrusted"]["density"]) == set("ABCD")
        picture = at_desk.picture(opened)
        os.kill(at_desk._child.process.pid, signal.SIGKILL)
        at_desk._child.process.wait()
        # The other one shows pictures too, before it has run every network once, which takes it ten seconds.
        at_desk._child._arguments[:2] = ["-c", UNPREPARED]
        assert at_desk.picture(opened) == picture
    finally:
        at_desk.close()
    assert not at_desk.is_warm
