import os
from concurrent.futures.process import BrokenProcessPool

import pytest

from seed_data.women.processes import in_order


def _die(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def test_results_come_in_order():
    assert list(in_order(abs, list(range(-40, 0)), 2)) == list(range(40, 0, -1))


def test_a_process_that_dies_is_told_of_and_not_waited_for():
    with pytest.raises(BrokenProcessPool):
        list(in_order(_die, list(range(8)), 2))
