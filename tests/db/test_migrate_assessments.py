"""What stands of a study becomes the first version of its assessment, and goes back to what it was."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from db import migrate
from db.database import Database
from db.tables import AssessmentVersion, Study

STUDIES = (
    ("read", "'4A'", "'v2025'", "'C'", "'a note'", "1", "'2026-01-02 03:04:05'"),
    ("older edition", "'4'", "NULL", "NULL", "NULL", "NULL", "NULL"),
    ("density alone", "NULL", "NULL", "'B'", "NULL", "NULL", "NULL"),
    ("not read", *["NULL"] * 6),
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'longview.db'}")
    migrate.upgrade(made, "0009")
    with made.engine.begin() as connection:
        connection.execute(
            text(
                'INSERT INTO "user" (id, username, display_name, password_hash, role, active, demo, created_at) '
                "VALUES (1, 'ada', 'Dr Ada', '', 'oncologist', true, false, '2026-01-01')"
            )
        )
        connection.execute(
            text("INSERT INTO patient (id, mrn, simulated, created_at) VALUES (1, '1', false, '2026-01-01')")
        )
        for uid, *said in STUDIES:
            connection.execute(
                text(
                    "INSERT INTO study (uid, patient_id, study_date, modality, status, inputs_changed_at, attempts, created_at, "
                    "bi_rads, bi_rads_edition, reader_density, assessment_note, assessed_by_id, assessed_at) "
                    f"VALUES ('{uid}', 1, '2026-01-01', 'MG', 'scored', '2026-01-01', 0, '2026-01-01', {', '.join(said)})"
                )
            )
    yield made
    made.close()


def test_every_assessment_is_version_one_of_no_breast_and_nobody_knows_what_was_shown(
    database: Database,
) -> None:
    migrate.upgrade(database)
    with database.read() as session:
        rows = session.execute(
            select(Study.uid, AssessmentVersion)
            .join(AssessmentVersion, AssessmentVersion.study_id == Study.id)
            .order_by(Study.id)
        ).all()
        kept: dict[str, AssessmentVersion] = dict(iter(rows))
        assert list(kept) == ["read", "older edition", "density alone"]
        read = kept["read"]
        assert (read.version, read.bi_rads, read.edition, read.density, read.note) == (
            1,
            "4A",
            "v2025",
            "C",
            "a note",
        )
        assert (read.signed_by_id, read.signed_at) == (1, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        assert {
            (v.bi_rads_right, v.bi_rads_left, v.covered, v.revealed_at, v.management) for v in kept.values()
        } == {(None,) * 5}
        assert (kept["older edition"].bi_rads, kept["density alone"].density) == ("4", "B")
        assert session.scalars(select(Study.bi_rads).where(Study.uid == "read")).one() == "4A"
    migrate.downgrade(database, "0009")
    with database.engine.connect() as connection:
        said = connection.execute(text("SELECT bi_rads, reader_density FROM study ORDER BY id")).all()
    assert [tuple(row) for row in said] == [("4A", "C"), ("4", None), (None, "B"), (None, None)]
