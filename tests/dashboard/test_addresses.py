"""Addresses name a woman by her key: no MRN, no name and nothing that was searched for stands in one."""

import re
from collections.abc import Callable
from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people import Role
from core.records import key_of
from dashboard import keys
from tests import factories
from tests.dashboard.page_runs import words
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]
MRN, NAME = "MRN-4711", "Ruiz^Ana"


@pytest.fixture
def ana(here: Installation) -> str:
    factories.woman(here, MRN, [VisitPlan(date(2024, 6, 1), 0.02, views=())], name=NAME)
    return key_of(here, MRN)


def test_a_page_of_hers_is_addressed_by_her_key_alone(pages: OpenPage, ana: str) -> None:
    assert re.fullmatch(r"[\w-]{16}", ana)
    for page in ("patient", "compare", "add_study"):
        app = pages(Role.ONCOLOGIST, page, mrn=MRN)
        assert not app.exception
        assert "".join(app.query_params[keys.PATIENT]) == ana
        assert MRN not in str(dict(app.query_params))


def test_what_is_searched_for_stays_out_of_the_address(pages: OpenPage, ana: str) -> None:
    app = pages(Role.ONCOLOGIST, "worklist", q="Smith", row=ana)
    assert app.text_input(key=keys.SEARCH).value == "", "an old address is not searched by"
    app.text_input(key=keys.SEARCH).set_value("Ruiz").run()
    assert not app.exception
    assert "Ruiz" not in str(dict(app.query_params))
    assert keys.SEARCH not in app.query_params
    assert app.session_state[keys.LAST_PATIENT] == MRN
    assert "".join(app.query_params[keys.ROW]) == ana


def test_an_mrn_in_an_address_is_not_followed_and_says_what_to_do(pages: OpenPage, ana: str) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn=MRN)
    assert NAME.partition("^")[0] in words(app)
    app = pages(Role.ONCOLOGIST, "worklist")
    app.query_params["mrn"] = MRN
    app.switch_page("screens/patient.py").run()
    assert not app.exception
    assert "addresses hold no MRN" in words(app)
    assert NAME.partition("^")[0] not in words(app)


def test_a_key_of_nobody_leads_to_nobody(pages: OpenPage, ana: str) -> None:
    app = pages(Role.ONCOLOGIST, "patient", patient=MRN)
    assert not app.exception
    assert "leads to no patient" in words(app)
