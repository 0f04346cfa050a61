"""Each page, run without a browser, for somebody in a role."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from core.installation import Installation
from core.people.accounts import Role
from core.records import cards
from dashboard import look
from db.tables import (
    Patient,
)
from models.store import registry
from tests import factories
from tests.core.records.test_cards import CARD
from tests.dashboard.page_runs import COURSE, OpenPage, no_error, words

NAUGHTY = [
    "![x](http://elsewhere.example/leak.png)",
    "<script>alert(1)</script>",
    "[click](http://elsewhere.example)",
    ":material/delete: :red[x] $x^2$ `y` **z**",
    "'; DROP TABLE patient; --",
    "=cmd|'/c calc'!A1",
    "‮right to left‬ 田中さん 👩🏽",
    "a" * 250,
    "\t\n",
]


@pytest.mark.parametrize("page", ["cohort", "models"])
def test_the_analysts_pages_open_empty_and_full(here: Installation, pages: OpenPage, page: str) -> None:
    assert no_error(pages(Role.ANALYST, page))
    factories.cohort(here, 8)
    assert no_error(pages(Role.ANALYST, page))


@pytest.mark.parametrize(
    ("role", "page"),
    [
        (Role.ANALYST, "worklist"),
        (Role.ANALYST, "patient"),
        (Role.STAFF, "cohort"),
        (Role.ONCOLOGIST, "admin"),
    ],
)
def test_a_page_of_another_role_says_so_and_shows_nothing(
    here: Installation, pages: OpenPage, role: Role, page: str
) -> None:
    factories.woman(here, "00017", COURSE, name="Sim-0017")
    app = pages(role, page, mrn="00017")
    assert no_error(app)
    assert [info.value for info in app.info] == ["Your role does not include this page. Ask your admin."]
    assert "Sim-0017" not in words(app)


@pytest.mark.parametrize("name", NAUGHTY)
def test_naughty_names_break_no_page_and_stay_text(here: Installation, pages: OpenPage, name: str) -> None:
    factories.woman(here, name.strip()[:64] or "blank", COURSE, name=name)
    with here.database.read() as session:
        mrn = session.scalars(select(Patient.mrn)).one()
    for page, query in (("worklist", {}), ("patient", {"mrn": mrn}), ("add_study", {})):
        app = pages(Role.ONCOLOGIST, page, **query)
        assert no_error(app)
        for html in app.get("html"):
            assert "<script>alert" not in html.proto.body
        assert "![x](" not in " ".join(markdown.value for markdown in app.markdown)


def test_the_big_list_of_naughty_strings_breaks_no_page(
    here: Installation, pages: OpenPage, shared_data: Path
) -> None:
    strings = json.loads((shared_data / "text" / "blns.json").read_text(encoding="utf-8"))
    with here.database.write() as session:
        for number, text in enumerate(strings):
            session.add(Patient(mrn=f"n{number}", name=text[:256].replace("\x00", ""), simulated=False))
    app = pages(Role.ONCOLOGIST, "worklist")
    assert no_error(app)
    assert f"{len(strings)} of {len(strings)} patients" in words(app)
    for text in strings[::20]:
        app.text_input(key="q").set_value(text[:100].replace("\x00", "")).run()
        assert no_error(app)


def test_the_card_of_the_model_that_spoke_is_on_its_pages(
    here: Installation, pages: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    cards.forget()
    (tmp_path / "longitudinal-sim").mkdir()
    (tmp_path / "longitudinal-sim" / registry.CARD).write_text(json.dumps(CARD))
    factories.woman(here, "00017", COURSE)
    patient = words(pages(Role.ONCOLOGIST, "patient", mrn="00017"))
    assert "learned from simulated women" in patient
    assert "Real film looks different." in patient
    shown = words(pages(Role.ANALYST, "models"))
    for expected in ("speaks", "learned from simulated women", "auc 5y value", "0.810", "ab" * 32):
        assert expected in shown
    cards.forget()


def test_a_models_figures_say_what_they_are_of_and_whether_the_history_adds_anything(
    here: Installation, pages: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {
        "women": 400,
        "risk": {"1": {"n": 368, "events": 34, "auc": 0.67, "auc_ci": [0.55, 0.77], "o_e": 0.7}},
        "controls": {"last": {"1": {"gain": -0.03, "gain_ci": [-0.09, 0.03]}}},
        "density": {"accuracy": 0.77, "kappa": None},
    }
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    cards.forget()
    (tmp_path / "longitudinal-sim").mkdir()
    (tmp_path / "longitudinal-sim" / registry.CARD).write_text(json.dumps({**CARD, "metrics": measured}))
    app = pages(Role.ANALYST, "models")
    assert no_error(app)
    shown = words(app)
    for expected in (
        "on 400 simulated women",
        "within 1 year",
        "34 of 368",
        "(0.55 to 0.77)",
        "0.70",
        f"{look.percent(0.77)}, κ –",
    ):
        assert expected in shown, expected
    assert "−0.030<br>(−0.090 to +0.030)" in shown
    cards.forget()


def test_the_figures_of_a_model_of_single_images_are_told_by_class_and_pair(
    here: Installation, pages: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {
        "measured_on": "out of fold, 5 folds by woman",
        "n": 537,
        "accuracy": 0.83,
        "by_class": {
            "malignant": {
                "n": 145,
                "auc": 0.94,
                "auc_ci": [0.91, 0.96],
                "sensitivity_at_90_specificity": 0.82,
            }
        },
        "pairs": {"benign – malignant": {"auc": 0.93, "accuracy": 0.89, "accuracy_ci": [0.86, 0.92]}},
    }
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    cards.forget()
    (tmp_path / "tumour-us").mkdir()
    card = {**CARD, "name": "tumour-us", "metrics": measured}
    (tmp_path / "tumour-us" / registry.CARD).write_text(json.dumps(card))
    app = pages(Role.ANALYST, "models")
    assert no_error(app)
    shown = words(app)
    for expected in (
        "537 images",
        "<b>0.94</b> (0.91 to 0.96)",
        look.percent(0.82),
        f"{look.percent(0.89)} ({look.percent(0.86)} to {look.percent(0.92)})",
        f'all classes</td><td class="n"></td><td class="n">{look.percent(0.83)}',
        "Out of fold, 5 folds by woman",
    ):
        assert expected in shown, expected
    cards.forget()
