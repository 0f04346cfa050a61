"""Where a heat map has risen or fallen since the prior: the same place in both pictures, whichever way they hang."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pytest
from sqlalchemy import select

from core.images import NotAligned, Registration
from core.images.registration.mapping import NODES, even_nodes
from core.installation import Installation
from core.records.changes import CROP_MM, ChangedPlace, changed_places
from core.records.record import record_of
from db.tables import Embedding, Image, Study
from models.view import ViewTransform
from tests import factories
from tests.factories import COLUMNS, ROWS, VisitPlan

SCALE = 0.8
Hot = tuple[int, int, float]
"""Row and column of a cell and how hot it and its neighbours are."""


def heat_map(*hot: Hot) -> np.ndarray:
    heat = np.full((32, 26), 0.02, np.float32)
    for row, column, value in hot:
        heat[row - 1 : row + 2, column - 1 : column + 2] = value
    return heat.astype("<f2")


def see(here: Installation, maps: Mapping[tuple[int, str], np.ndarray], encoder: str = "e") -> None:
    """Keep what an encoder saw: by visit (0, 1) and view, as R-CC."""
    with here.database.write() as session:
        studies = session.scalars(select(Study.id).order_by(Study.study_date)).all()
        for (visit, code), heat in maps.items():
            side, view = code.split("-")
            image = session.scalars(
                select(Image).where(
                    Image.study_id == studies[visit], Image.laterality == side, Image.view == view
                )
            ).one()
            flipped = side == "R"
            transform = ViewTransform(flipped, 0, 0, COLUMNS, ROWS, SCALE, COLUMNS)
            session.add(
                Embedding(
                    image_id=image.id,
                    encoder_sha256=encoder,
                    dimensions=1,
                    vector=b"\0\0\0\0",
                    heat_map=heat.tobytes(),
                    heat_map_shape=list(heat.shape),
                    transform=transform.to_json(),
                    finding={},
                    density={},
                )
            )


def found(here: Installation, rose: Mapping[str, bool]) -> dict[str, ChangedPlace]:
    record = record_of(here, "1")
    assert record is not None
    prior, now = record.visits
    return changed_places(here, prior.images, now.images, rose)


@pytest.fixture
def two_visits(here: Installation) -> Installation:
    factories.woman(here, "1", [VisitPlan(date(2020, 1, 1)), VisitPlan(date(2022, 1, 1))])
    return here


FAINT, ODD, HOT = heat_map(), heat_map((20, 8, 0.2)), heat_map((10, 5, 0.9))


@pytest.mark.parametrize("side", ["L", "R"])
def test_the_crops_show_the_place_that_has_risen_in_the_view_that_shows_it_most(
    two_visits, side: str
) -> None:
    see(
        two_visits,
        {
            (0, f"{side}-CC"): FAINT,
            (1, f"{side}-CC"): ODD,
            (0, f"{side}-MLO"): FAINT,
            (1, f"{side}-MLO"): HOT,
        },
    )
    place = found(two_visits, {side: True})[side]
    assert place.view.code == f"{side}-MLO"
    assert place.change > 0
    # The cell's middle in network pixels, and from there in the picture's own: mirrored for the right breast.
    x, y = 5.5 * 16 / SCALE, 10.5 * 16 / SCALE
    x = COLUMNS - x if side == "R" else x
    for crop in (place.prior, place.now):
        left, top, right, bottom = crop.box
        assert left <= x <= right
        assert top <= y <= bottom
        assert 0 <= left < right <= COLUMNS
        assert 0 <= top < bottom <= ROWS
        assert (right - left) * 0.28 == pytest.approx(CROP_MM, abs=0.5)


def test_what_fell_is_found_where_it_was(two_visits) -> None:
    see(two_visits, {(0, "L-CC"): HOT, (1, "L-CC"): ODD})
    assert found(two_visits, {"L": False})["L"].change < 0
    risen = found(two_visits, {"L": True})["L"]
    assert risen.now.box != found(two_visits, {"L": False})["L"].now.box


@pytest.mark.parametrize(
    "maps",
    [
        {},
        {(1, "L-CC"): HOT},
        {(0, "L-CC"): FAINT, (1, "L-MLO"): HOT},
        {(0, "L-CC"): HOT, (1, "L-CC"): HOT},
        {(0, "L-CC"): HOT[:16], (1, "L-CC"): FAINT},
    ],
    ids=["none seen", "prior not seen", "no view in common", "nothing changed", "maps of two sizes"],
)
def test_a_breast_that_cannot_be_set_beside_itself_has_no_place(two_visits, maps) -> None:
    see(two_visits, maps)
    assert found(two_visits, {"L": True, "R": True}) == {}


def test_maps_of_two_encoders_are_not_compared(two_visits) -> None:
    see(two_visits, {(0, "L-CC"): FAINT}, encoder="one")
    see(two_visits, {(1, "L-CC"): HOT}, encoder="other")
    assert found(two_visits, {"L": True}) == {}
    see(two_visits, {(0, "L-CC"): FAINT}, encoder="other")
    assert set(found(two_visits, {"L": True})) == {"L"}


def test_a_breast_that_is_not_asked_for_is_not_shown(two_visits) -> None:
    see(two_visits, {(0, "L-CC"): FAINT, (1, "L-CC"): HOT})
    assert found(two_visits, {"R": True}) == {}


def laid_by(shift: float, quality: float) -> Registration:
    """Return a registration by which the prior shows everything so many pixels further right."""
    x, y = even_nodes((ROWS, COLUMNS)).T.reshape(2, NODES, NODES)
    return Registration((ROWS, COLUMNS), (ROWS, COLUMNS), x + shift, y, quality)


@pytest.mark.parametrize(("quality", "registered"), [(0.9, True), (0.2, False)])
def test_the_priors_crop_is_moved_where_the_two_are_registered_well_only(
    two_visits, monkeypatch, quality, registered
) -> None:
    see(two_visits, {(0, "L-CC"): FAINT, (1, "L-CC"): ODD})
    monkeypatch.setattr("core.records.changes.aligned", lambda *_: laid_by(37, quality))
    place = found(two_visits, {"L": True})["L"]
    assert place.registered is registered
    now, prior = np.array(place.now.box), np.array(place.prior.box)
    assert prior - now == pytest.approx([37, 0, 37, 0] if registered else [0, 0, 0, 0], abs=1)


def test_crops_are_shown_unregistered_where_the_pictures_are_away(two_visits, monkeypatch) -> None:
    def away(*_: object) -> Registration:
        raise NotAligned

    see(two_visits, {(0, "L-CC"): FAINT, (1, "L-CC"): ODD})
    monkeypatch.setattr("core.records.changes.aligned", away)
    place = found(two_visits, {"L": True})["L"]
    assert (place.registered, place.being_aligned) == (False, False)


def test_crops_are_shown_at_once_while_they_are_being_registered(two_visits, monkeypatch) -> None:
    see(two_visits, {(0, "L-CC"): FAINT, (1, "L-CC"): ODD})
    monkeypatch.setattr("core.records.changes.aligned", lambda *_: None)
    place = found(two_visits, {"L": True})["L"]
    assert (place.registered, place.being_aligned) == (False, True)
