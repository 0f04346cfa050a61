"""The reader's assessment: per breast, in versions, whole or refused in a sentence, and beside what was shown."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from core.installation import Installation
from core.people import Person, Role
from core.people.accounts import create_user
from core.records import AssessedMeanwhile, Assessment, record_assessment, record_of
from db.tables import AssessmentVersion, AuditEntry, Score, Study
from tests import factories
from tests.factories import VisitPlan

PRIOR, LAST = date(2023, 3, 1), date(2026, 3, 1)
UID, PRIOR_UID = "2.25.1.2", "2.25.1.1"
WHOLE = {"right": "2", "left": "1", "density": "B"}


@pytest.fixture
def here(here: Installation) -> Installation:
    here.settings.read_first = True
    factories.woman(here, "1", [VisitPlan(PRIOR, 0.012, views=()), VisitPlan(LAST, 0.03)])
    return here


@pytest.fixture
def reader(here: Installation) -> Person:
    return create_user(here, "ada", "a long password", Role.ONCOLOGIST, display_name="Dr Ada")


def standing(here: Installation) -> Assessment:
    record = record_of(here, "1")
    assert record is not None
    return record.visits[-1].assessment


def test_it_is_kept_as_it_was_said_and_the_study_keeps_the_breast_of_highest_concern(
    here: Installation, reader: Person
) -> None:
    said = {
        "right": "4B",
        "left": "2",
        "density": "C",
        "findings": " Mass, 9 mm ",
        "comparison": PRIOR_UID,
        "note": "x",
    }
    signed = record_assessment(here, reader, UID, **said)
    assert signed == standing(here)
    assert (signed.right, signed.left, signed.bi_rads, signed.density) == ("4B", "2", "4B", "C")
    assert (signed.findings, signed.compared_with, signed.management) == ("Mass, 9 mm", PRIOR, "biopsy")
    assert (signed.edition, signed.version, signed.by) == ("v2025", 1, "Dr Ada")
    assert signed.words == "BI-RADS 4B right, 2 left, density C"
    assert list(signed.told) == [
        "composition",
        "findings",
        "comparison",
        "right",
        "left",
        "management",
        "note",
    ]
    with here.database.read() as session:
        study = session.scalars(select(Study).where(Study.uid == UID)).one()
        assert (study.bi_rads, study.reader_density, study.assessment_note) == ("4B", "C", "x")
        assert study.assessed_at == signed.at


def test_a_change_of_mind_after_the_score_was_shown_is_a_second_version_that_says_so(
    here: Installation, reader: Person
) -> None:
    first = record_assessment(here, reader, UID, **WHOLE)
    assert (first.covered, first.revealed_at) == (True, first.at)
    second = record_assessment(
        here, reader, UID, right="4A", left="1", density="B", reason="The score", instead_of=first.at
    )
    assert (second.version, second.covered, second.revealed_at, second.reason) == (
        2,
        False,
        first.at,
        "The score",
    )
    assert second.changes_since(first) == [
        ("right", "2", "4A"),
        ("management", "routine screening", "biopsy"),
    ]
    kept = standing(here)
    assert [one.version for one in kept.versions] == [1, 2]
    assert (kept.first.right, kept.first.at) == ("2", first.at)
    with here.database.read() as session:
        rows = session.scalars(select(AssessmentVersion).order_by(AssessmentVersion.version)).all()
        score = session.scalars(select(Score).order_by(Score.id.desc())).first()
        assert score is not None
        assert [row.score_id for row in rows] == [score.id] * 2
        trail = session.scalars(select(AuditEntry).where(AuditEntry.action == "assessment_recorded")).all()
        assert [(entry.detail["before"]["right"], entry.detail["now"]["right"]) for entry in trail] == [
            (None, "2"),
            ("2", "4A"),
        ]


def test_what_is_read_before_there_is_a_score_is_read_first(here: Installation, reader: Person) -> None:
    with here.database.write() as session:
        session.add(Study(uid="2.25.9", patient_id=1, study_date=date(2026, 11, 1)))
    signed = record_assessment(here, reader, "2.25.9", **WHOLE)
    assert (signed.covered, signed.revealed_at) == (True, None)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"right": "7"}, "no BI-RADS assessment “7”"),
    ({"right": ""}, "no BI-RADS assessment “”"),
    ({"left": "4"}, "no BI-RADS assessment “4”"),
    ({"density": "E"}, "no density category “E”"),
    ({"density": None}, "Choose the density"),
    ({"right": None}, "of the right breast: it was imaged too"),
    ({"left": None}, "of the left breast: it was imaged too"),
    ({"right": None, "left": None}, "of the breasts that were examined"),
    ({"management": "amputate"}, "no management “amputate”"),
    ({"comparison": UID}, "is no prior"),
    ({"comparison": "2.25.2.1"}, "is not one of hers"),
    ({"comparison": "' OR 1=1 --"}, "is not one of hers"),
]


def test_what_is_not_whole_or_cannot_be_is_refused_and_nothing_is_written(
    here: Installation, reader: Person
) -> None:
    factories.woman(here, "2", [VisitPlan(PRIOR, views=())])
    for changed, sentence in REFUSED:
        with pytest.raises(ValueError, match=sentence):
            record_assessment(here, reader, UID, **(WHOLE | changed))
    assert standing(here).bi_rads is None
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(AssessmentVersion)) == 0


def test_a_breast_that_was_not_imaged_may_be_left_out(here: Installation, reader: Person) -> None:
    factories.woman(here, "2", [VisitPlan(LAST, views=(("L", "CC"), ("L", "MLO")))])
    signed = record_assessment(here, reader, "2.25.2.1", right=None, left="3", density="B")
    assert (signed.words, signed.management) == ("BI-RADS 3 left, density B", "short_interval")


def test_texts_of_any_kind_are_kept_and_too_long_ones_cut(here: Installation, reader: Person) -> None:
    hostile = "<script>alert(1)</script>\0\ud800" + "x" * 20_000
    signed = record_assessment(here, reader, UID, **WHOLE, findings=hostile, note=" ")
    assert standing(here).findings == hostile[:10_000].replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    assert (signed.note, standing(here).note) == (None, None)


def test_a_correction_says_why(here: Installation, reader: Person) -> None:
    first = record_assessment(here, reader, UID, **WHOLE)
    with pytest.raises(ValueError, match="Say why"):
        record_assessment(here, reader, UID, **WHOLE, reason=" ", instead_of=first.at)
    assert len(standing(here).versions) == 1


def test_of_two_who_sign_at_once_one_is_told_of_the_other(here: Installation, reader: Person) -> None:
    other = create_user(here, "bo", "a long password", Role.ONCOLOGIST, display_name="Dr Bo")

    def sign(person: Person) -> Assessment | AssessedMeanwhile:
        try:
            return record_assessment(here, person, UID, **WHOLE)
        except AssessedMeanwhile as meanwhile:
            return meanwhile

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(sign, (reader, other)))
    (signed,) = (one for one in answers if isinstance(one, Assessment))
    (refused,) = (one for one in answers if isinstance(one, AssessedMeanwhile))
    assert refused.stored == signed == standing(here)
    assert f"{signed.by} recorded BI-RADS 2 right, 1 left, density B at" in str(refused)
