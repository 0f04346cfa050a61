"""Analysts name and share cohorts; an admin may let a person see single courses. Nobody may before.

Revision: 0024, after 0022.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_cohort",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_saved_cohort_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_cohort")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_cohort_user_id_name")),
        sa.UniqueConstraint("key", name=op.f("uq_saved_cohort_key")),
    )
    with op.batch_alter_table("user") as user:
        user.add_column(sa.Column("granted", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("user") as user:
        user.drop_column("granted")
    op.drop_table("saved_cohort")
