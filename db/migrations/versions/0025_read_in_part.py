"""A study keeps whether what is recorded of it is a reading elsewhere that leaves something out, and covers no less for it.

What was recorded before this uncovered its score when it came in, and goes on doing so.

Revision: 0025, after 0024.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in a batch: that would make the table anew, and lose the triggers on it.
    op.add_column("study", sa.Column("read_in_part", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("study", "read_in_part")
