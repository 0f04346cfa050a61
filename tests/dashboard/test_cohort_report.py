"""Every figure of the cohort page explains itself, and a command makes all of them again, byte for byte."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest
from typer.testing import CliRunner

from core import cohorts
from core.__main__ import app
from core.cohorts import Definition, Frame, Selection, empty_frame, select
from core.cohorts.away import report
from core.cohorts.away.told import document_of
from core.cohorts.bcsc import read_exams
from core.installation import Installation
from dashboard import house
from dashboard.cohort.page import PARTS
from dashboard.cohort.report import NOT_FIGURES, walk
from tests import factories
from tests.cohort_frames import synthetic

PROJECT = Path(__file__).resolve().parents[2]
SIMULATED = {"format": "longview-cohort/1", "kind": "simulated"}
FOUR = ["What", "How", "On whom", "What it does not mean"]
ON = date(2026, 11, 28)


@pytest.fixture(autouse=True)
def _of_this_installation(here: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let what a part looks up beside the women be of an empty installation."""
    house.here.cache_clear()
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    yield
    house.here().close()
    house.here.cache_clear()


def chosen(frame: Frame, **choices: object) -> Selection:
    return select(frame, Definition.from_json({**SIMULATED, **choices}))


def walked(selection: Selection) -> list[object]:
    return [taken for _, record in walk(selection, ON) for taken in record.figures]


@pytest.fixture(scope="module")
def of_many() -> Selection:
    return chosen(synthetic(1500))


def test_each_figure_says_what_how_on_whom_and_what_it_does_not_mean(of_many: Selection) -> None:
    figures = walked(of_many)
    assert len(figures) > 20
    names = [taken.name for taken in figures]
    assert len(set(names)) == len(names)
    for taken in figures:
        assert [heading for heading, _ in taken.about] == FOUR, taken.name
        for heading, words in taken.about:
            assert len(words.split()) >= 4, f"{taken.name} lacks “{heading}”"
        assert taken.question.strip(), taken.name
        assert taken.counted.strip(), taken.name
        assert taken.table.height, taken.name


def test_each_figure_can_be_drawn_anywhere(of_many: Selection) -> None:
    for taken in walked(of_many):
        if taken.drawn is not None:
            go.Figure(json.loads(document_of(taken.drawn)))


def test_all_parts_with_figures_are_in_the_report(of_many: Selection) -> None:
    parts = [title for title, _ in walk(of_many, ON)]
    there = {title for title, module in PARTS.items() if (PROJECT / f"dashboard/cohort/{module}.py").exists()}
    assert set(parts) == there - {"Screens"} - {t for t, module in PARTS.items() if module in NOT_FIGURES}


def test_a_table_without_days_and_scores_has_its_figures_and_sentences(shared_data: Path) -> None:
    frame = read_exams(shared_data / "bcsc" / "exams.csv").frame
    selection = select(frame, Definition.from_json({"format": "longview-cohort/1", "domain": "any"}))
    figures = {taken.name for taken in walked(selection)}
    assert {"age", "density", "screens", "screens-by-density", "screens-by-age"} <= figures
    assert not figures & {"risk", "calendar", "due", "course"}
    sentences = [note for _, record in walk(selection, ON) for note in record.notes]
    assert len(sentences) > 3


def _one_visit_each(frame: Frame) -> Frame:
    visits = frame.visits.filter(pl.col("visit") == 0)
    women = frame.women.with_columns(
        pl.col("first_on").alias("last_on"), pl.lit(1, pl.UInt16).alias("visits")
    )
    return replace(frame, visits=visits, women=women.with_columns(pl.lit(None, pl.Float32).alias("slope")))


def _nobody_ill(frame: Frame) -> Frame:
    return replace(frame, women=frame.women.with_columns(pl.lit(None, pl.Date).alias("diagnosed_on")))


def _no_follow_up(frame: Frame) -> Frame:
    women = frame.women.with_columns(
        pl.col("first_on").alias("last_contact"),
        *(pl.lit(None, pl.Date).alias(n) for n in ("diagnosed_on", "died_on")),
    )
    return replace(frame, women=women)


def _all_equal(frame: Frame) -> Frame:
    risks = [
        name
        for name in frame.visits.columns
        if name.startswith(("risk_1", "risk_2", "risk_3", "risk_4", "risk_5"))
    ]
    equal = [
        pl.when(pl.col(name).is_not_null()).then(0.02).cast(pl.Float32).alias(name)
        for name in risks
        if name != "risk_of_study_id"
    ]
    return replace(frame, visits=frame.visits.with_columns(equal))


def _backwards(frame: Frame) -> Frame:
    """Deaths and last contacts before the first visit."""
    before = (pl.col("first_on") - pl.duration(days=400)).alias
    return replace(frame, women=frame.women.with_columns(before("last_contact"), before("died_on")))


@pytest.mark.parametrize("spoil", [_one_visit_each, _nobody_ill, _no_follow_up, _all_equal, _backwards])
def test_poor_data_give_sentences_not_failures(spoil: object) -> None:
    selection = chosen(spoil(synthetic(400)))
    said = [(len(record.figures), record.notes) for _, record in walk(selection, ON)]
    assert all(figures or notes for figures, notes in said)


def test_nobody_is_a_sentence() -> None:
    empty = empty_frame("", synthetic(10).read_at)
    assert chosen(empty).withheld
    assert chosen(synthetic(300), density=["A"], level=["high"], age=["75-up"]).withheld


def test_the_command_makes_the_same_report_again(
    here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.cohort(here, 6)
    definition = tmp_path / "definition.json"
    definition.write_text(json.dumps(SIMULATED))
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    asked = ["cohort", "report", "--definition", str(definition), "--date", ON.isoformat(), "--json"]
    for name in ("one", "two"):
        made = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / name)])
        assert made.exit_code == 0, made.output
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    summary = json.loads(made.stdout)
    assert summary["figures"] > 2
    assert summary["made_on"] == "2026-11-28"
    for key in ("release", "model", "query_sha256", "sentence"):
        assert summary[key], key


def test_the_command_does_not_report_two_cohorts_that_differ_by_a_few(
    here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Women of density A, and women of 50 to 54, who are the same but for three: the second is refused, the first made again."""
    made_up = synthetic(300)
    aged = select(made_up, Definition.from_json({**SIMULATED, "age": ["50-54"]})).marks
    three = np.flatnonzero(aged)[:3]
    dense = pl.col("woman").is_in(np.flatnonzero(aged).tolist()) & ~pl.col("woman").is_in(three.tolist())
    letters = pl.when(dense).then(pl.lit("A")).otherwise(pl.lit("B")).cast(pl.Categorical())
    frame = replace(made_up, visits=made_up.visits.with_columns(density=letters))
    monkeypatch.setattr(cohorts, "frame_of", lambda _here: frame)
    monkeypatch.setattr(report, "make_report", lambda asked, out, *_: report.Reported(out, [], 0, {}, ""))
    codes = []
    for choices in ({"density": ["A"]}, {"age": ["50-54"]}, {"density": ["A"]}):
        definition = tmp_path / "definition.json"
        definition.write_text(json.dumps({**SIMULATED, **choices}))
        asked = ["cohort", "report", "--definition", str(definition), "--out", str(tmp_path / "out")]
        done = CliRunner().invoke(app, asked)
        codes.append(done.exit_code)
        if done.exit_code:
            assert "differs by fewer than 5 women" in " ".join(done.stderr.split())
    assert codes == [0, 2, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "no JSON"), ('{"format": "longview-cohort/7"}', "another release"), (None, "cannot be read")],
)
def test_the_command_says_what_is_wrong(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "var"))
    definition = tmp_path / "definition.json"
    if content is not None:
        definition.write_text(content)
    made = CliRunner().invoke(
        app, ["cohort", "report", "--definition", str(definition), "--out", str(tmp_path / "out")]
    )
    assert made.exit_code == 2
    assert said in " ".join(made.stderr.split())
    assert not (tmp_path / "out").exists()
