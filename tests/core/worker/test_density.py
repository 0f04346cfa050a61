"""Density of a study that the longitudinal model does not know: said by a model of single views, where one knows it."""

import csv
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.records import export, record_of
from core.records.worklist import rows
from core.rules.vocabulary import DENSE, DENSITIES
from core.worker.queue import queue_everything
from core.worker.scoring import score_pending
from db.tables import Score
from tests.pictures import breast, dicom

ON = date(2024, 3, 1)


@pytest.fixture
def withheld(here):
    """A study of two views that the longitudinal model turns away, whatever it shows."""
    from models.longitudinal import LongitudinalModel

    files = [
        IncomingFile(
            f"{side}.dcm",
            dicom(
                breast(side, seed=3), ImageLaterality=side, ViewPosition="MLO", StudyDate="20240301",
                PatientID="MRN-1", StudyInstanceUID="1.2.3",
            ),
        )
        for side in "LR"
    ]  # fmt: skip
    assert take_in(here, files, statement=None, source="cli").count("accepted") == 2
    model = LongitudinalModel.load(here.settings.model)
    assert model.domain is not None
    model.domain = replace(model.domain, limit=0.0)
    return model


def densities(here) -> list[dict | None]:
    with here.database.read() as session:
        return list(session.scalars(select(Score.density_of_views).order_by(Score.id)))


def knowing_all(monkeypatch):
    """Let the shipped model of single views know every picture, and count what it reads."""
    from models.classifier import ImageModel

    load, read, asked = ImageModel.load, ImageModel.read, []
    monkeypatch.setattr(
        ImageModel,
        "load",
        classmethod(lambda cls, name: _widened(load(name))),
    )
    monkeypatch.setattr(ImageModel, "read", lambda self, images: asked.append(1) or read(self, images))
    return asked


def _widened(model):
    model.domain = replace(model.domain, limit=1e9)
    return model


def test_where_no_model_knows_the_pictures_no_density_is_told(here, withheld):
    (item,) = score_pending(here, model=withheld).items
    assert item.to_json()["density"] == dict.fromkeys(DENSITIES)
    assert densities(here) == [None]
    assert record_of(here, "MRN-1").visits[0].density is None


def test_density_is_told_by_the_model_that_knows_the_pictures_and_nothing_else(
    here, withheld, monkeypatch, tmp_path
):
    asked = knowing_all(monkeypatch)
    (item,) = score_pending(here, model=withheld).items
    said = item.to_json()
    assert said["trust"]["level"] == "withheld"
    assert said["density_by"] == "density-mg"
    # C was never told from D: of either by itself no number is said.
    assert (said["density"]["C"], said["density"]["D"]) == (None, None)
    assert sum(said["density"][name] for name in ("A", "B", "C+D")) == pytest.approx(1, abs=1e-6)
    assert set(said["malignancy"].values()) == {None}
    assert said["untrusted"]["density"] != said["density"]
    (stored,) = densities(here)
    likeliest = max(("A", "B", "C+D"), key=stored["told"].__getitem__)
    visit = record_of(here, "MRN-1").visits[0]
    assert (visit.score, visit.density, visit.density_by) == (None, likeliest, "density-mg")
    assert [row.density for row in rows(here, today=ON)] == [likeliest]
    export.export(here, tmp_path / "out")
    with (tmp_path / "out" / "scores.csv").open(encoding="utf-8-sig") as table:
        (score,) = csv.DictReader(table)
    assert score["density_by"] == "density-mg"
    assert (score["risk_5y"], score["density_c"], score["density_d"]) == ("", "", "")
    told = [float(score[name]) for name in ("density_a", "density_b", "density_c_or_d")]
    assert sum(told) == pytest.approx(1), "what is said of C and D together has a place of its own"
    assert float(score["density_a"]) == said["density"]["A"]
    assert len(asked) == 2
    # Scored anew, the same images are not read again.
    queue_everything(here)
    score_pending(here, model=withheld)
    assert len(asked) == 2
    first, second = densities(here)
    assert first == second


def test_a_classifier_that_is_damaged_delays_no_study(here, withheld, monkeypatch):
    from models.classifier import ImageModel

    def damaged(name):
        raise ValueError("head.npz is not the one that the card vouches for")

    monkeypatch.setattr(ImageModel, "load", damaged)
    (item,) = score_pending(here, model=withheld).items
    assert item.refusal is None
    assert densities(here) == [None]


def test_a_real_film_has_its_density(here, shared_data):
    film = shared_data / "mini_mias" / "mdb003.png"
    who = Statement(mrn="MIAS-3", study_date=ON, views={"film.png": ("L", "MLO")})
    report = take_in(
        here,
        [IncomingFile("film.png", film.read_bytes())],
        statement=who,
        source="cli",
    )
    assert report.count("accepted") == 1, report.items
    (item,) = score_pending(here).items
    assert item.to_json()["trust"]["level"] == "withheld"
    visit = record_of(here, "MIAS-3").visits[0]
    # The film is dense-glandular (tissue D); the model was not measured to tell it from C.
    assert visit.density == DENSE
    assert visit.density_by == "density-mg"
