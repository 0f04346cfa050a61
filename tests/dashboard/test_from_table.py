"""The page's way to take in records from a table."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people.accounts import Role
from db.tables import Patient
from tests.dashboard.page_runs import no_error, words
from tests.dashboard.test_add_study import press

OpenPage = Callable[..., AppTest]


def from_table(pages: OpenPage, role: Role, text: str) -> AppTest:
    app = pages(role, "add_study")
    app.segmented_control(key="add_how").set_value("From a table").run()
    app.file_uploader[0].set_value([("women.csv", text.encode(), "text/csv")])
    return app.run()


def women(here: Installation) -> int:
    with here.database.read() as session:
        return session.scalar(select(func.count()).select_from(Patient)) or 0


def test_a_table_is_mapped_asked_shown_kept_and_set_aside(here: Installation, pages: OpenPage) -> None:
    app = from_table(
        pages, Role.STAFF, "Number;DOB;Name\nA-1;03/04/1960;=Ann\nA-2;05/06/1971;<b>Bea\n;01/02/1970;Nobody\n"
    )
    assert no_error(app)
    assert "No column says: MRN" in words(app)
    next(box for box in app.selectbox if box.label.startswith("MRN")).set_value("Number").run()
    assert no_error(app)
    (order,) = app.radio
    assert order.value is None
    order.set_value(order.options[0] if order.options[0] == "dmy" else "dmy").run()
    assert no_error(app)
    text = words(app)
    assert "1960-04-03" in text
    assert "MRN is missing" in text
    assert "&lt;b&gt;Bea" in text
    assert next(button for button in app.button if button.label == "Keep 2 lines").disabled
    next(box for box in app.checkbox if "good lines" in box.label).check().run()
    app = press(app, "Keep 2 lines")
    assert no_error(app)
    assert "2 lines of women.csv are kept, as table 1" in words(app)
    assert women(here) == 2
    app = press(app, "Set this table aside")
    assert no_error(app)
    assert "2 records are taken out" in words(app)
    assert women(here) == 0


def test_before_a_table_is_there_it_is_said_how_to_write_one(here: Installation, pages: OpenPage) -> None:
    app = pages(Role.STAFF, "add_study")
    app.segmented_control(key="add_how").set_value("From a table").run()
    assert no_error(app)
    assert "2024-03-15, 15 Mar 2024" in words(app)
    assert [button.label for button in app.get("download_button")] == ["Empty table"]


def test_what_is_no_table_is_said_so(here: Installation, pages: OpenPage) -> None:
    app = from_table(pages, Role.STAFF, "PK\x03\x04")
    assert no_error(app)
    assert "Save it as CSV" in words(app)


def test_staff_are_not_offered_readings(here: Installation, pages: OpenPage) -> None:
    app = from_table(pages, Role.STAFF, "a\n1\n")
    assert "Readings" not in [str(one) for one in app.button_group[-1].options]
