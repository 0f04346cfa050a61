"""The encoder's file in a model's folder: a network as Keras keeps it, or the weights of a film encoder in eight bits."""

from __future__ import annotations

from pathlib import Path

import keras

from models.film import is_film_encoder, load_film_encoder, save_film_encoder

__all__ = ["encoder_file", "keep_encoder", "kept_encoder"]

KERAS, FILM = "encoder.keras", "encoder.npz"


def encoder_file(folder: Path) -> str:
    """Return the name of the encoder's file in a model's folder."""
    return FILM if (folder / FILM).is_file() else KERAS


def keep_encoder(encoder: keras.Model, folder: Path) -> None:
    """Write an encoder to a model's folder."""
    if is_film_encoder(encoder):
        save_film_encoder(encoder, folder / FILM)
    else:
        encoder.save(folder / KERAS)


def kept_encoder(folder: Path) -> keras.Model:
    """Read what `keep_encoder` wrote, without running code from the file."""
    name = encoder_file(folder)
    if name == FILM:
        return load_film_encoder(folder / FILM)
    return keras.saving.load_model(folder / KERAS, compile=False, safe_mode=True)
