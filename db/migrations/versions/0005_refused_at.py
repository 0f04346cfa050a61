"""Keep when a study was refused, why one is put off, and what its failures are measured by.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.add_column(sa.Column("refused_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("failed_after_score", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("put_off_since", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("put_off_because", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.drop_column("put_off_because")
        batch_op.drop_column("put_off_since")
        batch_op.drop_column("failed_after_score")
        batch_op.drop_column("refused_at")
