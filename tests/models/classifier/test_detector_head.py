"""A detector as a head: classes that join findings, boxes around what it sees, heat that is highest there."""

import numpy as np
import pytest

from models.classifier.detector_head import DetectorHead, heat_of, marks_of, parts_of
from models.film import FilmReading


def reading():
    lesion = np.full((12, 9), -8.0, np.float32)
    lesion[4:6, 3:5] = 1.0
    lesion[4, 3] = 1.5
    lesion[10, 1] = 1.2
    return FilmReading(lesion, lesion - 1)


def test_joined_classes_hold_what_their_parts_hold():
    logits = reading().logits
    head = DetectorHead.__new__(DetectorHead)
    head.config = type("Config", (), {"classes": ("normal", "benign+malignant")})
    (joined,) = head.joined([logits])
    assert joined == pytest.approx([logits[0], np.logaddexp(logits[1], logits[2])])


@pytest.mark.parametrize("classes", [("A", "B"), ("benign", "malignant"), ("normal", "benign", "benign")])
def test_other_classes_are_refused_in_words(classes):
    with pytest.raises(ValueError, match="tells normal, benign, malignant apart"):
        parts_of(classes)


def test_the_heat_map_is_highest_where_a_lesion_is_seen_and_the_boxes_lie_there():
    heat = heat_of(reading())
    assert np.unravel_index(heat.argmax(), heat.shape) == (4, 3)
    assert (heat.max(), heat.min() < 0.01) == (1, True)
    first, second = marks_of(reading())
    assert first == (48, 64, 80, 96)
    assert second == (16, 160, 32, 176)
