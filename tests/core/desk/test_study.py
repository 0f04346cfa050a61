"""The films of one study, sent or kept, read at the desk beside each other, as the command line reads them."""

from datetime import date

import cv2
import numpy as np
import pytest
from sqlalchemy import select

from core.desk.desk import Desk
from core.desk.other_breast import ViewNotSaid
from core.desk.study import FilmOfStudy, films_kept, read_together
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.people.accounts import Role, create_user
from core.people.roles import AccessDenied
from core.settings import Settings
from db.tables import Study
from models.classifier.both_breasts import BothBreasts
from models.store import registry
from tests.core.desk.test_classify import draw_breast, image_model
from tests.core.desk.test_desk import InThisProcess

LEFT = cv2.imencode(".png", draw_breast())[1].tobytes()
RIGHT = cv2.imencode(".png", np.ascontiguousarray(draw_breast()[:, ::-1] // 2))[1].tobytes()


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    """What answers at the desk, with one model, that puts breasts together."""
    weights = tmp_path_factory.mktemp("weights")
    model = image_model("tumour-x", classes=("normal", "benign", "malignant"))
    model.both = BothBreasts(1.0, -0.5)
    model.save(weights / "tumour-x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "WEIGHTS", weights)
        yield InThisProcess(Settings(model=str(weights / "none"), _env_file=None))


@pytest.fixture
def at_desk(here, child, monkeypatch):
    child.close()
    made = Desk(here.settings)
    monkeypatch.setattr(made, "_child", child)
    yield made
    made.close()


@pytest.fixture
def person(here):
    return create_user(here, "onco", "a long password", Role.ONCOLOGIST)


def film(name, data, view=None):
    return FilmOfStudy(name, lambda: data, view)


def shares(said):
    return np.array([said["tumour"][name] for name in ("normal", "benign", "malignant")])


def test_films_that_are_sent_are_read_beside_each_other(at_desk, person):
    own, other = (
        at_desk.classify(person, data, "film.png", None, "tumour-x").answer for data in (LEFT, RIGHT)
    )
    opened = at_desk.open_file(person, LEFT, "on her own desk.png")
    sent = [film("one.png", LEFT, ("L", "MLO")), film("R-MLO.png", RIGHT), film("notes.txt", b"no image")]
    together = read_together(at_desk, person, sent, "tumour-x")
    assert [one["path"] for one in together] == ["one.png", "R-MLO.png", "notes.txt"]
    assert [one["beside"] for one in together] == ["R-MLO.png", "one.png", None]
    assert [one["refused"] for one in together] == [None, None, "unsupported_format"]
    expected = shares(own) / np.sqrt(shares(other))
    np.testing.assert_allclose(shares(together[0]), expected / expected.sum(), rtol=1e-4)
    assert at_desk.find(person, opened.token) is opened, "what a person has open stays open"
    alone = read_together(at_desk, person, [film("R-MLO.png", RIGHT)], "tumour-x")
    assert alone[0]["beside"] is None


def test_a_film_whose_view_nobody_says_is_asked_about(here, at_desk, person):
    with pytest.raises(ViewNotSaid, match=r"one\.png=L-MLO"):
        read_together(at_desk, person, [film("one.png", LEFT), film("R-MLO.png", RIGHT)], "tumour-x")
    analyst = create_user(here, "ana", "a long password", Role.ANALYST)
    with pytest.raises(AccessDenied):
        read_together(at_desk, analyst, [film("R-MLO.png", RIGHT)])
    with pytest.raises(AccessDenied):
        films_kept(here, analyst, "2.25.1")


def test_films_of_a_kept_study_are_read_by_what_the_record_says_of_them(here, at_desk, person):
    files = [IncomingFile("one.png", LEFT), IncomingFile("two.png", RIGHT)]
    views = {"one.png": ("L", "MLO"), "two.png": ("R", "MLO")}
    take_in(here, files, statement=Statement("7", date(2024, 5, 1), views=views), source="web")
    with here.database.read() as session:
        uid = session.scalars(select(Study.uid)).one()
    kept = films_kept(here, person, uid)
    together = read_together(at_desk, person, kept, "tumour-x")
    names = [one.name for one in kept]
    assert [one["path"] for one in together] == names
    assert [one["beside"] for one in together] == names[::-1]
    sent = [film("one.png", LEFT, ("L", "MLO")), film("two.png", RIGHT, ("R", "MLO"))]
    for one, other in zip(together, read_together(at_desk, person, sent, "tumour-x"), strict=True):
        np.testing.assert_allclose(shares(one), shares(other), rtol=1e-4)
    assert films_kept(here, person, "2.25.1") == []
