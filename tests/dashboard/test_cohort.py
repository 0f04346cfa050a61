"""The analyst's page: figures of groups, never of a few, defined by choices that can be kept, shared and compared."""

import json
import re
from collections.abc import Callable
from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from core.cohorts import Definition, Population, cohorts_of, frame_of, save_cohort
from core.installation import Installation
from core.people import Permission, Role, audit, list_accounts, set_grant
from core.people.accounts import create_user
from core.people.roles import AccessDenied, Person
from dashboard.cohort import page, see
from db.tables import SavedCohort
from tests import factories
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]
COURSE = [VisitPlan(date(year, 5, 1), 0.01, views=()) for year in (2019, 2021, 2023)]
SIMULATED = Definition(kind=Population.SIMULATED)


def words(app: AppTest) -> str:
    told = [found.proto.body for found in app.get("html") if "<style" not in found.proto.body]
    return " ".join([*told, *(one.value for one in [*app.caption, *app.warning])])


@pytest.fixture
def women(here: Installation) -> Installation:
    """Twelve women of density B, six of D, one of C."""
    for number in range(19):
        density = "B" if number < 12 else "D" if number < 18 else "C"
        plans = [VisitPlan(plan.on, 0.01 + number / 1000, views=(), density=density) for plan in COURSE]
        factories.woman(here, f"{number}", plans, birth_date=date(1960 + number, 1, 1))
    return here


def analyst(here: Installation, name: str = "ana") -> Person:
    return create_user(here, name, "a long password", Role.ANALYST)


def test_figures_say_how_many_and_whom_they_count_in_fives(women: Installation, pages: OpenPage) -> None:
    for number in range(6):
        factories.woman(women, f"real-{number}", COURSE, simulated=False)
    app = pages(Role.ANALYST, "cohort")
    assert not app.exception
    assert "n ≈ 20 simulated women, each from her first scored visit" in words(app)
    assert "19" not in re.sub(r"20\d\d", "", words(app))
    app.radio(key="kind").set_value("real").run()
    assert "n ≈ 5 real women" in words(app)
    assert "Sim-" not in words(app)


@pytest.mark.parametrize(
    "query", [{}, {"part": "See"}, {"part": "See", "see": "Course"}, {"part": "Readers"}]
)
def test_of_fewer_than_five_women_the_page_shows_no_figure_number_or_file(
    women: Installation, pages: OpenPage, query: dict[str, str]
) -> None:
    factories.woman(women, "real", [VisitPlan(date(2020, 5, 1), 0.77, views=())], simulated=False)
    app = pages(Role.ANALYST, "cohort", **query)
    assert app.get("plotly_chart") or query == {"part": "Readers"}
    app.radio(key="kind").set_value("real").run()
    assert not app.exception
    assert "Fewer than 5 women fit this definition" in words(app)
    assert "0.77" not in words(app)
    assert "n ≈" not in words(app)
    assert not app.get("plotly_chart")
    assert [
        found.proto.id for found in app.get("download_button") if "definition" not in found.proto.id
    ] == []


def test_a_choice_that_leaves_out_or_holds_a_few_shows_nothing(women: Installation, pages: OpenPage) -> None:
    for choice, why in (("C", "Fewer than 5 women fit"), ("B", ""), ("B,D", "")):
        app = pages(Role.ANALYST, "cohort")
        app.session_state["cohort_density"] = choice.split(",")
        app.run()
        refused = "Nothing is shown of this group" in words(app)
        assert refused is (choice != "B"), choice
        assert why in words(app)
        assert bool(app.get("plotly_chart")) is not refused


@pytest.mark.parametrize("kind", list(see.KINDS))
def test_each_kind_of_figure_is_drawn_or_says_why_not(
    women: Installation, pages: OpenPage, kind: str
) -> None:
    app = pages(Role.ANALYST, "cohort", part="See", see=kind)
    assert not app.exception
    assert app.get("plotly_chart") or "lv-empty" in words(app)


def test_every_part_of_the_page_opens(women: Installation, pages: OpenPage) -> None:
    for part in page.PARTS:
        assert not pages(Role.ANALYST, "cohort", part=part).exception, part


def test_a_link_that_asks_for_what_is_not_known_says_so(women: Installation, pages: OpenPage) -> None:
    app = pages(Role.ANALYST, "cohort", cohort_density="Q")
    assert "asks for what is not known here" in words(app)
    assert "Density at entry: Q" in words(app)
    gone = pages(Role.ANALYST, "cohort", cohort="nothing")
    assert "was deleted, or is not shared with you" in words(gone)


def test_a_saved_cohort_opens_by_its_link_for_whom_it_is_shared_with(
    women: Installation, pages: OpenPage
) -> None:
    ana, frame = analyst(women), frame_of(women)
    mine = save_cohort(women, ana, "  dense   women ", SIMULATED.but(density=["D"]), frame)
    assert mine.name == "dense women"
    app = pages(Role.ANALYST, "cohort", cohort=mine.key)
    assert "not shared with you" in words(app)
    shared = save_cohort(women, ana, "dense women", SIMULATED.but(density=["D"]), frame, shared=True)
    assert shared.key == mine.key, "its link stays"
    app = pages(Role.ANALYST, "cohort", cohort=mine.key)
    assert not app.exception
    assert "n ≈ 5 simulated women, each from her first scored visit, density D" in words(app)
    assert "cohort" not in app.query_params
    assert [entry.action for entry in audit.latest(women, action="cohort_saved")] == ["cohort_saved"] * 2


def test_two_cohorts_are_set_side_by_side(women: Installation, pages: OpenPage) -> None:
    save_cohort(women, analyst(women), "dense", SIMULATED.but(density=["D"]), frame_of(women), shared=True)
    app = pages(Role.ANALYST, "cohort", part="Compare")
    app.selectbox(key="beside").select_index(0).run()
    assert not app.exception
    assert "How do the two cohorts differ?" in words(app)
    assert "women, right" in words(app)


def test_what_differs_by_a_few_from_a_saved_one_is_not_saved_whoever_saved_that(women: Installation) -> None:
    frame = frame_of(women)
    save_cohort(women, analyst(women, "bea"), "mine", SIMULATED.but(density=["B"]), frame)
    for number in range(9):
        plans = [VisitPlan(plan.on, 0.01, views=(), density="B") for plan in COURSE]
        factories.woman(women, f"other-{number}", plans, birth_date=None)
    frame = frame_of(women)
    young = SIMULATED.but(density=["B"], age=["?"])
    save_cohort(women, analyst(women, "cleo"), "no birth date", young, frame)
    with pytest.raises(ValueError, match="Nothing is told of this cohort"):
        save_cohort(women, analyst(women, "dora"), "few", SIMULATED.but(density=["C"]), frame)


def test_who_may_not_see_groups_can_neither_list_nor_save_them(women: Installation) -> None:
    staff = create_user(women, "staff", "a long password", Role.STAFF)
    with pytest.raises(AccessDenied):
        cohorts_of(women, staff)
    with pytest.raises(AccessDenied):
        save_cohort(women, staff, "x", SIMULATED, frame_of(women))


def test_a_definition_from_elsewhere_is_opened_or_said_why_not(women: Installation, pages: OpenPage) -> None:
    app = pages(Role.ANALYST, "cohort")

    def opened(text: str) -> str:
        app.text_area(key="cohort_pasted").set_value(text)
        app.button(key="cohort_open_pasted").click().run()
        assert not app.exception
        return words(app)

    assert "it is no JSON" in opened("density B")
    elsewhere = Definition(kind=Population.SIMULATED, vendor=("Acme",), from_year=1999).to_json()
    refused = opened(json.dumps(elsewhere))
    assert "do not have: Maker of the detector: Acme; year 1999" in refused
    assert "n ≈ 20 simulated women" in refused, "the page is as it was"
    chosen = Definition(kind=Population.SIMULATED, density=("B", "D"), to_year=2021)
    said = opened(json.dumps(chosen.to_json(), indent=1))
    assert "The definition is opened." in said
    assert set(app.pills(key="cohort_density").value) == {"B", "D"} if hasattr(app, "pills") else True
    assert app.selectbox(key="cohort_to").value == 2021


def test_women_are_chosen_by_events_on_the_page_and_a_kind_that_there_is_not_is_said(
    women: Installation, pages: OpenPage
) -> None:
    app = pages(Role.ANALYST, "cohort", cohort_event_kind="operation")
    assert not app.exception
    assert "Events on record: operation" in words(app)
    app = pages(Role.ANALYST, "cohort")
    app.session_state["cohort_event_kind"], app.session_state["cohort_events"] = ["surgery"], ["none"]
    app.run()
    assert not app.exception
    assert "without surgery on record" in words(app)


def test_a_saved_cohort_of_another_release_says_so(women: Installation, pages: OpenPage) -> None:
    ana = analyst(women)
    with women.database.write() as session:
        session.add(
            SavedCohort(
                key="k",
                user_id=ana.user_id,
                name="old",
                definition={"format": "longview-cohort/9"},
                shared=True,
            )
        )
    (found,) = cohorts_of(women, ana)
    assert found.definition is None
    assert "another release" in found.problem
    assert "another release" in words(pages(Role.ANALYST, "cohort", cohort="k"))


def test_single_courses_are_drawn_for_whom_an_admin_let_see_them_alone(
    women: Installation, pages: OpenPage
) -> None:
    def single(app: AppTest) -> int:
        assert not app.exception
        (drawn, *_) = (found.proto for found in app.get("plotly_chart"))
        return sum(trace.get("opacity") == 0.35 for trace in json.loads(drawn.spec)["data"])

    app = pages(Role.ANALYST, "cohort", part="See", see="Course")
    assert "see_single" not in [toggle.key for toggle in app.toggle]
    assert single(app) == 0
    name = next(account.username for account in list_accounts(women) if account.role is Role.ANALYST)
    boss = create_user(women, "boss", "a long password", Role.ADMIN)
    assert not boss.may(Permission.SEE_SINGLE_COURSES), "nobody's role has it"
    set_grant(women, name, Permission.SEE_SINGLE_COURSES, granted=True, by=boss)
    app.run()
    app.toggle(key="see_single").set_value(True).run()
    assert single(app) > 5
    assert [entry.action for entry in audit.latest(women, limit=1, action="single_courses_seen")]
    set_grant(women, name, Permission.SEE_SINGLE_COURSES, granted=False, by=boss)
    app.run()
    assert single(app) == 0
    trail = [(entry.action, entry.person) for entry in audit.latest(women) if "permission_" in entry.action]
    assert trail == [("permission_taken_back", "boss"), ("permission_granted", "boss")]


def test_only_an_admin_grants_and_only_what_no_role_has(women: Installation) -> None:
    ana = analyst(women)
    with pytest.raises(AccessDenied):
        set_grant(women, "ana", Permission.SEE_SINGLE_COURSES, granted=True, by=ana)
    with pytest.raises(ValueError, match="goes with a role"):
        set_grant(women, "ana", Permission.ADMINISTER, granted=True)
    with pytest.raises(ValueError, match="no account"):
        set_grant(women, "nobody", Permission.SEE_SINGLE_COURSES, granted=True)
    assert set_grant(women, "ana", Permission.SEE_SINGLE_COURSES, granted=True)
    assert not set_grant(women, "ana", Permission.SEE_SINGLE_COURSES, granted=True)
