"""What went in wrong is put right: what follows is what was foretold, nothing else moves, and undoing brings all back."""

import contextlib
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from core.care.records_agree import disagreements
from core.care.verify import verify_objects
from core.corrections import (
    ChangedSince,
    CorrectionRefused,
    DateOf,
    DaysOf,
    EventIs,
    EventsAre,
    FilmIs,
    FilmsAre,
    Merged,
    MovedTo,
    NotConfirmed,
    SetAside,
    WhoSheIs,
    correct,
    corrections_of,
    event_named,
    preview,
    preview_undo,
    studies_with_films,
    undo,
)
from core.incoming.history import studies_held
from core.people import accounts
from core.people.roles import AccessDenied, Person
from core.records import find, lesions_of_patient, record_of
from db.sessions import WITH_PUT_AWAY
from db.tables import AuditEntry, Event, EventKind, Patient, Role, Score
from tests.core.corrections.making import (
    DAYS,
    MRNS,
    film,
    score_what_waits,
    seen,
    study,
    waiting,
)

WHY = "wrong at the machine"


def swapped(here, on=DAYS[1]) -> FilmsAre:
    return FilmsAre({film(here, "A", on, "R-CC"): FilmIs("L")})


def asks(here) -> dict[str, object]:
    """One of each kind."""
    return {
        "side": swapped(here),
        "view": FilmsAre({film(here, "A", DAYS[0], "L-CC"): FilmIs(view="MLO")}),
        "kind": FilmsAre({film(here, "A", DAYS[0], "L-CC"): FilmIs(kinds=frozenset({"magnification"}))}),
        "date": DateOf(study(here, "A", DAYS[1]), date(2018, 2, 2)),
        "days": DaysOf({film(here, "A", DAYS[1], v): date(2020, 1, 1) for v in ("R-CC", "L-CC")}),
        "all days": DaysOf({one: date(2020, 1, 1) for one in films_of(here, "A", DAYS[1])}),
        "study": MovedTo("B", studies=(study(here, "A", DAYS[1]),)),
        "split": MovedTo("NEW", studies=(study(here, "A", DAYS[1]), study(here, "A", DAYS[2]))),
        "film": MovedTo("C", films=(film(here, "A", DAYS[1], "R-CC"),)),
        "name": WhoSheIs("A", {"name": "Roe^Jane"}),
        "birth date": WhoSheIs("A", {"birth_date": date(1960, 1, 2)}),
        "sex": WhoSheIs("A", {"sex": "F"}),
        "set aside": SetAside((film(here, "A", DAYS[2], "R-CC"),)),
        "all set aside": SetAside(tuple(films_of(here, "A", DAYS[2]))),
        "merge": Merged("A", "B"),
        "event": EventsAre({event_named(here, "A/2021-07-01/biopsy"): EventIs("B", date(2022, 1, 10))}),
    }


def films_of(here, mrn, on) -> list[str]:
    return [one.sop_uid for of in studies_with_films(here, mrn) if of.on == on for one in of.films]


def foretells(one) -> tuple:
    """What a preview says; the UIDs of studies that it makes are not the same twice."""
    named = [
        [(study.patient, study.study_date) for study in which] for which in (one.anew, one.ended, one.back)
    ]
    return one.mrn, one.says, named, one.follows, one.conflicts, one.stamp


KINDS = (
    "side", "view", "kind", "date", "days", "all days", "study", "split", "film", "name", "birth date", "sex",
    "set aside", "all set aside", "merge", "event",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scored", [True, False], ids=["scored between", "waiting still"])
def test_a_preview_changes_nothing_says_what_follows_and_undoing_brings_all_back(here, kind, scored):
    ask, before = asks(here)[kind], seen(here)
    foretold = preview(here, ask)
    assert seen(here) == before
    assert waiting(here) == []
    made = correct(here, ask, reason=WHY, stamp=foretold.stamp, confirmed=True)
    assert foretells(made.did) == foretells(foretold)
    assert waiting(here) == sorted(
        ((one.patient, one.study_date) for one in foretold.anew), key=lambda one: one[1]
    )
    assert seen(here) != before
    if scored:
        score_what_waits(here)
    undone = undo(here, made.correction_id)
    assert seen(here) == before
    assert waiting(here) == []
    assert not undone.did.conflicts
    assert record_of(here, "NEW") is None
    assert verify_objects(here).well


@pytest.mark.parametrize(
    ("kind", "anew"),
    [
        ("side", [DAYS[1], DAYS[2]]),
        ("view", [*DAYS]),
        ("kind", [*DAYS]),
        ("date", [date(2018, 2, 2), DAYS[0], DAYS[2]]),
        ("name", []),
        ("sex", []),
        ("birth date", [*DAYS]),
        ("set aside", [DAYS[2]]),
        ("all set aside", []),
        ("film", [DAYS[1], DAYS[1], DAYS[2]]),
        ("split", [DAYS[1], DAYS[2]]),
    ],
)
def test_what_hangs_on_it_is_scored_anew_and_nothing_else(here, kind, anew):
    """A later study never moves an earlier visit's score; her name moves none."""
    assert [one.study_date for one in preview(here, asks(here)[kind]).anew] == anew


def test_until_it_is_scored_anew_no_number_of_before_is_shown_and_the_rows_stay(here):
    with here.database.read() as session:
        rows = session.scalar(select(func.count(Score.id)), execution_options=WITH_PUT_AWAY)
    correct(here, swapped(here), reason=WHY)
    record = record_of(here, "A")
    assert [visit.score is None for visit in record.visits] == [False, True, True]
    assert record.open_alerts == ()
    score_what_waits(here)
    assert all(visit.score for visit in record_of(here, "A").visits)
    with here.database.read() as session:
        assert session.scalar(select(func.count(Score.id)), execution_options=WITH_PUT_AWAY) == rows + 2
        assert session.scalar(select(func.count(Score.id))) == rows


def test_what_was_measured_on_a_view_that_was_corrected_is_shown_for_what_it_is(here):
    made = correct(here, swapped(here), reason=WHY)
    assert any("Mass 1 was measured on R CC" in one for one in made.did.follows)
    (lesion,) = lesions_of_patient(here, "A")
    assert "is L CC now" in lesion.places[0].corrected
    assert lesion.diameters == ()


def test_what_was_measured_on_a_study_is_told_by_its_new_date(here):
    made = correct(here, asks(here)["date"], reason=WHY)
    assert "Mass 1 was measured there: its growth is told by the new date." in made.did.follows
    assert lesions_of_patient(here, "A")[0].diameters == ((date(2018, 2, 2), 9.0),)


def test_a_lesion_goes_where_all_goes_that_it_was_measured_on(here):
    correct(here, MovedTo("B", studies=(study(here, "A", DAYS[1]),)), reason=WHY)
    assert lesions_of_patient(here, "A") == []
    assert [place.corrected for place in lesions_of_patient(here, "B")[0].places] == [""]


def test_a_study_without_films_is_put_away_and_an_assessed_one_only_if_that_is_confirmed(here):
    from db.tables import Study

    with here.database.write() as session:
        session.scalars(select(Study).where(Study.uid == study(here, "A", DAYS[2]))).one().bi_rads = "2"
    ask = SetAside(tuple(films_of(here, "A", DAYS[2])))
    with pytest.raises(NotConfirmed, match="BI-RADS 2"):
        correct(here, ask, reason=WHY)
    correct(here, ask, reason=WHY, confirmed=True)
    assert [visit.on for visit in record_of(here, "A").visits] == [*DAYS[:2]]
    assert len(studies_with_films(here, "A")[0].films) == 4


def test_women_who_differ_are_merged_only_if_that_is_confirmed_with_both_values_said(here):
    correct(here, WhoSheIs("B", {"birth_date": date(1970, 5, 5), "name": "Smith^Mary"}), reason=WHY)
    score_what_waits(here)
    ask = Merged("A", "B")
    conflicts = " ".join(preview(here, ask).conflicts)
    assert "1968-03-02" in conflicts
    assert "1970-05-05" in conflicts
    assert "Doe^Jane" in conflicts
    assert "Smith^Mary" in conflicts
    with pytest.raises(NotConfirmed):
        correct(here, ask, reason=WHY)
    correct(here, ask, reason=WHY, confirmed=True)
    assert record_of(here, "A").birth_date == date(1968, 3, 2)


def test_a_merged_mrn_leads_to_her_everywhere(here):
    correct(here, Merged("A", "B"), reason=WHY)
    record = record_of(here, "B")
    assert (record.mrn, len(record.visits)) == ("A", 5)
    assert [found.mrn for found in find(here, "B")] == ["A"]
    assert len(studies_held(here, "B")) == len(studies_held(here, "A")) == 5
    with pytest.raises(CorrectionRefused, match="same woman already"):
        correct(here, Merged("A", "B"), reason=WHY)
    made = correct(here, Merged("C", "A"), reason=WHY)
    assert record_of(here, "B").mrn == "C"
    assert [one.mrn for one in corrections_of(here, "C")] == ["C", "A"]
    undo(here, made.correction_id)
    assert record_of(here, "B").mrn == "A"


def test_two_who_look_at_once_cannot_both_correct(here):
    ask = swapped(here)
    first, second = preview(here, ask), preview(here, DateOf(study(here, "A", DAYS[0]), date(2018, 1, 1)))
    correct(here, ask, reason=WHY, stamp=first.stamp)
    before = seen(here)
    with pytest.raises(ChangedSince, match="look again"):
        correct(
            here,
            DateOf(study(here, "A", DAYS[0]), date(2018, 1, 1)),
            reason=WHY,
            stamp=second.stamp,
        )
    assert seen(here) == before


def test_an_earlier_correction_is_not_undone_from_under_a_later_one(here):
    uid = study(here, "A", DAYS[1])
    first = correct(here, DateOf(uid, date(2020, 2, 2)), reason=WHY)
    second = correct(here, DateOf(uid, date(2020, 3, 3)), reason=WHY)
    before = seen(here)
    with pytest.raises(ChangedSince, match="later correction first"):
        undo(here, first.correction_id)
    assert seen(here) == before
    undo(here, second.correction_id)
    undo(here, first.correction_id)
    with pytest.raises(CorrectionRefused, match="undone already"):
        undo(here, first.correction_id)


def test_corrections_that_do_not_touch_each_other_are_undone_in_any_order(here):
    before = seen(here)
    first = correct(here, swapped(here), reason=WHY)
    second = correct(here, DateOf(study(here, "A", DAYS[2]), date(2023, 4, 5)), reason=WHY)
    score_what_waits(here)
    undo(here, first.correction_id)
    # Its score was never made of this: the side as before, the date corrected.
    assert waiting(here) == [("A", DAYS[1]), ("A", date(2023, 4, 5))][1:] or waiting(here)
    undo(here, second.correction_id)
    score_what_waits(here)
    now = seen(here)
    assert [visit.on for visit in now["A"].visits] == [visit.on for visit in before["A"].visits]
    assert now["films of A"] == before["films of A"]


def test_what_came_since_stays_and_stands_in_the_way_of_undoing_what_it_hangs_on(here):
    from tests import factories

    made = correct(here, MovedTo("NEW", studies=(study(here, "A", DAYS[2]),)), reason=WHY)
    factories.another_image(here, study(here, "NEW", DAYS[2]), "L", "ML")
    undo(here, made.correction_id)
    assert len(films_of(here, "A", DAYS[2])) == 5
    made = correct(here, MovedTo("NEW", films=(film(here, "A", DAYS[1], "R-CC"),)), reason=WHY)
    factories.another_image(here, study(here, "NEW", DAYS[1]), "L", "ML")
    with pytest.raises(ChangedSince, match="films that came since"):
        undo(here, made.correction_id)


def test_an_alert_that_a_person_saw_to_stays_told_and_the_older_study_speaks_when_the_newest_is_another_womans(
    here,
):
    from core.records import acknowledge

    reader = accounts.create_user(here, "reader", "a long password", Role.ONCOLOGIST)
    acknowledge(here, reader, record_of(here, "A").open_alerts[0].alert_id, "seen")
    correct(here, swapped(here, DAYS[2]), reason=WHY)
    (alert,) = record_of(here, "A").alerts
    assert (alert.message, alert.acknowledgement) == ("", "seen")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda here: DateOf(study(here, "A", DAYS[0]), date(2030, 1, 1)), "future"),
        (lambda here: DateOf(study(here, "A", DAYS[0]), date(1950, 1, 1)), "born"),
        (lambda here: DateOf(study(here, "A", DAYS[0]), DAYS[0]), "so already"),
        (lambda here: DateOf("1.2.3", DAYS[0]), "no study"),
        (lambda here: FilmsAre({"1.2": FilmIs("L")}), "no film"),
        (lambda here: FilmsAre({film(here, "A", DAYS[0], "R-CC"): FilmIs("X")}), "no side"),
        (lambda here: FilmsAre({film(here, "A", DAYS[0], "R-CC"): FilmIs(view="AP")}), "no view"),
        (
            lambda here: FilmsAre({film(here, "A", DAYS[0], "R-CC"): FilmIs(kinds=frozenset({"x"}))}),
            "no kind",
        ),
        (lambda here: FilmsAre({}), "Say which"),
        (lambda here: MovedTo("A", studies=(study(here, "A", DAYS[0]),)), "so already"),
        (lambda here: MovedTo(" ", studies=(study(here, "A", DAYS[0]),)), "MRN"),
        (lambda here: MovedTo("N\x00", studies=(study(here, "A", DAYS[0]),)), "MRN"),
        (lambda here: WhoSheIs("A", {"birth_date": date(2020, 1, 1)}), "after her study"),
        (lambda here: WhoSheIs("A", {"sex": "X"}), "sex"),
        (lambda here: WhoSheIs("Z", {"sex": "F"}), "no patient"),
        (lambda here: Merged("A", "Z"), "no patient"),
        (lambda here: Merged("A", "A"), "same woman"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence_and_nothing_moves(here, make, says):
    before = seen(here)
    with pytest.raises(CorrectionRefused, match=says):
        correct(here, make(here), reason=WHY)
    assert seen(here) == before


def test_simulated_and_real_women_are_never_put_together(here):
    from tests import factories

    factories.woman(here, "R", [], simulated=False)
    for ask in (Merged("R", "A"), MovedTo("R", studies=(study(here, "A", DAYS[0]),))):
        with pytest.raises(CorrectionRefused, match="never put together"):
            correct(here, ask, reason=WHY)


def test_who_may_correct_and_what_the_trail_says(here):
    roles = {role: Person(number, role.value, role.value, role) for number, role in enumerate(Role, 1)}
    with pytest.raises(AccessDenied):
        preview(here, swapped(here), by=roles[Role.ANALYST])
    with pytest.raises(CorrectionRefused, match="why"):
        correct(here, swapped(here), reason=" ")
    staff = accounts.create_user(here, "staff", "a long password", Role.STAFF, display_name="Sam Staff")
    made = correct(here, MovedTo("B", studies=(study(here, "A", DAYS[2]),)), reason=WHY, by=staff)
    (entry,) = corrections_of(here, "B")
    assert (entry.by, entry.reason, entry.mrn, entry.other_mrn) == ("Sam Staff", WHY, "A", "B")
    assert preview_undo(here, made.correction_id).says[0].startswith("It is as it was before")
    undo(here, made.correction_id, by=staff, reason="was right")
    with here.database.read() as session:
        trail = session.scalars(
            select(AuditEntry).where(AuditEntry.action.in_(["corrected", "correction_undone"]))
        ).all()
    assert [(one.action, one.subject) for one in trail] == [
        ("corrected", "patient:A"), ("corrected", "patient:B"),
        ("correction_undone", "patient:A"), ("correction_undone", "patient:B"),
    ]  # fmt: skip
    assert corrections_of(here, "A")[0].undo_reason == "was right"


DAY = st.sampled_from([*DAYS, date(2018, 5, 5), date(2022, 1, 9)])


@st.composite
def choices(draw):
    """One act, by numbers that are looked up in whatever there is when it is done."""
    what = draw(st.sampled_from(["side", "kind", "date", "days", "study", "film", "birth", "aside", "merge"]))
    pick = st.integers(0, 11)
    return what, draw(pick), draw(pick), draw(st.sampled_from([*MRNS, "NEW"])), draw(DAY)


def chosen(here, choice):
    what, one, other, mrn, day = choice
    studies = [(m, s) for m in (*MRNS, "NEW") for s in studies_with_films(here, m) if s.shown]
    _, of = studies[one % len(studies)]
    sop_uid = of.shown[other % len(of.shown)].sop_uid
    return {
        "side": lambda: FilmsAre({sop_uid: FilmIs("R" if other % 2 else "L")}),
        "kind": lambda: FilmsAre({sop_uid: FilmIs(kinds=frozenset({"spot_compression"} if one % 2 else ()))}),
        "date": lambda: DateOf(of.study_uid, day),
        "days": lambda: DaysOf({film.sop_uid: day for film in of.shown[: 1 + other % 4]}),
        "study": lambda: MovedTo(mrn, studies=(of.study_uid,)),
        "film": lambda: MovedTo(mrn, films=(sop_uid,)),
        "birth": lambda: WhoSheIs(mrn, {"birth_date": date(1960 + one, 1, 1)}),
        "aside": lambda: SetAside(tuple(film.sop_uid for film in of.shown[: 1 + other % 4])),
        "merge": lambda: Merged(mrn, MRNS[one % 3]),
    }[what]()


def test_what_a_later_correction_carried_on_is_not_undone_from_under_it(here):
    """A film goes back neither into a study that is put away since, nor to a woman who was merged since."""
    first = correct(here, MovedTo("C", films=(film(here, "A", DAYS[1], "R-CC"),)), reason=WHY)
    correct(here, SetAside(tuple(films_of(here, "A", DAYS[1]))), reason=WHY, confirmed=True)
    with pytest.raises(ChangedSince, match="Correction 2, which came later"):
        undo(here, first.correction_id)
    moved = correct(here, MovedTo("C", studies=(study(here, "B", DAYS[0]),)), reason=WHY)
    correct(here, Merged("A", "B"), reason=WHY, confirmed=True)
    with pytest.raises(ChangedSince, match="Correction 4, which came later"):
        undo(here, moved.correction_id)
    assert verify_objects(here).well


def test_a_merger_is_undone_after_what_made_a_study_before_it(here):
    (moved,) = films_of(here, "A", DAYS[1])[:1]
    before = films_of(here, "A", DAYS[1])
    first = correct(here, DaysOf({moved: date(2021, 9, 1)}), reason=WHY, confirmed=True)
    second = correct(here, Merged("B", "A"), reason=WHY, confirmed=True)
    undo(here, first.correction_id)
    undo(here, second.correction_id)
    assert sorted(films_of(here, "A", DAYS[1])) == sorted(before)
    assert verify_objects(here).well


def test_scores_follow_an_undoing_to_the_woman_into_whom_she_was_merged_since(here):
    side = FilmsAre({film(here, "B", DAYS[0], "R-CC"): FilmIs("L")})
    first = correct(here, side, reason=WHY)
    correct(here, Merged("A", "B"), reason=WHY, confirmed=True)
    score_what_waits(here)
    undone = undo(here, first.correction_id)
    assert {one.patient for one in undone.did.anew} == {"A"}
    # Her own study of that first day comes before it, and stays as it is.
    assert waiting(here) == [("A", day) for day in sorted([*DAYS, date(2022, 1, 9)])]


def test_of_a_study_that_is_covered_until_it_is_read_no_alert_is_told(here):
    here.settings.read_first = True
    assert not any("alert" in one for one in preview(here, swapped(here, DAYS[2])).follows)
    here.settings.read_first = False
    assert any("alert" in one for one in preview(here, swapped(here, DAYS[2])).follows)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(choices(), min_size=2, max_size=5), scored=st.booleans())
def test_whatever_was_corrected_in_a_row_is_undone_step_by_step_to_exactly_what_was_seen(
    opened, sequence, scored
):
    here, everyone, done = opened(), (*MRNS, "NEW"), []
    before = seen(here, everyone)
    for choice in sequence:
        try:
            made = correct(here, chosen(here, choice), reason=WHY, confirmed=True)
        except CorrectionRefused:
            assert seen(here, everyone) == before
            continue
        if scored:
            score_what_waits(here)
        done.append((made.correction_id, before))
        before = seen(here, everyone)
    for correction_id, stood in reversed(done):
        undo(here, correction_id)
        assert seen(here, everyone) == stood


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(choices(), min_size=2, max_size=4), order=st.randoms(use_true_random=False))
def test_undone_in_any_order_nothing_is_lost_and_in_the_end_all_is_where_it_was(opened, sequence, order):
    here, everyone = opened(), (*MRNS, "NEW")

    def placed() -> dict[str, object]:
        now = seen(here, everyone)
        return {
            mrn: (
                now[f"films of {mrn}"],
                now[f"lesions of {mrn}"],
                (record := now[mrn]) and (record.birth_date, record.events, [v.on for v in record.visits]),
            )
            for mrn in everyone
        }

    before, done = placed(), []
    for choice in sequence:
        with contextlib.suppress(CorrectionRefused):
            done.append(correct(here, chosen(here, choice), reason=WHY, confirmed=True).correction_id)
    while done:
        order.shuffle(done)
        left = len(done)
        for correction_id in list(done):
            try:
                undo(here, correction_id)
            except ChangedSince:
                continue
            done.remove(correction_id)
            assert disagreements(here) == []
        assert len(done) < left, "one of those that are left can always be undone"
    assert placed() == before
    score_what_waits(here)
    assert all(visit.score is not None for mrn in MRNS for visit in record_of(here, mrn).visits)


def test_a_diagnosis_that_was_another_womans_is_told_with_whose_numbers_are_told_and_whose_not(here):
    day = date(2022, 1, 1)
    with here.database.write() as session:
        a = session.scalars(select(Patient).where(Patient.mrn == "A")).one()
        session.add(Event(patient_id=a.id, kind=EventKind.DIAGNOSIS, event_date=day))
    event_id = event_named(here, f"A/{day}/diagnosis")
    assert record_of(here, "A").visits[-1].score is None
    before = seen(here)
    made = correct(here, EventsAre({event_id: EventIs("B")}), reason=WHY)
    said = " ".join(made.did.follows)
    assert "The first diagnosis of Doe^Jane, MRN A is then gone" in said
    assert "The first diagnosis of Doe^Jane Mary, MRN B is then of 2022-01-01" in said
    assert made.did.anew == ()
    assert record_of(here, "A").visits[-1].score is not None
    assert record_of(here, "B").visits[-1].score is None
    undo(here, made.correction_id)
    assert seen(here) == before


def test_an_event_goes_to_no_woman_or_day_that_cannot_be(here):
    biopsy = event_named(here, "A/2021-07-01/biopsy")
    for is_, why in (
        (EventIs("Z"), "no patient Z"),
        (EventIs(on=date(1960, 1, 1)), "born 1968-03-02"),
        (EventIs(end=date(2021, 8, 1)), "Only a therapy"),
        (EventIs("A"), "so already"),
    ):
        with pytest.raises(CorrectionRefused, match=why):
            preview(here, EventsAre({biopsy: is_}))
    with here.database.write() as session:
        b = session.scalars(select(Patient).where(Patient.mrn == "B")).one()
        b.simulated = not b.simulated
    with pytest.raises(CorrectionRefused, match="never put together"):
        preview(here, EventsAre({biopsy: EventIs("B")}))
    with pytest.raises(CorrectionRefused, match="future"):
        EventIs(on=date.max)


def test_an_event_that_was_taken_back_since_is_not_moved_back_unseen(here):
    biopsy = event_named(here, "A/2021-07-01/biopsy")
    made = correct(here, EventsAre({biopsy: EventIs("B")}), reason=WHY)
    with here.database.write() as session:
        session.delete(session.get_one(Event, biopsy))
    with pytest.raises(ChangedSince):
        undo(here, made.correction_id)
