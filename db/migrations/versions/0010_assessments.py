"""Assessments are kept in versions, per breast, and who had a score shown before the study was read.

What stands of each study becomes its first version; of which breast it was, and whether a score was seen, nobody knows.

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _categories(column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"{column} IS NULL OR {column} IN ('0','1','2','3','4A','4B','4C','4','5','6')",
        name=op.f(f"ck_assessment_{column}"),
    )


def upgrade() -> None:
    op.create_table(
        "assessment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("bi_rads", sa.String(length=2), nullable=True),
        sa.Column("bi_rads_right", sa.String(length=2), nullable=True),
        sa.Column("bi_rads_left", sa.String(length=2), nullable=True),
        sa.Column("edition", sa.String(length=16), nullable=True),
        sa.Column("density", sa.String(length=1), nullable=True),
        sa.Column("findings", sa.Text(), nullable=True),
        sa.Column("comparison_uid", sa.String(length=64), nullable=True),
        sa.Column("comparison_date", sa.Date(), nullable=True),
        sa.Column("management", sa.String(length=32), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("covered", sa.Boolean(), nullable=True),
        sa.Column("revealed_at", sa.DateTime(), nullable=True),
        sa.Column("score_id", sa.Integer(), nullable=True),
        sa.Column("signed_by_id", sa.Integer(), nullable=True),
        sa.Column("signed_at", sa.DateTime(), nullable=True),
        _categories("bi_rads"),
        _categories("bi_rads_right"),
        _categories("bi_rads_left"),
        sa.CheckConstraint(
            "density IS NULL OR density IN ('A','B','C','D')", name=op.f("ck_assessment_density")
        ),
        sa.ForeignKeyConstraint(
            ["score_id"], ["score.id"], name=op.f("fk_assessment_score_id_score"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["signed_by_id"], ["user.id"], name=op.f("fk_assessment_signed_by_id_user")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name=op.f("fk_assessment_study_id_study"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint("study_id", "version", name=op.f("uq_assessment_study_id_version")),
    )
    op.create_table(
        "unread_reveal",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("revealed_by_id", sa.Integer(), nullable=True),
        sa.Column("revealed_at", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["revealed_by_id"], ["user.id"], name=op.f("fk_unread_reveal_revealed_by_id_user")
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name=op.f("fk_unread_reveal_study_id_study"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", name=op.f("pk_unread_reveal")),
    )
    op.execute(
        "INSERT INTO assessment (study_id, version, bi_rads, edition, density, note, signed_by_id, signed_at) "
        "SELECT id, 1, bi_rads, bi_rads_edition, reader_density, assessment_note, assessed_by_id, assessed_at FROM study "
        "WHERE bi_rads IS NOT NULL OR reader_density IS NOT NULL OR assessment_note IS NOT NULL OR assessed_at IS NOT NULL"
    )


def downgrade() -> None:
    # The studies still hold what stands; the versions before it are in the audit trail.
    op.drop_table("unread_reveal")
    op.drop_table("assessment")
