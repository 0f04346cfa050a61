"""Maps of frozen networks on one grid of cells, and where each cell lies."""

import numpy as np
import pytest

from models.film.maps import Resampled, starting_weights
from models.film.places import PLACES, Places, inside_breast, places


def breast(shape=(192, 144)):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.where((columns / 120) ** 2 + ((rows - 96) / 90) ** 2 < 1, 120, 0).astype(np.uint8)


def test_cells_are_inside_where_most_of_them_shows_breast():
    inside = inside_breast(breast())
    assert inside.shape == (12, 9)
    assert inside[6, 0]
    assert not inside[0, 8]


def test_places_tell_depth_from_skin_and_take_the_chest_wall_for_none():
    said = places(breast())
    assert said.shape == (12, 9, PLACES)
    assert np.isfinite(said).all()
    depth = said[..., 4]
    assert depth[6, 0] == depth[6].max()
    assert depth[6, 0] > depth[6, 5]
    assert np.isfinite(places(np.zeros((192, 144), np.uint8))).all()


@pytest.mark.parametrize(
    ("have", "span"), [((24, 20), (1.0, 20 / 19.5)), ((8, 6), (1.0, 1.0)), ((12, 9), (1.0, 1.0))]
)
def test_resampling_keeps_what_is_even_and_where_what_rises_is_high(have, span):
    layer = Resampled((12, 9), span)
    even = np.ones((1, *have, 1), np.float32)
    assert np.asarray(layer(even)) == pytest.approx(1)
    rising = np.arange(have[0], dtype=np.float32)[None, :, None, None] * np.ones((1, *have, 1), np.float32)
    said = np.asarray(layer(rising))[0, :, 0, 0]
    assert (np.diff(said) >= -1e-6).all()
    assert said.mean() == pytest.approx((have[0] - 1) / 2, abs=0.1)


def test_networks_that_are_not_there_are_named(tmp_path):
    with pytest.raises(LookupError, match=r"holds no lite0\.npz or efficientnet-lite0"):
        starting_weights(str(tmp_path))
    with pytest.raises(LookupError, match="No model is called"):
        starting_weights("nothing")


def test_a_network_says_of_places_what_heads_learned_of_them():
    films = np.stack([breast(), np.roll(breast(), -40, axis=0), np.flipud(breast()[:, ::-1])])
    said = np.asarray(Places()(films[..., None].astype(np.float32) / 255))
    assert said.shape == (3, 12, 9, PLACES)
    for film, mine in zip(films, said, strict=True):
        inside = inside_breast(film)
        assert np.abs(mine - places(film))[inside].max() < 0.05
