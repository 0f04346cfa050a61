"""A film read beside the same view of the other breast: files that are one study, and images of a study that is kept."""

import json
from datetime import date

import cv2
import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from core.__main__ import app
from core.desk.other_breast import kept_other_breast
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.rules.vocabulary import OTHER_THAN_STANDARD
from db.tables import Image
from models.classifier.both_breasts import BothBreasts
from models.store import registry
from tests.core.desk.test_classify import draw_breast, image_model
from tests.pictures import breast, png

VIEWS = ["--views", "one.png=L-MLO", "--views", "two.png=R-MLO"]


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Films of both breasts, and one model, that puts breasts together."""
    cv2.imwrite(str(tmp_path / "one.png"), draw_breast())
    cv2.imwrite(str(tmp_path / "two.png"), np.ascontiguousarray(draw_breast()[:, ::-1] // 2))
    model = image_model("tumour-x", classes=("normal", "benign", "malignant"))
    model.both = BothBreasts(1.0, -0.5)
    model.save(tmp_path / "tumour-x")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    return tmp_path


def classify(folder, *names, options=()):
    paths = [str(folder / name) for name in names]
    return CliRunner().invoke(app, ["classify", *paths, "--model", str(folder / "tumour-x"), *options])


def test_the_films_of_a_study_are_read_beside_each_other_and_alone_as_ever(folder):
    alone = json.loads(classify(folder, "one.png", "two.png", options=["--json"]).stdout)
    result = classify(folder, "one.png", "two.png", options=["--study", *VIEWS, "--json"])
    assert result.exit_code == 0, result.output
    together = json.loads(result.stdout)
    assert [one["beside"] for one in alone] == [None, None]
    assert [one["beside"] for one in together] == [str(folder / "two.png"), str(folder / "one.png")]
    own, other, both = (
        np.array([one["tumour"][name] for name in ("normal", "benign", "malignant")])
        for one in (alone[0], alone[1], together[0])
    )
    expected = own / np.sqrt(other)
    np.testing.assert_allclose(both, expected / expected.sum(), rtol=1e-4)
    assert together[0]["spoke"][0]["reads"] == "image beside the other breast"
    told = classify(folder, "one.png", "two.png", options=["--study", *VIEWS]).stdout
    assert "read together with" in " ".join(told.split())


def test_without_the_other_breast_a_film_of_a_study_is_read_alone(folder):
    (item,) = json.loads(
        classify(folder, "one.png", options=["--study", "--views", "one.png=L-MLO", "--json"]).stdout
    )
    (alone,) = json.loads(classify(folder, "one.png", options=["--json"]).stdout)
    assert item["beside"] is None
    assert item["tumour"] == alone["tumour"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--study"], "one.png does not say which view of which breast it is. Say it: --views one.png=L-MLO"),
        (["--study", "--views", "one.png=X-MLO"], "is not NAME=SIDE-VIEW"),
        (["--study", "--views", "L-MLO"], "is not NAME=SIDE-VIEW"),
        (["--views", "one.png=L-MLO"], "give --study too"),
        (["--study", "--roi", "1,2,30,40"], "not both"),
    ],
)
def test_wrong_wishes_get_a_sentence_and_exit_2(folder, options, says):
    result = classify(folder, "one.png", options=options)
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.stderr.split())


def test_of_a_kept_study_the_other_breast_is_the_same_view_of_the_same_day(here):
    files = [IncomingFile(f"{side}.png", png(breast(side, seed=seed))) for seed, side in enumerate("LR")]
    views = {"L.png": ("L", "MLO"), "R.png": ("R", "MLO")}
    take_in(here, files, statement=Statement("P1", date(2024, 1, 2), views=views), source="web")
    with here.database.read() as session:
        left, right = (
            session.scalar(select(Image).where(Image.source_name == name)) for name in ("L.png", "R.png")
        )
        assert kept_other_breast(session, left).id == right.id
        assert kept_other_breast(session, right).id == left.id
        # One that shows a part, or is magnified, is no mirror of a whole breast, nor is a whole one of it.
        right.quality_flags = [next(iter(OTHER_THAN_STANDARD)).value]
        assert kept_other_breast(session, left) is None
        assert kept_other_breast(session, right) is None
        session.rollback()
