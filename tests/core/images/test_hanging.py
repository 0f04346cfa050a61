"""Which way a view is turned to hang."""

import numpy as np
import pytest

from core.images import hanging
from core.records.patient_record import ViewImage
from tests import factories


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("laterality", ["L", "R"])
def test_the_chest_wall_is_found_and_mirrored_films_are_turned(
    laterality: str, view: str, mirrored: bool
) -> None:
    wall = hanging.chest_wall_side(factories.breast(laterality, view, mirrored=mirrored))
    usual = "left" if laterality == "L" else "right"
    assert (wall == usual) is not mirrored
    assert hanging.is_flipped(laterality, wall) is mirrored


def test_the_whole_breast_hangs_before_parts_of_it_and_what_the_model_reads_before_the_rest() -> None:
    spot, rolled, whole = (
        ViewImage(name, "L", "CC", 10, 10, None, flags, None)
        for name, flags in (("1", ("spot_compression",)), ("2", ("rolled",)), ("3", ("low_contrast",)))
    )
    assert hanging.to_hang([spot, rolled, whole]) is whole
    assert hanging.to_hang([spot, rolled]) is rolled
    assert hanging.to_hang([spot]) is spot
    assert hanging.to_hang([]) is None


@pytest.mark.parametrize(
    "pixels", [np.zeros((64, 64)), np.full((64, 64), 7.0), np.random.default_rng(1).normal(size=(64, 64))]
)
def test_without_a_breast_nothing_is_turned(pixels: np.ndarray) -> None:
    assert hanging.chest_wall_side(pixels) is None
    assert not hanging.is_flipped("R", None)
