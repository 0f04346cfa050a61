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
from models.store import rounded

SHAPE = (96, 64)


@pytest.fixture(scope="module")
def trunk():
    """A trunk that has been rounded to eight bits already, as the shipped one has."""
    trunk = build_trunk(shape=SHAPE)
    trunk.set_weights(rounded(trunk.get_weights()))
    return trunk


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
    views[:, :, 48:] = 0
    return views


@pytest.fixture(scope="module")
def said(trunk, heads, views):
    encoder = build_film_encoder(trunk, heads)
    return encoder, {key: np.asarray(value) for key, value in encoder.predict_on_batch(views).items()}


def test_outside_the_breast_nothing_is_found(said):
    lesion = said[1]["lesion"]
    assert lesion.shape == (2, 6, 4, 2)
    assert (lesion[:, :, 3] == LOWEST).all()
    assert (lesion[:, :, :3] > LOWEST).any()


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
