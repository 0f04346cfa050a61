"""What each person was shown of groups of women is remembered, so that no two cohorts tell of a few. Nothing was before.

Revision: 0028, after 0027.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asked_cohort",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_asked_cohort_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asked_cohort")),
    )
    op.create_index("ix_asked_cohort_user_id_source", "asked_cohort", ["user_id", "source", "id"])


def downgrade() -> None:
    op.drop_index("ix_asked_cohort_user_id_source", table_name="asked_cohort")
    op.drop_table("asked_cohort")
