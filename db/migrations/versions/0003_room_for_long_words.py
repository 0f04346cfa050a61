"""Give a score's calibration and model, and a claim's worker, the room that they need.

SQLite does not look at the length of a text; PostgreSQL refuses one that is too long.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("score", schema=None) as batch_op:
        batch_op.alter_column(
            "calibration", existing_type=sa.String(64), type_=sa.Text(), existing_nullable=False
        )
        batch_op.alter_column(
            "model", existing_type=sa.String(64), type_=sa.String(255), existing_nullable=False
        )
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.alter_column(
            "claimed_by", existing_type=sa.String(64), type_=sa.String(128), existing_nullable=True
        )


def downgrade() -> None:
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.alter_column(
            "claimed_by", existing_type=sa.String(128), type_=sa.String(64), existing_nullable=True
        )
    with op.batch_alter_table("score", schema=None) as batch_op:
        batch_op.alter_column(
            "model", existing_type=sa.String(255), type_=sa.String(64), existing_nullable=False
        )
        batch_op.alter_column(
            "calibration", existing_type=sa.Text(), type_=sa.String(64), existing_nullable=False
        )
