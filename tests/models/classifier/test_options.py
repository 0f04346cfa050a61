"""Names of heads, regions and steps: as files and the command line know them, and each with what it stands for."""

import json

import pytest

from models.classifier.features import ZONES
from models.classifier.model import HEADS
from models.classifier.network import ImageConfig
from models.classifier.options import HeadName, Region, Step, head_called, region_called, step_called
from models.classifier.preprocess import ImageInput


def test_names_are_those_of_saved_files():
    assert list(HeadName) == ["dense", "kernel", "detector"]
    assert list(Region) == ["image", "breast", "box"]
    assert list(Step) == ["normalise", "denoise", "clahe", "sharpen"]


def test_every_name_has_what_it_stands_for():
    assert {name: head.name for name, head in HEADS.items()} == {name: name for name in HeadName}
    assert set(ZONES) == set(Region)


@pytest.mark.parametrize("called", [head_called, region_called, step_called])
def test_an_unknown_name_is_answered_with_the_known_ones(called):
    with pytest.raises(ValueError, match=r"'magic'\. There are: \w+, \w+"):
        called("magic")


def test_a_configuration_is_read_back_as_it_was_written_and_from_before_there_were_heads():
    config = ImageConfig(
        ("a", "b"),
        ImageInput((64, 32), Region.BOX, (Step.CLAHE,), True),
        head=HeadName.KERNEL,
        beside="compact",
        beside_shape=(32, 32),
    )
    written = json.loads(json.dumps(config.to_json()))
    assert ImageConfig.from_json(written) == config
    assert (written["head"], written["input"]["region"]) == ("kernel", "box")
    for name in ("head", "mirror", "turns", "outline", "beside", "beside_shape"):
        del written[name]
    assert ImageConfig.from_json(written).head is HeadName.DENSE
