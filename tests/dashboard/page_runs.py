"""What tests of pages share that are run without a browser: a woman's course, what stands on a page, a button pressed."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

from streamlit.testing.v1 import AppTest

from tests import factories
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]

COURSE = [
    VisitPlan(date(2018, 5, 2), 0.012),
    VisitPlan(date(2020, 5, 20), 0.018, views=factories.FOUR_VIEWS[:3]),
    VisitPlan(
        date(2025, 6, 1),
        0.034,
        malignancy_left=0.31,
        alerts=[("risk_high", "5-year risk 3.4 % is above 3.0 %")],
    ),
]


def words(app: AppTest) -> str:
    return " ".join(html.proto.body for html in app.get("html"))


def given(app: AppTest, component: str) -> Any:
    """Return what a page hands to one of its own components."""
    protos = [found.proto for found in app.get("bidi_component")]
    return json.loads(next(p.json for p in protos if p.component_name == f"longview_{component}"))


def no_error(app: AppTest) -> bool:
    return not app.exception


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert no_error(app)
    return app
