"""Which women a definition chooses, and of which nothing is told."""

import itertools
import json
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cohorts import (
    FILTERS,
    NOT_KNOWN,
    Asked,
    Definition,
    DefinitionRefused,
    Domain,
    Enters,
    Frame,
    Population,
    Selection,
    disclosure,
    select,
)
from core.cohorts.bands import EVENTS, keys_of
from tests.cohort_frames import synthetic

SIMULATED = Definition(kind=Population.SIMULATED)


@pytest.fixture(scope="module")
def frame() -> Frame:
    return synthetic(1500)


def few(frame: Frame, women: int) -> Frame:
    """The first women of a frame alone."""
    return replace(
        frame,
        women=frame.women.head(women),
        visits=frame.visits.filter(pl.col("woman") < women),
        basis=f"{women} of {frame.basis}",
    )


def test_a_definition_comes_back_from_its_json_as_it_was() -> None:
    made = Definition(
        kind=Population.SIMULATED,
        enters=Enters.AGE,
        at_age=50,
        age=("50-54", NOT_KNOWN),
        density=("D",),
        to_year=2020,
    )
    assert Definition.from_json(json.dumps(made.to_json())) == made
    assert "n ≈ 25 simulated women, each from her first scored visit from the age of 50 on" in made.sentence(
        "25"
    )
    assert "aged 50–54 or not known, density D, visits up to 2020" in made.sentence("25")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{", "no JSON"),
        ("[]", "no “format”"),
        ("{}", "no “format”"),
        ({"format": "longview-cohort/2"}, "another release"),
        ({"format": "longview-cohort/1", "ages": []}, "ages"),
        ({"format": "longview-cohort/1", "density": ["E"]}, "density has no band “E”"),
        ({"format": "longview-cohort/1", "enters": "age", "at_age": 53}, "at_age is one of"),
        ({"format": "longview-cohort/1", "from_year": 2020, "to_year": 2010}, "lies after"),
        ({"format": "longview-cohort/1", "density": 5}, "density"),
        ("[" * 100_000, "no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_definition_of_this_release_is_refused_in_words(said: object, why: str) -> None:
    with pytest.raises(DefinitionRefused, match=why):
        Definition.from_json(said)  # type: ignore[arg-type]


def test_a_woman_enters_with_a_fixed_visit_never_with_her_last(frame: Frame) -> None:
    first = select(frame, SIMULATED)
    trusted = frame.visits.filter(pl.col("trust").cast(pl.String) == "trusted")
    by_hand = trusted.group_by("woman").agg(pl.col("on").min()).sort("woman")
    assert first.entry.select("woman", "on").equals(by_hand.select("woman", "on"))
    assert first.women["woman"].to_list() == first.entry["woman"].to_list()
    at_50 = select(frame, SIMULATED.but(enters="age", at_age=50))
    assert at_50.ages.min() >= 50
    from_2016 = select(frame, SIMULATED.but(enters="year", at_year=2016))
    assert from_2016.entry["on"].min() >= date(2016, 1, 1)


def test_filters_choose_by_the_entering_visit_and_say_when_they_look_ahead(frame: Frame) -> None:
    dense = select(frame, SIMULATED.but(density=["C", "D"], age=["50-54", "55-59"]))
    assert set(dense.entry["density"].cast(pl.String)) == {"C", "D"}
    assert 50 <= dense.ages.min() <= dense.ages.max() < 60
    assert not dense.definition.looks_ahead
    assert SIMULATED.but(outcome=["later"]).looks_ahead == ["diagnosis"]
    assert dense.visits["woman"].unique().sort().to_list() == dense.women["woman"].to_list()


def test_counts_of_each_band_are_those_of_the_cohort_with_that_band_alone(frame: Frame) -> None:
    chosen = select(frame, SIMULATED.but(density=["C"], age=["50-54"]))
    for one in FILTERS:
        for key, women in chosen.counts(one).items():
            assert select(frame, chosen.definition.but(**{one.key: [key]})).n == women


def test_an_age_is_that_of_the_birthday(frame: Frame) -> None:
    entered = select(frame, SIMULATED)
    born = entered.women["birth_date"].to_list()
    for day, birth, age in zip(entered.entry["on"].to_list(), born, entered.ages, strict=True):
        assert age == day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


@pytest.mark.parametrize("women", [0, 1, 4])
def test_of_fewer_than_five_women_nothing_is_told(frame: Frame, women: int) -> None:
    chosen = select(few(frame, women), SIMULATED.but(domain="any"))
    assert chosen.withheld.startswith("Fewer than 5 women fit" if women else "No women fit")
    assert chosen.counted == ("fewer than 5" if women else "0")


choices = st.fixed_dictionaries(
    {
        one.key: st.lists(st.sampled_from(keys_of(one)), max_size=3, unique=True)
        for one in FILTERS
        if one.key in ("age", "density", "level", "outcome", "visits")
    }
)


@settings(max_examples=60, deadline=None)
@given(
    women=st.integers(5, 80),
    seed=st.integers(0, 5),
    one=choices,
    key=st.sampled_from(["age", "density", "level"]),
    other=st.data(),
)
def test_no_two_told_cohorts_of_the_same_other_choices_differ_by_a_few(women, seed, one, key, other) -> None:
    frame = synthetic(women, seed)
    bands = keys_of(next(f for f in FILTERS if f.key == key))
    another = {**one, key: other.draw(st.lists(st.sampled_from(bands), max_size=3, unique=True))}
    first, second = (select(frame, SIMULATED.but(**chosen)) for chosen in (one, another))
    if not first.withheld and not second.withheld:
        apart = int(np.count_nonzero(first.marks != second.marks))
        assert apart == 0 or apart >= 5


def test_whoever_tries_every_definition_never_sees_two_that_differ_by_a_few() -> None:
    """A person who asks for everything: whatever she is shown, no two of it single out fewer than five women."""
    frame, asked, seen = synthetic(60, 3), Asked(), []
    densities = [list(some) for n in (0, 1, 2) for some in itertools.combinations("ABCD", n)]
    levels = [[], ["average"], ["raised", "high"]]
    ages = [[], ["40-44", "45-49"], ["50-54", "55-59", "60-64"]]
    for density, level, age in itertools.product(densities, levels, ages):
        for enters in ({}, {"enters": "age", "at_age": 50}, {"domain": "any"}):
            chosen = select(frame, SIMULATED.but(density=density, level=level, age=age, **enters))
            if not chosen.withheld and not asked.why_not(1, chosen):
                seen.append(chosen.marks)
    assert len(seen) > 3
    for one, other in itertools.combinations(seen, 2):
        apart = int(np.count_nonzero(one != other))
        assert apart == 0 or apart >= 5


def by_hand(frame: Frame, kinds: list[str], begin: int, end: int) -> set[int]:
    """The women with an event of these kinds between two years, from the days in the table themselves."""
    days = {"diagnosis": pl.col("diagnosed_on"), "surgery": pl.col("treated_on")}
    asked = [days[kind].dt.year().is_between(begin, end) for kind in kinds]
    return set(frame.women.filter(pl.any_horizontal(asked))["woman"])


@pytest.mark.parametrize("kinds", [["diagnosis"], ["surgery"], ["diagnosis", "surgery"]])
def test_women_are_chosen_by_kind_and_year_of_what_happened(frame: Frame, kinds: list[str]) -> None:
    everybody = select(frame, SIMULATED)
    among = set(everybody.women["woman"])
    asked = {"event_kinds": kinds, "events_from": 2014, "events_to": 2019}
    with_one = select(frame, SIMULATED.but(**asked))
    assert set(with_one.women["woman"]) == by_hand(frame, kinds, 2014, 2019) & among
    without = select(frame, SIMULATED.but(**asked, events=["none"]))
    assert set(without.women["woman"]) == among - set(with_one.women["woman"])
    assert with_one.counts(EVENTS) == {"some": with_one.n, "none": without.n}
    assert with_one.by_kind_of_event[kinds[0]] == len(by_hand(frame, kinds[:1], 2014, 2019) & among)
    assert with_one.definition.looks_ahead == ["events on record"]


def test_a_definition_says_in_words_which_events_are_meant() -> None:
    named = SIMULATED.but(event_kinds=["therapy", "surgery"], events_from=2015, events_to=2019)
    assert "with surgery or therapy 2015–2019 on record" in named.sentence("25")
    assert Definition.from_json(json.dumps(named.to_json())) == named
    assert "without an event up to 2019 on record" in SIMULATED.but(events=["none"], events_to=2019).sentence("25")  # fmt: skip
    for wrong in ({"event_kinds": ["operation"]}, {"events_from": 2020, "events_to": 2019}, {"events_from": 1066}):  # fmt: skip
        with pytest.raises(DefinitionRefused, match="event"):
            SIMULATED.but(**wrong)


def test_whoever_tries_kinds_and_years_of_events_never_singles_out_a_few() -> None:
    """Year by year, kind by kind, with and without: of nothing that one person is shown the difference is a few."""
    frame, asked, seen = synthetic(400, 5), Asked(), []
    years = [None, *range(2013, 2027, 2)]
    for kinds, begin, end in itertools.product(
        ([], ["diagnosis"], ["surgery"], ["diagnosis", "surgery"]), years, years
    ):
        if begin and end and begin > end:
            continue
        for events in ([], ["none"]):
            wanted = {"event_kinds": kinds, "events_from": begin, "events_to": end, "events": events}
            chosen = select(frame, SIMULATED.but(**wanted))
            if not chosen.withheld and not asked.why_not(1, chosen):
                seen.append(np.packbits(chosen.marks))
    different = np.unique(np.stack(seen), axis=0)
    assert len(different) > 3
    for one, other in itertools.combinations(different, 2):
        assert int(np.bitwise_count(one ^ other).sum()) >= 5


def test_one_kind_of_event_more_is_not_a_way_to_a_few(frame: Frame) -> None:
    """Two people may lay side by side what they were shown: neighbouring definitions of events are not told at all."""
    three_died = frame.women.with_columns(
        years_of_death=pl.when(pl.col("woman") < 3).then(1 << (2020 - 1980)).otherwise(0).cast(pl.UInt64)
    )
    some = replace(frame, women=three_died, basis="three died")
    assert not select(some, SIMULATED.but(event_kinds=["surgery"])).withheld
    for kinds in (["death"], ["death", "surgery"], ["death", "diagnosis"]):
        assert "ewer than 5" in select(some, SIMULATED.but(event_kinds=kinds)).withheld


def test_what_one_person_saw_does_not_keep_another_from_seeing_it(frame: Frame) -> None:
    asked, everybody = Asked(), select(frame, SIMULATED)
    chosen = everybody.chosen.copy()
    chosen[:3] = False
    but_three = Selection(frame, SIMULATED.but(slope=["rising"]), everybody.facts, chosen, "")
    assert asked.why_not(1, everybody) == ""
    assert "differs by fewer than 5 women" in asked.why_not(1, but_three)
    assert asked.why_not(2, but_three) == ""
    assert asked.why_not(1, everybody) == "", "what was shown once may be shown again"


def test_a_few_of_a_kind_are_not_worked_out_from_both_kinds_together(frame: Frame) -> None:
    some = few(frame, 40)
    three_real = replace(
        some, women=some.women.with_columns(simulated=pl.col("woman") >= 3), basis="three real"
    )
    assert not select(three_real, SIMULATED).withheld
    assert "Fewer than 5 women" in select(three_real, Definition(kind=Population.REAL)).withheld
    assert "Fewer than 5 real women" in select(three_real, Definition(kind=Population.BOTH)).withheld


def test_a_few_whose_score_is_withheld_are_not_the_difference_to_all(frame: Frame) -> None:
    chosen = select(few(frame, 300), SIMULATED)
    everyone = select(few(frame, 300), SIMULATED.but(domain=Domain.ANY))
    apart = everyone.n - chosen.n
    assert bool(everyone.withheld) is (0 < apart < 5)


@pytest.mark.parametrize("women", range(0, 60))
def test_counts_are_told_in_fives(women: int) -> None:
    said = disclosure.count_said(women)
    assert said == ("0" if not women else "fewer than 5" if women < 5 else str(5 * ((women + 2) // 5)))


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12))
def test_no_cell_that_is_told_holds_a_few_and_all_are_told_once(counts: list[int]) -> None:
    joined = [list(run) for run in disclosure.joined_cells(counts)]
    for runs in (joined, disclosure.pooled_cells(counts)):
        held = [sum(counts[place] for place in run) for run in runs]
        assert not any(map(disclosure.is_small, held))
        if not disclosure.is_small(sum(counts)):
            assert sorted(place for run in runs for place in run) == list(range(len(counts)))
    assert joined == [sorted(run) for run in joined]
