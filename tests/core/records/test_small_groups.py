"""No cell of few women is told, and none can be worked out from the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import small_groups
from core.records.small_groups import SMALLEST_GROUP, joined

COUNTS = st.lists(st.integers(0, 12), max_size=12)


@given(COUNTS)
def test_joined_cells_hold_nobody_or_five_women_and_more_and_together_everybody(counts: list[int]) -> None:
    runs = joined(counts)
    if 0 < sum(counts) < SMALLEST_GROUP:
        assert runs == []
        return
    assert [place for run in runs for place in run] == list(range(len(counts)))
    assert all(not small_groups.is_small(sum(counts[place] for place in run)) for run in runs)


@given(st.lists(st.sampled_from([0, 5, 6, 40]), max_size=12))
def test_cells_without_a_few_women_stay_as_they_are(counts: list[int]) -> None:
    assert joined(counts) == [range(place, place + 1) for place in range(len(counts))]


@pytest.mark.parametrize(
    ("counts", "runs"),
    [
        ([6, 2, 0, 4, 9, 1], [range(0, 1), range(1, 4), range(4, 6)]),
        ([5, 0, 0, 2, 0], [range(0, 4), range(4, 5)]),
        ([2, 0, 9], [range(0, 3)]),
        ([], []),
        ([4], []),
    ],
)
def test_a_small_cell_joins_its_neighbours(counts: list[int], runs: list[range]) -> None:
    assert joined(counts) == runs


def test_a_group_is_told_of_where_neither_it_nor_the_rest_is_small() -> None:
    assert [women for women in range(13) if small_groups.may_be_told(women, 12)] == [5, 6, 7, 12]
