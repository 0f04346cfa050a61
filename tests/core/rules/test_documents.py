"""Rules as data: what stands in the files holds, and what cannot be is said by file, table and key."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from core.cli.terminal import MACHINE_FAILED, Verbs
from core.rules import alerts, documents, hanging_protocols, thresholds
from core.rules.alerts import AlertRules, Measure, alert_rules
from core.rules.assessment import AssessmentRules
from core.rules.documents import RulesError
from core.rules.hanging_protocols import HangingProtocols
from core.rules.thresholds import Thresholds
from core.rules.vocabulary import ViewName

FILES = {
    "alerts.toml": AlertRules,
    "thresholds.toml": Thresholds,
    "hanging.toml": HangingProtocols,
    "assessment.toml": AssessmentRules,
}


def changed(tmp_path: Path, name: str, old: str, new: str) -> RulesError:
    """Change a shipped file of rules in one place, and return what reading it then says."""
    text = documents.FOLDER.joinpath(name).read_text("utf-8")
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(RulesError) as refused:
        documents.read(name, FILES[name], folder=tmp_path)  # type: ignore[type-var]
    return refused.value


@pytest.mark.parametrize("name", FILES)
def test_the_shipped_rules_hold_and_say_their_edition(name: str) -> None:
    assert documents.read(name, FILES[name]).edition  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("alerts.toml", "above = 0.02", "above = 10", '[[alert]] 1, key "above": input should be less than'),
        ("alerts.toml", "above = 0.02\n", "", "[[alert]] 1: above belongs to a level, and a level needs it"),
        ("alerts.toml", "above = 0.02", "over = 0.02", '[[alert]] 1, key "over" is not known here'),
        ("alerts.toml", 'measure = "change"', 'measure = "risk_9y"', '[[alert]] 2, key "measure"'),
        ("alerts.toml", "quantile = 0.975\n", "", "[[alert]] 2: quantile belongs to a change or a slope"),
        ("alerts.toml", "quantile = 0.975", "quantile = 0.97", "0.97 of change is not among the shares"),
        ("alerts.toml", "{side} {value}", "{side} {worth}", "the sentence asks for worth"),
        ("alerts.toml", "ratio = [1.19", "ratio = [9.19", "[reference]: ratio must rise"),
        ("alerts.toml", "slope = [0.001, ", "slope = [", "slope must rise and be as many as shares"),
        ("alerts.toml", "urgency = 2", "urgency = 1", "the urgency 1 stands there more than once"),
        ("alerts.toml", 'rule = "progression"', 'rule = "risk_high"', "the rule risk_high stands there more"),
        ("alerts.toml", 'source = "The lower', 'source = ""  # "The lower', '[[alert]] 1, key "source"'),
        ("alerts.toml", 'edition = "2026-11-28.2"', "", 'key "edition" is missing'),
        ("alerts.toml", "[[alert]]", "[[alert]", "is no TOML"),
        ("thresholds.toml", "from = 0.030", "from = 0.010", "each lie above the one before"),
        (
            "thresholds.toml",
            "to_age = 74\ninterval",
            "to_age = 30\ninterval",
            "[screening]: from_age lies above to_age",
        ),
        ("thresholds.toml", "to_age = 74  #", "to_age = 30  #", "[[risk_5y]] 2: from_age lies above to_age"),
        ("thresholds.toml", "to_age = 74\ninterval", 'to_age = "old"\ninterval', '[screening], key "to_age"'),
        ("thresholds.toml", "interval_months = 24", "", '[screening], key "interval_months" is missing'),
        ("hanging.toml", '"R-CC"', '"R-CCC"', "“R-CCC” is no view"),
        ("hanging.toml", '"R-CC"', '"L-CC"', "the view L-CC stands there more than once"),
        ("hanging.toml", '"four views"', '"six views"', "in_force names “six views”"),
        ("hanging.toml", ', L = "left"', "", "chest_wall names an edge for each of L and R"),
        ("hanging.toml", '"R-CC now"', '"R-CC"', "“R-CC” does not say whose view it is: now or prior"),
        ("hanging.toml", '"L-CC now"', '"R-CC now"', "the view R-CC now stands there more than once"),
        ("hanging.toml", 'key = "2"', 'key = "1"', "the key 1 stands there more than once"),
        ("hanging.toml", "every_image = true", "every_image = false", "[[layout]] 8: a layout has rows"),
        ("hanging.toml", 'opens_with = "Cu', 'opens_with = "cu', "opens_with names “current beside prior”"),
        ("assessment.toml", '"5"]\nsource', "]\nsource", "“5” is no category that concern has in its order"),
        ("assessment.toml", 'follows = ["3"]', "follows = []", "no management follows the category 3"),
        (
            "assessment.toml",
            'follows = ["3"]',
            'follows = ["0"]',
            "the category 0 stands there more than once",
        ),
        ("assessment.toml", 'key = "biopsy"', 'key = "routine"', "the management routine stands there more"),
        (
            "assessment.toml",
            "malignancy_from = 0.02",
            "malignancy_from = 2",
            '[agreement], key "malignancy_from"',
        ),
        ("assessment.toml", 'positive = ["0"', 'positive = ["O"', "“O” is no category"),
    ],
)
def test_what_cannot_be_is_named_by_file_table_and_key(
    tmp_path: Path, name: str, old: str, new: str, said: str
) -> None:
    sentence = str(changed(tmp_path, name, old, new))
    assert sentence.startswith(name)
    assert said in sentence
    assert "pydantic" not in sentence


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"alerts.toml is missing\. Take the file of this release again\."):
        documents.read("alerts.toml", AlertRules, folder=tmp_path)


def test_a_command_says_which_file_of_rules_is_damaged(tmp_path: Path) -> None:
    verbs = typer.Typer(cls=Verbs)

    @verbs.callback()
    def _all() -> None:
        pass

    @verbs.command()
    def worklist() -> None:
        documents.read("alerts.toml", AlertRules, folder=tmp_path)

    ended = CliRunner().invoke(verbs, ["worklist"])
    assert ended.exit_code == MACHINE_FAILED
    assert "alerts.toml is missing" in ended.stderr
    assert "Traceback" not in ended.output


def test_what_speaks_of_disease_now_is_most_urgent_then_change_then_level() -> None:
    assert [rule.rule for rule in alert_rules()] == [
        "malignancy", "change", "progression", "slope", "risk_high", "quality", "overdue",
    ]  # fmt: skip
    assert {rule.measure for rule in alert_rules()} == set(Measure)
    assert (alerts.urgency("malignancy"), alerts.urgency("a rule of before")) == (1, None)


def test_the_four_views_hang_craniocaudal_above_oblique_with_the_chest_walls_in_the_middle() -> None:
    protocol = hanging_protocols.protocol()
    assert protocol.rows == (
        (ViewName("R", "CC"), ViewName("L", "CC")),
        (ViewName("R", "MLO"), ViewName("L", "MLO")),
    )
    assert protocol.chest_wall == {"R": "right", "L": "left"}
    opens = next(one for one in hanging_protocols.protocols().layout if one.key == "1")
    assert opens.name == hanging_protocols.protocols().opens_with
    assert [place.words for place in opens.rows[0]] == ["R-CC now", "L-CC now", "R-CC prior", "L-CC prior"]


def test_a_risk_lies_in_the_band_that_begins_at_or_below_it() -> None:
    assert [thresholds.risk_band(risk).key for risk in (0.0, 0.0169, 0.017, 0.03, 1.0)] == [
        "average",
        "average",
        "raised",
        "high",
        "high",
    ]
