"""What is taken away of a cohort: tables, pages, scores. The same figures give the same bytes, and nothing in them runs."""

import io
import json
from datetime import date

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from core.cohorts import Definition, select
from core.cohorts.away import page, tables
from core.cohorts.away.bcrbench import auc_per_year, scores_of
from core.cohorts.away.report import CannotReport, day_of, write_report
from core.cohorts.away.told import Told
from tests.cohort_frames import synthetic

ATTACK = "</script><script>alert(1)</script>"
MADE = page.Made(
    "2026-11-28", "0.1.0", "these women", "a model", "n ≈ 25 women", '{"a": 1}', "abc", "simulated"
)


def told(name: str = "age") -> Told:
    figure = {
        "data": [{"type": "bar", "x": [ATTACK, "b"], "y": np.array([10.0, np.nan])}],
        "layout": {"height": 280},
    }
    table = pl.DataFrame(
        {"group": [ATTACK, "=1+1", None], "women": [10, 15, None], "share": [0.4, float("nan"), None]}
    )
    return Told(
        name, f"How {ATTACK}?", "n ≈ 25 women", [("What", "bars & more"), ("How", "counted")], table, figure
    )


def test_a_table_as_csv_keeps_numbers_and_lets_nothing_run() -> None:
    table = pl.DataFrame(
        {
            "=name": ["=1", "a;＝cmd", None],
            "n": [1.5, None, -2.0],
            "day": [date(2020, 1, 2)] * 3,
            "kind": pl.Series(["A", None, "@B"], dtype=pl.Categorical()),
            "many": [["-x", "y"], [], None],
        }
    )
    text = tables.csv_of(table, note="=two\nlines").decode()
    assert text.startswith("# '=two lines\n")
    back = pl.read_csv(io.StringIO(text), comment_prefix="#", try_parse_dates=True)
    assert back["n"].to_list() == [1.5, None, -2.0]
    assert back["'=name"].to_list() == ["'=1", "a;'＝cmd", None]
    assert back["kind"].to_list() == ["A", None, "'@B"]
    assert back["many"].to_list()[0] == "'-x; y"
    assert back["day"].to_list() == [date(2020, 1, 2)] * 3


def test_a_table_as_parquet_comes_back_and_says_what_it_is() -> None:
    table = told().table
    data = tables.parquet_of(table, note="n ≈ 25 women")
    assert pl.read_parquet(io.BytesIO(data)).equals(table)
    assert pl.read_parquet_metadata(io.BytesIO(data))["longview"] == "n ≈ 25 women"
    assert data == tables.parquet_of(table, note="n ≈ 25 women")


def test_a_page_holds_the_library_once_asks_no_network_and_runs_no_word_of_others() -> None:
    html = page.render("Report", MADE, [page.Section("Who", [told(), told("density")], [ATTACK])]).decode()
    assert ATTACK not in html
    assert html.count("plotly.js v") == 1
    assert "default-src 'none'" in html
    own = html.replace(page.drawing_library(), "")
    assert "http" not in own.replace("http-equiv", "")
    for words in ("n ≈ 25 women", "0.1.0", "a model", "2026-11-28", "bars &amp; more", "simulated"):
        assert words in own
    documents = [part.split("</script>")[0] for part in own.split('type="application/json">')[1:]]
    assert json.loads(documents[0])["data"][0]["y"] == [10.0, None]


def test_a_page_without_figures_needs_no_library() -> None:
    html = page.render("Report", MADE, [page.Section("", notes=["Fewer than 5 women fit."])])
    assert len(html) < 20_000
    assert "Fewer than 5 women fit." in html.decode()


def test_a_report_is_the_same_when_it_is_made_again(tmp_path) -> None:
    sections = [page.Section("Who", [told(), told("density")])]
    for name in ("one", "two"):
        write_report(tmp_path / name, "Cohort report", MADE, sections)
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    assert {path.name for path in one} >= {
        "report.html",
        "report.json",
        "definition.json",
        "age.csv",
        "age.parquet",
    }


def test_the_day_of_a_report() -> None:
    assert day_of("2026-05-31", {"SOURCE_DATE_EPOCH": "0"}) == date(2026, 5, 31)
    assert day_of(None, {"SOURCE_DATE_EPOCH": "86400"}) == date(1970, 1, 2)
    assert day_of(None, {}) == date.today()
    for said, epoch in (("tomorrow", ""), (None, "x"), (None, "9" * 30)):
        with pytest.raises(CannotReport, match="no day"):
            day_of(said, {"SOURCE_DATE_EPOCH": epoch})


def test_scores_in_the_form_of_bcrbench_are_its_own_numbers() -> None:
    selection = select(
        synthetic(600), Definition.from_json({"format": "longview-cohort/1", "kind": "simulated"})
    )
    found = scores_of(selection)
    document = found.to_json()
    assert (
        len(document["predictions"])
        == len(document["golds"])
        == len(document["censor_times"])
        == found.exams
        > 500
    )
    assert {len(row) for row in document["predictions"]} == {5}
    assert set(document["censor_times"]) <= set(range(5))
    assert all(row == sorted(row) for row in document["predictions"])
    # As BCRBench counts: cancer by then, against those who were followed that far.
    for year in range(5):
        pairs = [
            (gold == 1 and time <= year, row[year])
            for row, time, gold in zip(
                document["predictions"], document["censor_times"], document["golds"], strict=True
            )
            if (gold == 1 and time <= year) or time >= year
        ]
        assert document["auc_per_year"][str(year)] == pytest.approx(roc_auc_score(*zip(*pairs, strict=True)))
    words = json.dumps(document["longview"])
    assert "patient" not in words
    # For the trail: whose exams went out, each woman once.
    everybody = set(selection.women["patient_id"].to_list())
    assert 0 < len(found.patients) == len(set(found.patients)) <= found.exams
    assert set(found.patients) <= everybody
    assert found.left_out["without cancer and followed for less than a year"] > 0


def test_an_exam_within_the_first_year_before_cancer_is_of_the_first_year() -> None:
    frame = synthetic(600)
    selection = select(frame, Definition.from_json({"format": "longview-cohort/1", "kind": "simulated"}))
    exams = selection.told_visits("woman", "on").join(
        selection.women.select("woman", "diagnosed_on"), on="woman"
    )
    soon = exams.filter((pl.col("diagnosed_on") - pl.col("on")).dt.total_days().is_between(0, 365))
    found = scores_of(selection)
    assert int(((found.golds == 1) & (found.censor_times == 0)).sum()) == len(soon) > 0


def test_auc_of_one_outcome_alone_is_not_told() -> None:
    assert set(auc_per_year(np.full((3, 5), 0.1), np.full(3, 4), np.zeros(3, int)).values()) == {"NA"}
