"""RECIST 1.1 by rule: tables that a reader of the criteria would fill in, and what always holds."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.response import LesionSize, Response, responses, target_lesions


def visit(*, nodes: tuple[str, ...] = (), **sizes: float | None) -> list[LesionSize]:
    """Return a visit's lesions by name; those in `nodes` are lymph nodes."""
    return [LesionSize(name, size, name in nodes) for name, size in sizes.items()]


def said(*visits: list[LesionSize]) -> list[str]:
    return [one.response.value for one in responses(visits)]


@pytest.mark.parametrize(
    ("diameters", "expected"),
    [
        # Partial response is against the baseline, at 30 % itself.
        ([100, 70.1, 70], ["baseline", "SD", "PR"]),
        ([30, 21], ["baseline", "PR"]),
        # Progression is against the nadir: by a fifth, and by 5 mm.
        ([50, 60], ["baseline", "PD"]),
        ([50, 59.9], ["baseline", "SD"]),
        ([20, 24.9], ["baseline", "SD"]),
        ([20, 25], ["baseline", "PD"]),
        ([10, 14.9], ["baseline", "SD"]),
        # Far below the baseline, and far above the nadir: progression is asked first.
        ([100, 40, 50], ["baseline", "PR", "PD"]),
        ([100, 40, 47.9], ["baseline", "PR", "PR"]),
        ([100, 20, 24], ["baseline", "PR", "PR"]),
        ([100, 65, 78, 60], ["baseline", "PR", "PD", "PR"]),
        # The nadir is not forgotten, and a greater sum does not move it.
        ([80, 50, 55, 59, 60], ["baseline", "PR", "PR", "SD", "PD"]),
        # Sums of decimal fractions meet their limits.
        ([12.1, 12.1 * 1.5], ["baseline", "PD"]),
        ([33.3, 23.31], ["baseline", "PR"]),
        # Gone is a complete response; seen again after it is progression, however small.
        ([40, 0, 0, 3], ["baseline", "CR", "CR", "PD"]),
        ([40, 5, 0], ["baseline", "PR", "CR"]),
        # Not measured is not nothing.
        ([40, None, 20], ["baseline", "NE", "PR"]),
        ([None, 40, 20], ["NE", "baseline", "PR"]),
        ([None, None], ["NE", "NE"]),
        # Nothing to follow.
        ([9.9, 5, 0], ["baseline", "NE", "CR"]),
        ([0, 0], ["baseline", "NE"]),
        ([0, 12], ["baseline", "PD"]),
    ],
)
def test_one_lesion_is_judged_as_the_criteria_say(diameters, expected):
    assert said(*(visit(mass=size) for size in diameters)) == expected


def test_an_absent_row_is_not_evaluable_and_never_0_mm():
    first, second, third = responses([visit(a=30, b=20), visit(a=20), visit(a=15, b=10)])
    assert (second.response, second.sum_mm, second.measured_mm) == (Response.NE, None, 20)
    assert second.unmeasured == ("b",)
    assert second.nadir_mm == first.nadir_mm == 50
    assert (third.response, third.sum_mm, third.nadir_mm) == (Response.PR, 25, 25)


def test_what_was_measured_can_show_progression_by_itself():
    assert said(visit(a=30, b=20), visit(a=60)) == ["baseline", "PD"]
    assert said(visit(a=30, b=20), visit(a=59.9, b=None)) == ["baseline", "NE"]
    assert said(visit(a=30, b=20), visit(a=15, b=10), visit(a=30)) == ["baseline", "PR", "PD"]


def test_a_new_lesion_is_progression_whatever_the_sum_says():
    _, second, third, fourth = responses([visit(a=40), visit(a=10, b=4), visit(a=10, b=4), visit(a=10, b=0)])
    assert (second.response, second.new, second.sum_mm) == (Response.PD, ("b",), 10)
    assert second.remarks == ("New lesion: b.",)
    assert third.response is Response.PD
    assert fourth.response is Response.PR
    # Without an entry nobody knows whether it is there still.
    assert said(visit(a=40), visit(a=10, b=4), visit(a=10)) == ["baseline", "PD", "NE"]
    assert said(visit(a=40), visit(a=10, b=None)) == ["baseline", "PR"]
    assert said(visit(a=40, b=None), visit(a=10, b=12)) == ["baseline", "PR"]


def test_nodes_are_judged_by_their_short_axis():
    nodes = ("n", "m")
    # 15 mm is a target, 10 to below 15 is disease beside it, below 10 is normal.
    assert target_lesions(visit(nodes=nodes, n=15, m=14.9)) == ("n",)
    assert said(visit(nodes=nodes, n=18, a=20), visit(nodes=nodes, n=9, a=0)) == ["baseline", "CR"]
    assert said(visit(nodes=nodes, n=18, a=20), visit(nodes=nodes, n=10, a=0)) == ["baseline", "PR"]
    # The node beside the targets has to become normal as well.
    assert said(visit(nodes=nodes, m=12, a=20), visit(nodes=nodes, m=12, a=0)) == ["baseline", "PR"]
    assert said(visit(nodes=nodes, m=12, a=20), visit(nodes=nodes, m=9, a=0)) == ["baseline", "CR"]
    # A normal node is none of it.
    (first, second) = responses([visit(nodes=nodes, m=8, a=20), visit(nodes=nodes, m=9, a=0)])
    assert (first.sum_mm, second.response) == (20, Response.CR)


def test_a_node_becomes_disease_at_10_mm_if_it_grew():
    nodes = ("n",)
    assert said(visit(nodes=nodes, n=9, a=20), visit(nodes=nodes, n=11, a=20)) == ["baseline", "SD"]
    assert said(visit(nodes=nodes, n=9, a=20), visit(nodes=nodes, n=14, a=20)) == ["baseline", "PD"]
    assert said(visit(a=20), visit(nodes=nodes, n=9, a=20)) == ["baseline", "SD"]
    assert said(visit(a=20), visit(nodes=nodes, n=10, a=20)) == ["baseline", "PD"]


def test_disease_beside_the_targets_keeps_a_response_from_being_complete():
    assert said(visit(a=30, small=8), visit(a=0, small=8)) == ["baseline", "PR"]
    assert said(visit(a=30, small=8), visit(a=0)) == ["baseline", "PR"]
    assert said(visit(a=30, small=8), visit(a=0, small=0)) == ["baseline", "CR"]
    _, second = responses([visit(a=30, small=8), visit(a=30, small=20)])
    assert second.response is Response.SD
    assert "unequivocal progression" in second.remarks[0]


def test_two_targets_an_organ_and_five_in_all_the_largest_first():
    assert target_lesions(visit(a=12, b=30, c=20, d=9)) == ("b", "c")
    organs = [
        LesionSize(f"{organ}{n}", size, organ=organ)
        for organ, sizes in (("liver", (11, 12, 13)), ("lung", (40, 10)), ("breast", (15, 14)))
        for n, size in enumerate(sizes)
    ]
    assert target_lesions(organs) == ("liver1", "liver2", "lung0", "breast0", "breast1")
    nodes = [LesionSize(f"n{n}", 20, node=True, organ=f"region {n}") for n in range(3)]
    assert target_lesions([*nodes, LesionSize("a", 10)]) == ("n0", "n1", "a")


def test_a_lesion_named_twice_at_one_visit_is_refused():
    with pytest.raises(ValueError, match="“a” twice"):
        responses([[LesionSize("a", 10), LesionSize("a", 12)]])


SIZES = st.one_of(st.none(), st.just(0.0), st.floats(0.5, 150).map(lambda mm: round(mm, 1)))
COURSES = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys("abcd", SIZES)), max_size=6)


@given(COURSES)
def test_whatever_was_measured_every_answer_keeps_to_the_criteria(course):
    nodes = ("d",)
    visits = [visit(nodes=nodes, **one) for one in course]
    told = responses(visits)
    assert len(told) == len(visits)
    assert [one.response for one in told].count(Response.BASELINE) == any(
        size is not None for one in course for size in one.values()
    )
    for one in told:
        if one.response in (Response.CR, Response.PR, Response.SD) and one.nadir_mm is not None:
            assert one.sum_mm is not None
        if one.sum_mm is not None:
            assert one.nadir_mm <= one.sum_mm
            assert not one.unmeasured
    nadirs = [one.nadir_mm for one in told if one.nadir_mm is not None]
    assert all(later <= earlier for earlier, later in pairwise(nadirs))


@given(COURSES, st.integers(0, 5))
def test_a_later_visit_never_changes_an_earlier_answer(course, seen):
    visits = [visit(**one) for one in course]
    assert responses(visits)[:seen] == responses(visits[:seen])


@given(st.floats(10, 100), st.lists(st.floats(0, 150), min_size=1, max_size=5))
def test_a_smaller_last_sum_is_never_a_worse_answer(first, later):
    order = [Response.CR, Response.PR, Response.SD, Response.PD]
    course = [first, *later]
    smaller = [first, *later[:-1], later[-1] * 0.9]
    now, less = (responses([visit(a=mm) for mm in one])[-1].response for one in (course, smaller))
    assert order.index(less) <= order.index(now)
