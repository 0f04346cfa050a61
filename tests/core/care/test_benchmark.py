"""The benchmark measures what it says, on pictures that intake takes."""

from datetime import date

from core.care import benchmark
from core.images.decoding import decode
from db.tables import AuditEntry


def test_its_films_are_as_large_as_it_says_and_taken_for_mammograms():
    data = benchmark.made_up_dicom("R", "MLO", date(2020, 1, 1), benchmark.FILM, seed=1, packed=True)
    image = decode(data, max_pixels=60_000_000)
    assert (image.rows, image.columns) == (4600, 2700)
    assert image.doubt is None
    assert len(data) > 8_000_000, "as heavy as a film"


def test_commits_are_counted_and_kept(here):
    rate = benchmark._commits_per_second(here, seconds=0.05)
    with here.database.read() as session:
        rows = session.query(AuditEntry).count()
    assert rows > 0
    assert rate > 1


def test_four_decoded_films_are_scored_by_the_model(tiny_model):
    from models.longitudinal.model import LongitudinalModel

    assert benchmark._arrays_to_score(LongitudinalModel.load(tiny_model), rounds=1) > 0


def test_small_images_are_all_taken(here):
    assert benchmark._small_import_ms(here, count=2) > 0
    with here.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM image").scalar_one() == 2
