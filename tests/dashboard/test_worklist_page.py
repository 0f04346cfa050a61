"""The worklist, run without a browser: groups, filters, order, its address."""

from datetime import date

import pytest

from core.installation import Installation
from core.people.accounts import Role
from core.records import key_of
from dashboard import components
from dashboard.components import WorklistOrder
from tests import factories
from tests.dashboard.page_runs import OpenPage, given, no_error, words
from tests.factories import VisitPlan


def test_the_worklist_says_what_to_do_while_it_is_empty(here: Installation, pages: OpenPage) -> None:
    app = pages(Role.ONCOLOGIST, "worklist")
    assert no_error(app)
    assert "No patients yet" in words(app)


def test_the_worklist_counts_its_groups_and_narrows(here: Installation, pages: OpenPage) -> None:
    factories.cohort(here, 8)
    app = pages(Role.ONCOLOGIST, "worklist")
    assert no_error(app)
    assert "8 of 8 patients" in words(app)
    app.text_input(key="q").set_value("Sim-0003").run()
    assert "1 of 8 patients" in words(app)
    app.text_input(key="q").set_value("nobody at all").run()
    assert "Nobody matches" in words(app)
    assert no_error(app)


def test_a_column_orders_all_women_and_not_only_those_who_are_shown(
    here: Installation, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 104):
        factories.woman(here, f"{number:03d}", [VisitPlan(date(2026, 9, 1), number / 1000, views=())])
    factories.woman(here, "unscored", [])
    shown: list[list[str]] = []
    asked: list[WorklistOrder] = []

    def table(rows, *, focus, order, on_open, on_order, says) -> None:
        shown.append([row["mrn"] for row in rows])
        if asked:
            on_order(asked.pop())

    monkeypatch.setattr(components, "worklist_table", table)
    app = pages(Role.ONCOLOGIST, "worklist")
    assert (shown[-1][0], len(shown[-1])) == ("103", 100)
    asked.append(("risk", False))
    app.run().run()
    assert no_error(app)
    assert shown[-1] == [f"{number:03d}" for number in range(1, 101)]
    assert app.query_params["order"] == "risk-up"
    next(button for button in app.button if button.label == "Show 4 more").click().run()
    assert shown[-1][-2:] == ["103", "unscored"]
    asked.append(("", True))
    app.run().run()
    assert shown[-1][0] == "103"
    assert "order" not in app.query_params


def test_an_order_in_the_address_is_taken_and_one_that_is_none_is_not(
    here: Installation, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        factories.woman(here, str(number), [VisitPlan(date(2026, 9, 1), 0.01 * (number + 1), views=())])
    shown: list[list[str]] = []

    def table(rows, **more) -> None:
        shown.append([row["mrn"] for row in rows])

    monkeypatch.setattr(components, "worklist_table", table)
    pages(Role.ONCOLOGIST, "worklist", order="patient-up")
    assert shown[-1] == ["0", "1", "2"]
    assert no_error(pages(Role.ONCOLOGIST, "worklist", order="' OR 1=1"))
    assert shown[-1] == ["2", "1", "0"]


def test_a_shared_address_shows_the_same_group_filters_and_what_cannot_be_is_passed_over(
    here: Installation, pages: OpenPage
) -> None:
    factories.cohort(here, 8)
    app = pages(
        Role.ONCOLOGIST, "worklist", show="changed and unexplained", age="40-90", row=key_of(here, "00001")
    )
    assert no_error(app)
    assert given(app, "worklist")["focus"] == "00001"
    assert {button.label for button in app.button} >= {"Age 40–90", "Clear all"}
    assert [row["alerts"] != [] for row in given(app, "worklist")["rows"]] == [True, True]
    next(button for button in app.button if button.label == "Clear all").click().run()
    assert "age" not in app.query_params
    app = pages(
        Role.ONCOLOGIST, "worklist", show="<script>", age="9-" + "9" * 5000, density="Z", rows="9" * 5000
    )
    assert no_error(app)
    assert "8 of 8 patients" in words(app)


def test_a_threshold_is_told_for_the_ages_that_it_holds_for(here: Installation, pages: OpenPage) -> None:
    for mrn, born in (("young", date(1970, 5, 1)), ("old", date(1946, 5, 1))):
        factories.woman(here, mrn, [VisitPlan(date(2024, 6, 1), 0.02)], birth_date=born)
    rows = {row["mrn"]: row for row in given(pages(Role.ONCOLOGIST, "worklist"), "worklist")["rows"]}
    assert rows["young"]["band"] is not None
    assert rows["old"]["band"] is None, "she was 78"
    until = rows["old"]["threshold"]["until"]
    assert until == "2021-05-01", "the day on which she is 75"
