"""A score that may not be told is a number nowhere: on no page, in no answer, in no file."""

import csv
import html
import json
import re
import struct
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from core.cli.scoring import _said
from core.cohorts import Definition, Population, frame_of
from core.cohorts import select as select_women
from core.images import rendition
from core.installation import Installation
from core.people import Role, audit
from core.records import Column, Group, HeatMapClosed, Order, cards, heat_map_of, worklist
from core.records.export import export
from core.records.record import record_of
from core.rules import risk_ends_of
from core.worker.rows import item_of
from dashboard.cohort import see
from db.tables import Event, EventKind, Score, Study, utc_now
from models.store import registry
from tests import factories
from tests.core.records.test_cards import CARD
from tests.factories import VisitPlan
from tests.figures import HERS

OpenPage = Callable[..., AppTest]

ODD = 0.0737
"""A risk that nobody else has: 7.4 %."""
UNLIKE = ("withheld", "unlike_pictures")
OTHER_WOMEN = ("uncalibrated", "other_women")
DAYS = (date(2022, 3, 1), date(2024, 3, 1), date(2026, 3, 1))
TODAY = date(2026, 11, 21)
ENDED = ("died", "removed")
WOMEN = ("unlike", "diagnosed", "ranked", "old", *ENDED)
"""Women of whom no risk may be told, each for another reason; `diagnosed` and those of `ENDED` from the second visit on."""


def plan(on: date, **more: Any) -> VisitPlan:
    alert = ("risk_high", "5-year risk above 3.0 %: 7.4 %")
    # Pictures of the last visit only: they are what takes time.
    views = factories.FOUR_VIEWS if on == DAYS[-1] else ()
    told = {"malignancy_left": ODD, "malignancy_right": ODD, "alerts": [alert], "views": views}
    return VisitPlan(on, ODD, **{**told, **more})


@pytest.fixture
def reference(here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The model that speaks names a hundred reference women."""
    folder = tmp_path / "model"
    folder.mkdir()
    settings = {
        "reference": {"women": "simulated women of 50 to 69", "risk_5": [n / 1000 for n in range(101)]}
    }
    card = {**CARD, "weights_sha256": factories.WEIGHTS_SHA256, "settings": settings}
    (folder / registry.CARD).write_text(json.dumps(card))
    monkeypatch.setenv("LONGVIEW_MODEL", str(folder))
    here.settings.model = str(folder)
    cards.forget()
    yield
    cards.forget()


@pytest.fixture
def women(here: Installation, reference: None) -> None:
    """Six women with a number, and those without one."""
    for number in range(6):
        factories.woman(
            here, f"T{number}", [VisitPlan(DAYS[0], 0.011, views=()), VisitPlan(DAYS[2], 0.012, views=())]
        )
    none = {"progression": ODD, "trust": UNLIKE}
    factories.woman(here, "unlike", [plan(on, **none, bi_rads="2") for on in DAYS], simulated=False)
    factories.woman(here, "old", [plan(on, **none | {"trust": ("withheld", "not_known")}) for on in DAYS])
    factories.woman(
        here, "ranked", [plan(on, **none | {"trust": OTHER_WOMEN}) for on in DAYS], simulated=False
    )
    diagnosed = [VisitPlan(DAYS[0], 0.0222, progression=None, views=())]
    diagnosed += [plan(on, progression=0.62) for on in DAYS[1:]]
    events = [(EventKind.DIAGNOSIS, DAYS[1], None, "invasive cancer")]
    factories.woman(here, "diagnosed", diagnosed, events=events)
    for mrn, kind in zip(ENDED, (EventKind.DEATH, EventKind.MASTECTOMY), strict=True):
        visits = [VisitPlan(DAYS[0], 0.0222, progression=None, views=())]
        visits += [plan(on, progression=ODD) for on in DAYS[1:]]
        factories.woman(here, mrn, visits, events=[(kind, DAYS[1], None, "")])


def told(app: AppTest) -> str:
    """Return all that a page hands to the browser, but for its style sheet and the formats of its figures."""
    texts = []
    for node in app.main:
        proto = node.proto
        kind = type(proto).__name__
        if kind == "Html" and "<style>" in proto.body:
            continue
        texts.append({"PlotlyChart": "spec", "BidiComponent": "json", "Html": "body"}.get(kind, ""))
        texts[-1] = getattr(proto, texts[-1]) if texts[-1] else str(proto)
    return re.sub(r"%\{[^}]*\}|%[Ymd]", "", html.unescape("\n".join(texts)))


@pytest.mark.parametrize("mrn", ["unlike", "old", "ranked"])
def test_her_own_page_has_no_number_and_still_helps(women: None, pages: OpenPage, mrn: str) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn=mrn)
    assert not app.exception
    text = told(app)
    assert HERS.search(text) is None
    assert "%" not in text
    for helpful in ("Reader's assessment", "What would be needed", "Not for diagnosis", '"panes"'):
        assert helpful in text, helpful
    assert ("higher than 73 of 100 reference women" in text) is (mrn == "ranked")
    assert ("simulated women of 50 to 69" in text) is (mrn == "ranked")


def test_comparing_shows_her_pictures_and_no_number_and_nothing_to_an_analyst(
    women: None, pages: OpenPage
) -> None:
    text = told(pages(Role.ONCOLOGIST, "compare", mrn="unlike"))
    assert '"panes"' in text
    assert HERS.search(text) is None
    assert "%" not in text
    assert '"panes"' not in told(pages(Role.ANALYST, "compare", mrn="unlike"))


def test_what_may_be_told_is_found_where_it_is_looked_for(women: None, pages: OpenPage) -> None:
    text = told(pages(Role.ONCOLOGIST, "patient", mrn="T0"))
    for part in ('"risk":"1.2', "<b>1.2", "cancer within 5 years 1.2"):
        assert part in text.replace('": "', '":"'), part
    assert "%" in text


def test_after_a_diagnosis_growth_is_told_and_risk_is_not(women: None, pages: OpenPage) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn="diagnosed")
    assert not app.exception
    text = told(app)
    assert HERS.search(text) is None
    assert "No risk is shown after the diagnosis" in text
    assert "62" in text
    before = told(pages(Role.ONCOLOGIST, "patient", mrn="diagnosed", visit="2.25.10.1"))
    assert "2.2" in before, "what was said before the diagnosis stays"


@pytest.mark.parametrize("mrn", ENDED)
def test_once_no_breast_is_at_risk_nothing_is_told_and_what_was_said_before_stays(
    women: None, pages: OpenPage, mrn: str
) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn=mrn)
    assert not app.exception
    text = told(app)
    assert HERS.search(text) is None
    assert "no risk is told of it" in text
    uid = f"2.25.{[*'012345', 'unlike', 'old', 'ranked', 'diagnosed', *ENDED].index(mrn) + 1}.1"
    assert "2.2" in told(pages(Role.ONCOLOGIST, "patient", mrn=mrn, visit=uid))


COHORT: list[dict[str, str]] = [
    {},
    *({"part": "See", "see": kind} for kind in see.KINDS),
    {"part": "Readers"},
]
"""All parts of the cohort page that tell of risk."""


@pytest.mark.parametrize(
    ("role", "page", "query"),
    [
        *((Role.ANALYST, "cohort", query) for query in COHORT),
        (Role.ANALYST, "models", {}),
        (Role.STAFF, "add_study", {}),
        (Role.ONCOLOGIST, "read_image", {}),
        (Role.ADMIN, "admin", {}),
    ],
)
def test_no_page_beside_hers_tells_it(
    women: None, pages: OpenPage, role: Role, page: str, query: dict[str, str]
) -> None:
    app = pages(role, page, **query)
    assert not app.exception
    assert HERS.search(told(app)) is None


def test_her_row_of_the_worklist_has_no_number_no_alert_and_no_place_by_risk(
    here: Installation, women: None, pages: OpenPage
) -> None:
    app = pages(Role.ONCOLOGIST, "worklist")
    assert not app.exception
    assert HERS.search(told(app)) is None
    protos = [found.proto for found in app.get("bidi_component")]
    table = next(p.json for p in protos if p.component_name == "longview_worklist")
    shown = {row["mrn"]: row for row in json.loads(table)["rows"]}
    for mrn in WOMEN:
        row = {key: value for key, value in shown[mrn].items() if key != "threshold"}
        assert row["band"] is None
        assert row["alerts"] == []
        if mrn not in ("diagnosed", *ENDED):
            assert "%" not in json.dumps(row)
    found = worklist.rows(here, today=TODAY)
    by_risk = [row.mrn for row in worklist.ordered(found, Order(Column.RISK, True))]
    assert set(by_risk[-len(WOMEN) :]) == set(WOMEN)
    count = worklist.counts(found)
    assert (count[Group.NOT_SCORED], count[Group.UNDER_TREATMENT], count[Group.CHANGED]) == (2, 1, 0)
    assert {row.mrn: row.rank is not None for row in found if row.mrn in WOMEN}["ranked"]


def test_the_cohort_counts_none_of_them(here: Installation, women: None) -> None:
    frame = frame_of(here)
    untold = frame.visits.filter(pl.col("trust").cast(pl.String) != "trusted")
    assert len(untold) > 0
    assert (
        untold.select("risk_1", "risk_5", "low_5", "high_5", "malignancy", "progression")
        .drop_nulls()
        .is_empty()
    )
    assert ODD not in {round(risk, 4) for risk in frame.visits["risk_5"].drop_nulls()}
    both = select_women(frame, Definition(kind=Population.SIMULATED))
    assert both.n == 9, "the diagnosed woman, and those of ENDED, count with their visit before"


def test_the_answers_of_the_command_line_have_it_under_untrusted_only(
    here: Installation, women: None
) -> None:
    with here.database.read() as session:
        for score in session.scalars(select(Score)):
            study = session.get_one(Study, score.study_id)
            card = cards.settings_of(here, score.weights_sha256)
            item = item_of(score, study, study.patient.mrn, card, risk_ends_of(session, study.patient_id))
            answer = item.to_json()
            kept = answer.pop("untrusted", None)
            assert HERS.search(json.dumps(answer)) is None
            assert HERS.search(_said(item)) is None
            assert (kept is not None) is (score.risk_5y == ODD)
            if kept is not None:
                assert kept["risk"]["5"]["value"] == ODD
                assert set(answer["risk"]["5"].values()) == {None}
                assert answer["trust"]["reason"]
                grown = study.patient.mrn == "diagnosed"
                assert (answer["progression"] == 0.62) is grown
                assert (answer["intervals"]["progression"] is not None) is grown
                assert answer["intervals"]["malignancy"] == {"L": None, "R": None}
                assert (answer["rank"] is not None) is (study.patient.mrn == "ranked")


def test_what_is_fetched_for_her_pictures_does_not_tell_it(here: Installation, women: None) -> None:
    record = record_of(here, "unlike")
    assert record is not None
    for image in record.visits[-1].images:
        data = rendition(here, image.sop_uid)
        (length,) = struct.unpack("<I", data[4:8])
        assert set(json.loads(data[8 : 8 + length])) == {
            "rows", "columns", "source_rows", "source_columns", "bits", "window_center", "window_width", "spacing_mm",
        }  # fmt: skip


@pytest.mark.parametrize("mrn", WOMEN)
def test_no_heat_map_of_her_pictures_is_fetched(here: Installation, women: None, mrn: str) -> None:
    record = record_of(here, mrn)
    assert record is not None
    for image in record.visits[-1].images:
        with pytest.raises(HeatMapClosed):
            heat_map_of(here, image.sop_uid)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_export_has_it_under_untrusted_only(
    here: Installation, women: None, tmp_path: Path, kind: Any
) -> None:
    export(here, tmp_path / "out", kind=kind)
    if kind == "csv":
        tables = {
            path.stem: list(csv.DictReader(path.open(newline="")))
            for path in (tmp_path / "out").glob("*.csv")
        }
        scores = tables["scores"]
        rest = {name: rows for name, rows in tables.items() if name != "scores"}
    else:
        patients = json.loads((tmp_path / "out").read_text())["patients"]
        scores = [score for woman in patients for score in woman.pop("scores")]
        rest = patients
    assert HERS.search(json.dumps(rest)) is None
    kept = [score.pop("untrusted") for score in scores]
    assert HERS.search(json.dumps(scores)) is None
    assert sum(HERS.search(json.dumps(one)) is not None for one in kept) == 15


def test_a_diagnosis_that_is_taken_back_gives_the_number_back(here: Installation, women: None) -> None:
    record = record_of(here, "diagnosed")
    assert record is not None
    assert [visit.score is not None for visit in record.visits] == [True, False, False]
    assert record.open_alerts == ()
    with here.database.write() as session:
        session.delete(session.scalars(select(Event).where(Event.kind == EventKind.DIAGNOSIS)).one())
    record = record_of(here, "diagnosed")
    assert record is not None
    assert [visit.score is not None for visit in record.visits] == [True, True, True]
    assert len(record.open_alerts) == 2


def test_an_alert_by_a_score_that_may_not_be_told_is_no_number_even_when_it_was_acknowledged(
    here: Installation, women: None
) -> None:
    record = record_of(here, "unlike")
    assert record is not None
    assert len(record.alerts) == 3
    assert {alert.message for alert in record.alerts} == {""}


def test_a_score_made_anew_that_is_withheld_silences_the_alert_of_the_one_before(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(DAYS[2], 0.04, alerts=[("risk_high", "5-year risk: 4.0 %")])])
    assert [row.mrn for row in worklist.rows(here, today=TODAY) if row.changed] == ["1"]
    with here.database.write() as session:
        study = session.scalars(select(Study)).one()
        again = factories.score_row(study, VisitPlan(DAYS[2], ODD, trust=UNLIKE), [], [])
        again.computed_at = utc_now()
        session.add(again)
    assert [row.mrn for row in worklist.rows(here, today=TODAY) if row.changed] == []
    record = record_of(here, "1")
    assert record is not None
    assert (record.open_alerts, record.alerts[0].message) == ((), "")


def test_showing_it_anyway_is_written_down_and_over_with_the_next_look(
    here: Installation, women: None, pages: OpenPage
) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn="unlike")
    next(button for button in app.button if button.label.startswith("Show anyway")).click().run()
    assert not app.exception
    text = told(app)
    assert "Not to be believed" in text
    assert "7.4" in text
    assert "lv-hatched" in text
    (entry,) = audit.latest(here, action="withheld_score_shown")
    assert entry.subject == "patient:unlike"
    assert str(DAYS[2]) in entry.detail
    assert HERS.search(told(app.run())) is None
