"""What a lesion map says of a box."""

import keras
import numpy as np
import pytest

from models.classifier.lesions import (
    LESION_FACTS,
    build_lesion_reader,
    lesion_facts,
    load_encoder,
)
from models.classifier.preprocess import AROUND
from models.view.encoder import EncoderConfig, build_encoder


class Says:
    """Stands for a reader that sees the same in every view."""

    def __init__(self, lesion, size):
        self.lesion, self.size = lesion, size

    def predict_on_batch(self, views):
        return {key: np.repeat(getattr(self, key)[None], len(views), axis=0) for key in ("lesion", "size")}


def test_facts_are_of_the_cells_that_the_box_touches():
    high, wide = AROUND[0] // 16, AROUND[1] // 16
    lesion, size = np.full((high, wide, 2), -4.0, np.float32), np.full((high, wide, 1), 3.0, np.float32)
    lesion[5, 6], size[5, 6] = (-1.0, 2.0), 4.0
    lesion[9, 9] = (9.0, 9.0)  # outside the box
    around = np.zeros((1, *AROUND, 2), np.uint8)
    around[0, 4 * 16 : 5 * 16 + 3, 5 * 16 : 6 * 16 + 3, 1] = 1
    (facts,) = lesion_facts(Says(lesion, size), around)
    assert facts.shape == (LESION_FACTS,)
    assert facts[[0, 1, 3, 6]] == pytest.approx([-1, 2, 3, 4])
    assert facts[2] == pytest.approx(np.logaddexp(-1.0, 2.0))
    assert facts[5] == pytest.approx((2 - 4 * 3) / 4)


def test_a_reader_sees_what_the_encoder_sees(tmp_path):
    keras.utils.set_random_seed(0)
    encoder = build_encoder(EncoderConfig(shape=(64, 64)))
    encoder.save(tmp_path / "encoder.keras")
    reader = build_lesion_reader(str(tmp_path / "encoder.keras"))
    view = np.random.default_rng(0).random((1, *AROUND, 1), np.float32)
    whole = build_encoder(EncoderConfig(shape=AROUND))
    whole.set_weights(encoder.get_weights())
    seen, wanted = reader.predict_on_batch(view), whole.predict_on_batch(view)
    # Its weights are rounded to 8 bits.
    apart = np.abs(np.asarray(seen["lesion"]) - np.asarray(wanted["lesion"]))
    assert apart.mean() < 0.1 * np.asarray(wanted["lesion"]).std()


def test_what_is_no_encoder_is_refused_in_words(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="no lesion map"):
        load_encoder(str(tmp_path / "other.keras"))
    with pytest.raises(LookupError, match="No model is called"):
        load_encoder("nothing")
