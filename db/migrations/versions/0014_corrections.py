"""Corrections: what went in wrong is put right, and what that put away stays.

Columns without foreign keys are added in place: scores and images are not copied.

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_PUT_AWAY = ("patient", "study", "image", "score")


def upgrade() -> None:
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("mrn", sa.String(64), nullable=False),
        sa.Column("other_mrn", sa.String(64), nullable=True),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("undone_by_id", sa.Integer(), nullable=True),
        sa.Column("undone_at", sa.DateTime(), nullable=True),
        sa.Column("undo_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["made_by_id"], ["user.id"], name=op.f("fk_correction_made_by_id_user")),
        sa.ForeignKeyConstraint(["undone_by_id"], ["user.id"], name=op.f("fk_correction_undone_by_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index("ix_correction_mrn", "correction", ["mrn"])
    op.create_index("ix_correction_other_mrn", "correction", ["other_mrn"])
    for table in _PUT_AWAY:
        op.add_column(table, sa.Column("put_away_by_id", sa.Integer(), nullable=True))
    op.add_column("patient", sa.Column("merged_into_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    # The release before knows nothing of it: what was put away is seen again, the rest stays as it was put right.
    op.drop_column("patient", "merged_into_id")
    for table in reversed(_PUT_AWAY):
        op.drop_column(table, "put_away_by_id")
    op.drop_table("correction")
