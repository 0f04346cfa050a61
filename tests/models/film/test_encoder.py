import numpy as np
import pytest

from models.film.encoder import (
    LOWEST,
    FilmHeads,
    build_film_encoder,
    build_tail,
    build_trunk,
    channels_of,
    give_heads,
    load_film_encoder,
    no_heads,
    save_film_encoder,
)
from models.film.maps import build_backbones
from models.longitudinal.explanation import randomised
from models.store import rounded, save_weights

SHAPE = (96, 48)


@pytest.fixture(scope="module")
def trunk():
    """A trunk of networks that have been rounded to eight bits already, as the shipped ones have."""
    backbones = build_backbones()
    for network in backbones.values():
        network.set_weights(rounded(network.get_weights()))
    return build_trunk(backbones, SHAPE)


@pytest.fixture(scope="module")
def heads(trunk):
    random = np.random.default_rng(0)
    channels = channels_of(trunk)
    return FilmHeads(
        *(
            (random.normal(0, 0.1, (channels, wide)).astype(np.float32), random.normal(size=wide).astype(np.float32))
            for wide in (3, 16, 4)
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def views():
    views = np.random.default_rng(1).uniform(0.1, 1, (2, *SHAPE, 1)).astype(np.float32)
    views[:, :, 32:] = 0
    return views


@pytest.fixture(scope="module")
def said(trunk, heads, views):
    encoder = build_film_encoder(trunk, heads)
    return encoder, {key: np.asarray(value) for key, value in encoder.predict_on_batch(views).items()}


def test_outside_the_breast_nothing_is_found(said):
    lesion = said[1]["lesion"]
    assert lesion.shape == (2, 6, 3, 2)
    assert (lesion[:, :, 2] == LOWEST).all()
    assert (lesion[:, :, :2] > LOWEST).any()


def test_the_tail_says_what_the_encoder_says(trunk, heads, views, said):
    tail = build_tail(no_heads(channels_of(trunk)), SHAPE)
    give_heads(tail, heads)
    cells = trunk.predict_on_batch(views)
    again = tail.predict_on_batch({"view": views, "cells": cells})
    for key, value in said[1].items():
        np.testing.assert_allclose(again[key], value, atol=1e-4)


def test_an_encoder_is_kept_in_eight_bits_and_says_the_same(said, views, tmp_path):
    save_film_encoder(said[0], tmp_path / "encoder.npz")
    loaded = load_film_encoder(tmp_path / "encoder.npz", SHAPE)
    again = loaded.predict_on_batch(views)
    for key, value in said[1].items():
        np.testing.assert_allclose(again[key], value, rtol=1e-3, atol=1e-3)


def test_drawn_anew_it_is_the_same_network_and_says_something_else(said, views):
    encoder, answers = said
    other = randomised(encoder, 0)
    assert [weight.shape for weight in other.get_weights()] == [
        weight.shape for weight in encoder.get_weights()
    ]
    assert not np.allclose(np.asarray(other.predict_on_batch(views)["lesion"]), answers["lesion"])


def test_an_encoder_of_other_networks_is_refused_in_words(tmp_path):
    save_weights(tmp_path / "encoder.npz", [np.zeros((3, 3, 1, 8), np.float32)])
    with pytest.raises(ValueError, match=r"other networks.*Train it anew"):
        load_film_encoder(tmp_path / "encoder.npz", SHAPE)
