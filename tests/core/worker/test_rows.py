"""What is kept of a study's images and scores comes back as it was."""

from datetime import date

import numpy as np
from sqlalchemy import select

from core.worker.rows import images_waiting, stored_readings
from core.worker.scoring import Scorer
from db.tables import Image, Study
from tests.core.worker.test_scoring import add_visit, model

__all__ = ["model"]  # a fixture


def test_stored_readings_give_back_what_the_encoder_saw(here, model):
    add_visit(here, date(2024, 1, 1))
    scorer = Scorer(here, model)
    with here.database.read() as session:
        image = session.scalars(select(Image)).first()
    fresh = scorer._readings([image])[image.id]
    stored = stored_readings(here, [image.id], model.card.encoder_sha256)[image.id]
    assert stored_readings(here, [image.id], "0" * 64) == {}
    scorer.close()
    for name in ("vector", "density", "finding", "heat_map"):
        assert np.array_equal(getattr(fresh, name), getattr(stored, name)), name


def test_images_wait_in_the_order_in_which_their_studies_are_taken(here):
    for mrn in ("MRN-1", "MRN-2"):
        for year in (2024, 2020):
            add_visit(here, date(year, 1, 1), views=("L-CC",), mrn=mrn)
    with here.database.read() as session:
        studies = {image.id: image.study for image in session.scalars(select(Image))}
        order = [studies[image.id] for image in images_waiting(here, "0" * 64)]
        named = [(study.patient.mrn, study.study_date.year) for study in order]
        assert len(session.scalars(select(Study)).all()) == 4
    assert named == [("MRN-2", 2020), ("MRN-2", 2024), ("MRN-1", 2020), ("MRN-1", 2024)]
