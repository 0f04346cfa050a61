"""What an open page remembers: as much after many women as after a few, and nothing that a person has put in is lost."""

from datetime import date

import pytest
from streamlit.runtime.state import SafeSessionState, SessionState
from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people import Role
from core.records import key_of
from dashboard import remembered
from tests import factories
from tests.dashboard.page_runs import OpenPage, no_error
from tests.factories import VisitPlan

WOMEN = 18
MOST_FORMS = 12


@pytest.fixture
def women(here: Installation) -> list[str]:
    mrns = [f"{number:05d}" for number in range(WOMEN)]
    for mrn in mrns:
        factories.woman(here, mrn, [VisitPlan(date(2024, 6, 1), 0.02, views=())])
    return mrns


def go_to(here: Installation, app: AppTest, mrn: str) -> AppTest:
    app.query_params["patient"] = key_of(here, mrn)
    return app.run()


def note(app: AppTest) -> object:
    return next(
        area for area in app.text_area if str(area.key).startswith("assessment_") and area.label == "Note"
    )


def of_forms(app: AppTest) -> set[str]:
    return {
        key.split("_")[1] for key in app.session_state._state.filtered_state if key.startswith("assessment_")
    }


def test_forms_in_which_nothing_was_put_in_are_let_go_and_a_draft_is_kept(
    here: Installation, pages: OpenPage, women: list[str]
) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn=women[0])
    note(app).set_value("to be signed after lunch")
    app.run()
    for mrn in women[1:]:
        go_to(here, app, mrn)
        assert no_error(app)
    assert len(of_forms(app)) <= MOST_FORMS + 2, "those seen last, the one on the page, and the draft"
    assert note(go_to(here, app, women[0])).value == "to be signed after lunch"
    assert note(go_to(here, app, women[1])).value == ""


def test_what_is_known_of_widgets_that_are_gone_is_forgotten(
    here: Installation, pages: OpenPage, women: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "MOST_GONE", 20)
    app = pages(Role.ONCOLOGIST, "patient", mrn=women[0])
    known = []
    for mrn in women[1:]:
        go_to(here, app, mrn)
        state = app.session_state._state
        state = state._state if isinstance(state, SafeSessionState) else state
        known.append(len(state._new_widget_state.widget_metadata))
    assert known[-1] <= known[MOST_FORMS + 1] + 7, (
        "no more than the forms that are remembered, and a page of its own"
    )
    assert no_error(app)


def test_a_widget_finds_its_own_value_without_those_of_all_others() -> None:
    state = SessionState()
    state["here"], state["nothing"] = 1, None
    found = remembered._OneByOne(SafeSessionState(state, lambda: None))
    assert ("here" in found, found["here"]) == (True, 1)
    assert ("nothing" in found, found["nothing"]) == (True, None)
    assert "gone" not in found
    assert found.get("gone", 2) == 2
    assert dict(found) == state.filtered_state
    assert len(found) == 2


def test_streamlit_still_gathers_values_where_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SafeSessionState, "filtered_state", SafeSessionState.filtered_state)
    remembered.look_up_one_by_one()
    state = SessionState()
    state["here"] = 1
    assert SafeSessionState(state, lambda: None).filtered_state["here"] == 1
    assert isinstance(SafeSessionState(state, lambda: None).filtered_state, remembered._OneByOne)
